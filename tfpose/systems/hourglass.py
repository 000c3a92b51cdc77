"""Stacked Hourglass, the method: a person's crop in, heatmaps out of every stage, all supervised with the same maps."""

from dataclasses import dataclass

from tfpose.models import hourglass as networks
from tfpose.options import Hourglass
from tfpose.skeleton import Skeleton
from tfpose.systems.topdown import TopDownSystem


@dataclass(frozen=True)
class HourglassSystem(TopDownSystem):
    """Top-down: heatmaps of a person's K keypoints at stride 4 (Newell et al. 2016)."""

    options: Hourglass
    name = "hourglass"

    @property
    def stages(self) -> int:
        return self.options.stages

    def build(self, size=None):
        o = self.options
        return networks.hourglass(
            size=size or o.size,
            keypoints=self.skeleton.count,
            stages=o.stages,
            depth=o.depth,
            width=o.width,
        )


def make(options: Hourglass, skeleton: Skeleton) -> HourglassSystem:
    """The system of a configuration."""
    return HourglassSystem(options, skeleton)
