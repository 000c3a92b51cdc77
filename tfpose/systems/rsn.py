"""RSN, the method: a person's crop in, heatmaps of four levels out of every stage, each level taught finer than before.

What the paper does not say is the published code's: coarse-to-fine targets, hidden keypoints, hard keypoint mining.
"""

from dataclasses import dataclass

from tfpose import losses
from tfpose.encode import blurred, heatmaps
from tfpose.models import rsn as networks
from tfpose.options import RSN
from tfpose.skeleton import Skeleton
from tfpose.systems.topdown import STRIDE, TopDownSystem, inputs, one_person

LEVELS = networks.LEVELS
# Widths in cells of the smoothing of the targets, coarse to fine; the last stage is taught the last four.
KERNELS = (15, 11, 9, 7, 5)
COARSE = 0.25
# The published code takes whole squares of maps whose peak is 255, ours are half squares of maps whose peak is 1. Adam
# does not mind, but its weight decay does: it is a part of the gradient, and a recipe's value belongs to this scale.
SCALE = 2 * 255**2


@dataclass(frozen=True)
class RSNSystem(TopDownSystem):
    """Top-down: heatmaps of a person's K keypoints, four levels a stage, all at stride 4 (RSN, section 3)."""

    options: RSN
    name = "rsn"

    @property
    def stages(self) -> int:
        return LEVELS * self.options.stages

    def build(self, size=None):
        o = self.options
        return networks.rsn(
            size=size or o.size,
            keypoints=self.skeleton.count,
            stages=o.stages,
            unit=o.unit,
            depths=o.depths,
            planes=o.planes,
            width=o.width,
            branches=o.branches,
            expansion=o.expansion,
            stem=o.stem,
            decoder=o.decoder,
            profile=o.profile,
            se=o.se,
            prm=o.prm,
        )

    def encode(self, batch):
        keypoints, grid = one_person(batch)
        # Coarse levels are taught that nothing is there where a keypoint is hidden or not labelled.
        shown = {True: keypoints, False: blurred.visible(keypoints)}
        targets = {}
        for i, term in enumerate(self.terms):
            last = i >= self.stages - LEVELS
            targets[term] = self._maps(shown[_finest(i)], grid, KERNELS[i % LEVELS + last])
        return inputs(batch), targets | {"weights": self._weights(keypoints, grid)}

    def _maps(self, keypoints, grid, width):
        o = self.options
        if o.targets == "kernels":
            return blurred.heatmaps(keypoints, grid, STRIDE, width)
        return heatmaps.heatmaps(keypoints, grid, STRIDE, o.sigma, centre=o.centre)

    def _weights(self, keypoints, grid):
        if self.options.targets == "kernels":
            return blurred.weights(keypoints, grid, STRIDE)
        return heatmaps.weights(keypoints, grid, STRIDE, self.options.sigma)

    def loss(self, targets, outputs):
        result = {}
        for i, term in enumerate(self.terms):
            target, output = targets[term], outputs[term]
            if _finest(i):
                result[term] = SCALE * losses.hardest_mse(target, output, targets["weights"])
            else:
                result[term] = SCALE * COARSE * losses.heatmap_mse(target, output)
        return result


def _finest(index: int) -> bool:
    return index % LEVELS == LEVELS - 1


def make(options: RSN, skeleton: Skeleton) -> RSNSystem:
    """The system of a configuration."""
    return RSNSystem(options, skeleton)
