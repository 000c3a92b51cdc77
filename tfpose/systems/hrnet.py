"""HRNet, the method: a person's crop in, one heatmap per keypoint out."""

from dataclasses import dataclass

from tfpose.models import hrnet as networks
from tfpose.options import HRNet
from tfpose.skeleton import Skeleton
from tfpose.systems.topdown import TopDownSystem


@dataclass(frozen=True)
class HRNetSystem(TopDownSystem):
    """Top-down: heatmaps of a person's K keypoints at stride 4 (Sun et al. 2019)."""

    options: HRNet
    name = "hrnet"

    def build(self, size=None):
        o = self.options
        return networks.hrnet(
            size=size or o.size,
            keypoints=self.skeleton.count,
            width=o.width,
            modules=o.modules,
            depth=o.depth,
        )


def make(options: HRNet, skeleton: Skeleton) -> HRNetSystem:
    """The system of a configuration."""
    return HRNetSystem(options, skeleton)
