"""Heatmaps, a mask of persons and what a detector says of its anchors -> everybody in the view, a pose a box.

Kocabas et al. 2018, "MultiPoseNet", section 3.3: the detector says how many people there are and where, the heatmaps
where keypoints are, and a rule gives each box the keypoints that are its person's.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tfpose import anchors, geometry
from tfpose import poses as people
from tfpose.decode import assign, boxes, maxima, owners, prn
from tfpose.poses import Poses
from tfpose.skeleton import Skeleton

MASK = 0.5  # from where on a cell is somebody's


@dataclass(frozen=True)
class InBoxes:
    """The decoder of networks that give heatmaps and persons' boxes.

    A peak is above `threshold`, and at most the `most` best of a keypoint are looked at; a box scores `score` at least,
    and two have at most `overlap` (intersection over union) in common. A box looks at the peaks in itself enlarged by
    `margin` of its size on each side; `rule`, one of `assign.RULES`, says which of them it gets. They are worth what
    they score, or what the network in the file `assign` says (`owners.load`), which has a margin of its own.
    """

    skeleton: Skeleton
    stride: int
    threshold: float = 0.1
    most: int = 64
    score: float = 0.3
    overlap: float = 0.3
    margin: float = 0.21
    rule: str = "assigned"
    assign: str = ""

    def __post_init__(self):
        if self.rule not in assign.RULES:
            raise ValueError(f"decoder: rule {self.rule!r}; choose from {', '.join(assign.RULES)}")
        for name in ("threshold", "score", "overlap"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"decoder: {name} {getattr(self, name)}; it must be at least 0 and less than 1")
        if self.margin < 0 or min(self.stride, self.most) < 1:
            raise ValueError("decoder: margin must be at least 0, stride and most at least 1")
        assert not self.assign or self._network  # a file that is missing fails here, before any image

    @cached_property
    def _network(self) -> tuple:
        return owners.load(self.assign, self.skeleton)

    def __call__(self, outputs: dict) -> list[Poses]:
        """Each view's people in its pixels, best first.

        Of {"heatmaps": (N, h, w, K + 1), "boxes": (N, A, 4), "scores": (N, A, 1)}.
        """
        names = ("heatmaps", "boxes", "scores")
        if missing := [name for name in names if name not in outputs]:
            raise ValueError(
                f"decoder: the network gives no {' and no '.join(missing)}: it is one part of a whole, which alone "
                "finds people; take the network of all its stages"
            )
        return [self.one(*maps) for maps in zip(*(outputs[name] for name in names), strict=True)]

    def one(self, heatmaps: np.ndarray, codes: np.ndarray, logits: np.ndarray) -> Poses:
        """The people of one view in its pixels, best first; ValueError for other shapes and what is not finite."""
        found, scores = self.boxes(heatmaps.shape[:2], codes, logits)
        return self.poses(self.candidates(heatmaps), found, scores)

    def boxes(self, grid: tuple[int, int], codes: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Persons' boxes (B, 4) in view pixels and their scores (B,), best first, of a view of `grid` cells."""
        size = tuple(side * self.stride for side in grid)
        among = _anchors(size)
        if codes.shape != (len(among), 4) or logits.shape != (len(among), 1):
            raise ValueError(
                f"decoder: found boxes {codes.shape} and scores {logits.shape}; "
                f"a view of {size[0]}x{size[1]} has {len(among)} anchors"
            )
        return boxes.detections(codes, logits, among, size, score=self.score, overlap=self.overlap)

    def candidates(self, heatmaps: np.ndarray) -> np.ndarray:
        """The peaks (N, 4) of heatmaps (h, w, K + 1): kind, x and y in view pixels, score; the last map is the mask."""
        count = self.skeleton.count
        if heatmaps.ndim != 3 or heatmaps.shape[2] != count + 1 or min(heatmaps.shape[:2]) < 3:
            raise ValueError(
                f"decoder: found heatmaps {heatmaps.shape}; {self.skeleton.name} needs (h, w, {count + 1}), of 3 x 3 "
                "cells or more"
            )
        peaks = maxima.peaks(np.ascontiguousarray(heatmaps, np.float32), self.threshold, self.most)
        points = geometry.stride(self.stride).inverse.apply(peaks.points)
        return np.column_stack([peaks.kinds, points, peaks.values])

    def poses(self, candidates: np.ndarray, found: np.ndarray, scores: np.ndarray) -> Poses:
        """The people of boxes (B, 4) that score (B,), with the candidates (N, 4) that they get; best first."""
        if not len(found):
            return people.empty(self.skeleton.count)
        kinds = candidates[:, 0].astype(int)
        worth = self.worth(candidates, found)
        chosen = assign.RULES[self.rule](worth, kinds, self.skeleton.count)
        known = (chosen >= 0)[..., None]
        keypoints = np.where(known, candidates[np.maximum(chosen, 0), 1:], 0) if len(kinds) else _none(chosen)
        mean = keypoints[..., 2].sum(axis=1) / np.maximum(known[..., 0].sum(axis=1), 1)
        total = scores * mean
        order = np.argsort(-total, kind="stable")
        order = order[known.any(axis=(1, 2))[order]]
        values = (keypoints, total, found)
        return Poses(*(v[order].astype(np.float32) for v in values))

    def worth(self, candidates: np.ndarray, found: np.ndarray) -> np.ndarray:
        """What a candidate (N, 4) is worth to a box (B, 4), as (B, N): its score, or what the network makes of it."""
        if not self.assign or not len(candidates):
            return prn.max_scores(candidates, found, self.margin)
        asked, network = self._network
        return asked.worth(network(asked.inputs(candidates, found)), candidates, found)

    def mask(self, heatmaps: np.ndarray) -> np.ndarray:
        """Where persons are, (h, w) bool in cells, of heatmaps (h, w, K + 1)."""
        return heatmaps[..., -1] > MASK


def _none(chosen: np.ndarray) -> np.ndarray:
    return np.zeros((*chosen.shape, 3))


@lru_cache(maxsize=16)
def _anchors(size: tuple[int, int]) -> np.ndarray:
    return anchors.anchors(size)
