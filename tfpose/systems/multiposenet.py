"""MultiPoseNet, the method: an image in, heatmaps, a mask of persons and their boxes out, taught part by part."""

from dataclasses import dataclass
from functools import lru_cache

from tfpose import losses
from tfpose.anchors import EACH, anchors
from tfpose.decode.owners import FILE
from tfpose.encode import boxes, heatmaps, segments
from tfpose.models import backbones
from tfpose.models import multiposenet as networks
from tfpose.options import MultiPoseNet
from tfpose.skeleton import Skeleton
from tfpose.systems.base import Counting, PoseSystem

STRIDE = 4
KEYPOINTS, DETECTOR = "keypoints", "detector"


@dataclass(frozen=True)
class MultiPoseNetSystem(PoseSystem):
    """Bottom-up: heatmaps of K keypoints, a mask, and boxes to share the keypoints out (Kocabas et al. 2018)."""

    options: MultiPoseNet
    skeleton: Skeleton
    name = "multiposenet"
    view = "image"
    stride = STRIDE
    counting = Counting(unit=10**9, text="10^9 multiply-accumulates")

    @property
    def size(self) -> tuple[int, int]:
        return self.options.size

    @property
    def training_size(self) -> tuple[int, int]:
        return self.options.crop

    @property
    def labels(self) -> tuple[str, ...]:
        return ("mask",) * self._has(KEYPOINTS) + ("boxes",) * self._has(DETECTOR)

    @property
    def terms(self) -> tuple[str, ...]:
        stages = 5 if self.options.intermediate else 1
        maps = tuple(f"heatmaps/{stage}" for stage in range(stages))
        return maps * self._has(KEYPOINTS) + ("scores", "boxes") * self._has(DETECTOR)

    def _has(self, part: str) -> bool:
        return self.options.part in (part, "whole")

    def build(self, size=None):
        o = self.options
        network = networks.multiposenet(
            size=size or o.size,
            anchors=EACH,
            keypoints=self.skeleton.count,
            backbone=o.backbone,
            width=o.width,
            head=o.head,
            depth=o.depth,
            norm=o.norm,
            concat=o.concat,
            intermediate=o.intermediate,
        )
        if o.part == DETECTOR:
            for layer in networks.trunk(network):
                layer.trainable = False
        parts = {KEYPOINTS: networks.keypoint_part, DETECTOR: networks.detector_part}
        return parts[o.part](network) if o.part in parts else network

    def encode(self, batch):
        maps = self._maps(batch) if self._has(KEYPOINTS) else {}
        codes = self._boxes(batch) if self._has(DETECTOR) else {}
        return {"image": batch["image"], "annotation_id": batch["annotation_id"]}, maps | codes

    def _maps(self, batch):
        grid = batch["mask"].shape[1:3]
        people = heatmaps.people(batch["keypoints"], grid, STRIDE, self.options.sigma / STRIDE)
        maps = segments.with_mask(people, batch["mask"])
        weights = segments.weights(batch["ignore"], batch["mask"], self.skeleton.count)
        return {term: maps for term in self.terms if term.startswith("heatmaps")} | {"weights": weights}

    def _boxes(self, batch):
        among = _anchors(tuple(batch["image"].shape[1:3]))
        codes, states = boxes.boxes(batch["boxes"], batch["ignore"], among, STRIDE)
        return {"boxes": codes, "scores": states}

    def loss(self, targets, outputs):
        result = {}
        for term in self.terms:
            if term == "boxes":
                result[term] = losses.smooth_l1(targets[term], outputs[term], targets["scores"])
            elif term == "scores":
                result[term] = losses.focal(targets[term], outputs[term])
            else:
                result[term] = losses.heatmap_mse(targets[term], outputs[term], targets["weights"])
        return result

    def decoder(self):
        o = self.options
        found = {
            "name": "boxes",
            "stride": STRIDE,
            "threshold": o.threshold,
            "score": o.score,
            "overlap": o.overlap,
            "margin": o.margin,
        }
        return found | ({"assign": FILE} if o.part == "whole" and o.assign == "network" else {})

    def deployed(self, network):
        return networks.deployed(network)

    def start(self, network):
        if self.options.backbone_weights != "none":
            backbones.load(network, self.options.backbone, self.options.backbone_weights)


@lru_cache(maxsize=8)
def _anchors(size):
    return anchors(size)


def make(options: MultiPoseNet, skeleton: Skeleton) -> MultiPoseNetSystem:
    """The system of a configuration."""
    return MultiPoseNetSystem(options, skeleton)
