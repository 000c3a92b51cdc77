"""LabelPredictor: boxes and keypoints of nobody -> whose each keypoint is, by a network that sees no pixel."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfpose import poses
from tfpose.decode import decoder
from tfpose.decode.owners import Owners
from tfpose.poses import Poses
from tfpose.spec import PoseSpec


@dataclass(frozen=True, eq=False)
class LabelPredictor:
    """Gives boxes (P, 4) their keypoints out of candidates (N, 4) kind, x, y, score, whatever runs the network.

    `run` takes the network's named inputs and returns its named outputs, both float32.
    """

    spec: PoseSpec
    run: Callable[[dict], dict]

    def __post_init__(self):
        if self.spec.view != "labels":
            raise ValueError(f"pose.json: view {self.spec.view!r}; expected 'labels', a network that sees no image")
        assert self.decode  # an unknown decoder fails here, before any image

    @cached_property
    def decode(self) -> Owners:
        """The decoder that the specification describes."""
        return decoder(self.spec.decoder, self.spec.skeleton)

    def __call__(self, candidates: np.ndarray, boxes: np.ndarray) -> Poses:
        """The people of an image's boxes; a box without any keypoint gives nobody."""
        return self.by_rules(candidates, boxes, (self.decode.rule,))[self.decode.rule]

    def by_rules(self, candidates: np.ndarray, boxes: np.ndarray, rules: tuple[str, ...]) -> dict[str, Poses]:
        """{rule: people} by each rule that shares out keypoints by the same scores."""
        if not (len(candidates) and len(boxes)):
            return dict.fromkeys(rules, poses.empty(self.spec.skeleton.count))
        outputs = self.run(self.decode.inputs(candidates, boxes))
        scores, shares = self.decode.scores(outputs, candidates, boxes)
        return {rule: self.decode.poses(scores, shares, candidates, boxes, rule) for rule in rules}
