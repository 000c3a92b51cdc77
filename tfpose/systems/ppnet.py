"""PPNet, the method: a person's crop in, one heatmap per keypoint out, every module supervised with the same maps."""

from dataclasses import dataclass

from tfpose.models import ppnet as networks
from tfpose.options import PPNet
from tfpose.skeleton import Skeleton
from tfpose.systems.topdown import TopDownSystem

INIT_STD = {"paper": 0.001, "he": None}


@dataclass(frozen=True)
class PPNetSystem(TopDownSystem):
    """Top-down: heatmaps of a person's K keypoints at stride 4 (PPNet, §3); its constants are in the options."""

    options: PPNet
    name = "ppnet"

    @property
    def stages(self) -> int:
        return self.options.modules

    def build(self, size=None):
        o = self.options
        return networks.ppnet(
            size=size or o.size,
            keypoints=self.skeleton.count,
            modules=o.modules,
            depth=o.depth,
            width=o.width,
            unit=o.unit,
            branches=o.branches,
            depth_ratio=o.depth_ratio,
            width_ratio=o.width_ratio,
            strides=o.strides,
            skip=o.skip,
            stem_width=o.stem_width,
            stem_blocks=o.stem_blocks,
            stem_out=o.stem_out,
            init_std=INIT_STD[o.init],
        )


def make(options: PPNet, skeleton: Skeleton) -> PPNetSystem:
    """The system of a configuration."""
    return PPNetSystem(options, skeleton)
