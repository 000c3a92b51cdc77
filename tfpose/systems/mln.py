"""MLN, the method: an image in, heatmaps and part affinity fields of everybody in it out, detected, then refined."""

from dataclasses import dataclass

from tfpose.models import mln as networks
from tfpose.options import MLN
from tfpose.skeleton import Skeleton
from tfpose.systems.bottomup import BottomUpSystem


@dataclass(frozen=True)
class MLNSystem(BottomUpSystem):
    """Bottom-up: heatmaps of K keypoints and fields of L limbs at stride 8 (Huang et al. 2019)."""

    options: MLN
    name = "mln"
    stages = 2

    def build(self, size=None):
        o = self.options
        return networks.mln(
            size=size or o.size,
            keypoints=self.body.count,
            limbs=len(self.body.limbs),
            block=o.block,
            trunk=o.trunk,
            width=o.width,
            norm=o.norm,
        )


def make(options: MLN, skeleton: Skeleton) -> MLNSystem:
    """The system of a configuration."""
    return MLNSystem(options, skeleton)
