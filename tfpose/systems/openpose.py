"""OpenPose, the method: an image in, heatmaps and part affinity fields of everybody in it out, stage by stage."""

from dataclasses import dataclass

from tfpose.models import openpose as networks
from tfpose.options import OpenPose
from tfpose.skeleton import Skeleton
from tfpose.systems.bottomup import BottomUpSystem


@dataclass(frozen=True)
class OpenPoseSystem(BottomUpSystem):
    """Bottom-up: heatmaps of K keypoints and fields of L limbs at stride 8 (Cao et al. 2017)."""

    options: OpenPose
    name = "openpose"

    @property
    def stages(self) -> int:
        return self.options.stages

    def build(self, size=None):
        o = self.options
        return networks.openpose(
            size=size or o.size,
            keypoints=self.body.count,
            limbs=len(self.body.limbs),
            stages=o.stages,
            trunk=o.trunk,
            width=o.width,
            norm=o.norm,
        )


def make(options: OpenPose, skeleton: Skeleton) -> OpenPoseSystem:
    """The system of a configuration."""
    return OpenPoseSystem(options, skeleton)
