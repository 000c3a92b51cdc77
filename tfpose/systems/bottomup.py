"""What the bottom-up systems share: whole images in, heatmaps and part affinity fields out, taught at every stage."""

from dataclasses import dataclass
from functools import cached_property

from tfpose import losses
from tfpose import skeleton as skeletons
from tfpose.encode import heatmaps, pafs
from tfpose.encode.skeletons import converted
from tfpose.models import blocks, vgg
from tfpose.options import BottomUp
from tfpose.skeleton import Skeleton
from tfpose.systems.base import Counting, PoseSystem

STRIDE = 8


@dataclass(frozen=True)
class BottomUpSystem(PoseSystem):
    """A system of views of whole images, whose stages are all taught the same heatmaps and fields at stride 8.

    A subclass says its name, its number of `stages` and how its network is built.
    """

    options: BottomUp
    skeleton: Skeleton
    view = "image"
    stride = STRIDE
    stages = 2
    counting = Counting(unit=10**9, text="10^9 multiply-accumulates")

    def __post_init__(self):
        assert len(self.conversion) == self.body.count  # a body that the annotations cannot give fails here

    @property
    def size(self) -> tuple[int, int]:
        return self.options.size

    @property
    def training_size(self) -> tuple[int, int]:
        return self.options.crop

    @cached_property
    def body(self) -> Skeleton:
        return skeletons.skeleton(self.options.body)

    @cached_property
    def conversion(self):
        """Which two keypoints of the annotations each one of the body is the mean of, (K, 2)."""
        return skeletons.conversion(self.skeleton, self.body)

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(f"{name}/{stage}" for stage in range(self.stages) for name in ("heatmaps", "pafs"))

    def encode(self, batch):
        o, keypoints = self.options, converted(batch["keypoints"], self.conversion)
        height, width = batch["image"].shape[-3:-1]
        grid = (height // STRIDE, width // STRIDE)
        maps = {
            "heatmaps": heatmaps.people(keypoints, grid, STRIDE, o.sigma / STRIDE),
            "pafs": pafs.pafs(keypoints, self.body.pairs, grid, STRIDE, o.limb / STRIDE),
        }
        # The same truth for every stage: one tensor under each name costs nothing.
        targets = {term: maps[term.partition("/")[0]] for term in self.terms}
        inputs = {"image": batch["image"], "annotation_id": batch["annotation_id"]}
        return inputs, targets | {"weights": 1.0 - batch["ignore"][..., None]}

    def loss(self, targets, outputs):
        return {t: losses.maps_sse(targets[t], outputs[t], targets["weights"]) for t in self.terms}

    def decoder(self):
        o = self.options
        return {"name": "pafs", "stride": STRIDE, "threshold": o.threshold, "score": o.score}

    def deployed(self, network):
        return blocks.last_stage(network)

    def start(self, network):
        if self.options.trunk_weights != "none":
            vgg.load(network, self.options.trunk_weights)
