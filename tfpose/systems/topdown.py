"""What the top-down systems share: one heatmap per keypoint of the view's person, the same truth at every stage."""

from dataclasses import dataclass

from tfpose import losses
from tfpose.encode import heatmaps
from tfpose.models import blocks
from tfpose.options import TopDown
from tfpose.skeleton import Skeleton
from tfpose.systems.base import PoseSystem

STRIDE = 4


@dataclass(frozen=True)
class TopDownSystem(PoseSystem):
    """A system of views of one person, whose stages are all taught Gaussians of one deviation at stride 4.

    A subclass says its name, its number of `stages` and how its network is built.
    """

    options: TopDown
    skeleton: Skeleton
    view = "person"
    stride = STRIDE
    stages = 1

    @property
    def size(self) -> tuple[int, int]:
        return self.options.size

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(f"heatmaps/{stage}" for stage in range(self.stages))

    def encode(self, batch):
        keypoints, grid = one_person(batch)
        maps = heatmaps.heatmaps(keypoints, grid, STRIDE, self.options.sigma, centre=self.options.centre)
        weights = heatmaps.weights(keypoints, grid, STRIDE, self.options.sigma)
        # The same truth for every stage: one tensor under each name costs nothing.
        return inputs(batch), dict.fromkeys(self.terms, maps) | {"weights": weights}

    def loss(self, targets, outputs):
        return {t: losses.heatmap_mse(targets[t], outputs[t], targets["weights"]) for t in self.terms}

    def decoder(self):
        o = self.options
        return {"name": "topdown", "stride": STRIDE, "refine": o.refine, "blur": o.blur, "smooth": o.smooth}

    def deployed(self, network):
        return blocks.last_stage(network)


def one_person(batch: dict) -> tuple:
    """The keypoints (B, K, 3) of a batch of views of one person each, and the grid (h, w) of its heatmaps."""
    height, width = batch["image"].shape[-3:-1]
    return batch["keypoints"][..., 0, :, :], (height // STRIDE, width // STRIDE)


def inputs(batch: dict) -> dict:
    """What the network and the messages about a batch need."""
    return {"image": batch["image"], "annotation_id": batch["annotation_id"]}
