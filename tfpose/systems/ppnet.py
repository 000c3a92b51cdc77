"""PPNet, the method: a person's crop in, one heatmap per keypoint out, every module supervised with the same maps."""

from dataclasses import dataclass

from tfpose import losses
from tfpose.config import PPNet
from tfpose.encode import heatmaps
from tfpose.models import ppnet as networks
from tfpose.skeleton import Skeleton
from tfpose.systems.base import PoseSystem

STRIDE = 4
INIT_STD = {"paper": 0.001, "he": None}


@dataclass(frozen=True)
class PPNetSystem(PoseSystem):
    """Top-down: heatmaps of a person's K keypoints at stride 4 (PPNet, §3); its constants are in the options."""

    options: PPNet
    skeleton: Skeleton
    name = "ppnet"
    view = "person"

    @property
    def size(self) -> tuple[int, int]:
        return self.options.size

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(f"heatmaps/{m}" for m in range(self.options.modules))

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

    def encode(self, batch):
        keypoints = batch["keypoints"][..., 0, :, :]  # one person to a view: (B, K, 3)
        height, width = batch["image"].shape[-3:-1]
        grid = (height // STRIDE, width // STRIDE)
        maps = heatmaps.heatmaps(keypoints, grid, STRIDE, self.options.sigma, centre=self.options.centre)
        weights = heatmaps.weights(keypoints, grid, STRIDE, self.options.sigma)
        # The same truth for every module: one tensor under each name costs nothing.
        inputs = {"image": batch["image"], "annotation_id": batch["annotation_id"]}
        return inputs, dict.fromkeys(self.terms, maps) | {"weights": weights}

    def loss(self, targets, outputs):
        return {t: losses.heatmap_mse(targets[t], outputs[t], targets["weights"]) for t in self.terms}

    def decoder(self):
        return {"name": "topdown", "stride": STRIDE, "refine": self.options.refine, "blur": self.options.blur}

    def deployed(self, network):
        return networks.deployed(network)


def make(options: PPNet, skeleton: Skeleton) -> PPNetSystem:
    """The system of a configuration."""
    return PPNetSystem(options, skeleton)
