"""SimpleBaseline, the method: a person's crop in, one heatmap per keypoint out."""

from dataclasses import dataclass

from tfpose.models import simplebaseline as networks
from tfpose.options import SimpleBaseline
from tfpose.skeleton import Skeleton
from tfpose.systems.base import Counting
from tfpose.systems.topdown import TopDownSystem


@dataclass(frozen=True)
class SimpleBaselineSystem(TopDownSystem):
    """Top-down: heatmaps of a person's K keypoints at stride 4 (Xiao et al. 2018)."""

    options: SimpleBaseline
    name = "simplebaseline"
    counting = Counting(
        scattered_by_output=True, text="2^30 multiply-accumulates, those of transposed convolutions four times"
    )

    def build(self, size=None):
        o = self.options
        return networks.simplebaseline(
            size=size or o.size,
            keypoints=self.skeleton.count,
            depths=o.depths,
            width=o.width,
            filters=o.filters,
        )


def make(options: SimpleBaseline, skeleton: Skeleton) -> SimpleBaselineSystem:
    """The system of a configuration."""
    return SimpleBaselineSystem(options, skeleton)
