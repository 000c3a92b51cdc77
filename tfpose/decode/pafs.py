"""Heatmaps and part affinity fields -> everybody in the view: peaks, then limbs between them, then people.

Cao et al. 2017, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"; here without a loop over cells,
peaks or pairs, and without enlarging the maps: peaks are refined to a fraction of a cell instead.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from tfpose import geometry, poses
from tfpose.decode import assembly, limbs, maps, maxima
from tfpose.poses import Poses
from tfpose.skeleton import Skeleton

# What a limb must score to give somebody a peak that is left over, in parts of what it else must.
RELAXED = 0.5


@dataclass(frozen=True)
class Pafs:
    """The decoder of networks that give heatmaps and part affinity fields, for the keypoints and limbs of a skeleton.

    A peak is above `threshold`; at most the `most` best of a keypoint are looked at. A limb is the mean of the field at
    `samples` places, each the "nearest" cell or "bilinear"; above `limb` it joins two, and with `relaxed` one of half
    that gives somebody a peak that is left over. People have `keypoints` at least and a `score`, the sum over their
    peaks and limbs, of at least that. `upsample` makes the grid finer first, as the paper's authors do, and slow.
    """

    skeleton: Skeleton
    stride: int
    threshold: float = 0.015
    most: int = 64
    samples: int = 7
    sampling: str = "nearest"
    limb: float = 0.01
    relaxed: bool = True
    keypoints: int = 2
    score: float = 0.3
    upsample: int = 1

    def __post_init__(self):
        if self.sampling not in limbs.SAMPLINGS:
            raise ValueError(f"decoder: sampling {self.sampling!r}; choose from {', '.join(limbs.SAMPLINGS)}")
        for name in ("stride", "most", "samples", "keypoints", "upsample"):
            if getattr(self, name) < 1:
                raise ValueError(f"decoder: {name} {getattr(self, name)}; it must be at least 1")
        for name in ("threshold", "limb"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"decoder: {name} {getattr(self, name)}; it must be at least 0")

    def __call__(self, outputs: dict) -> list[Poses]:
        """Each view's people in its pixels, best first, of {"heatmaps": (N, h, w, K + 1), "pafs": (N, h, w, 2L)}."""
        return [self.one(*maps) for maps in zip(outputs["heatmaps"], outputs["pafs"], strict=True)]

    def one(self, heatmaps: np.ndarray, pafs: np.ndarray) -> Poses:
        """The people of one view in its pixels, best first, of heatmaps (h, w, K + 1) and fields (h, w, 2L).

        ValueError where the maps are not of this skeleton, smaller than 3 x 3 cells or not finite.
        """
        peaks, found = self.parts(heatmaps, pafs)
        people = assembly.people(peaks.kinds.tolist(), peaks.values.tolist(), found, self.limb)
        people = [p for p in people if len(p.peaks) >= self.keypoints and p.score >= self.score]
        people.sort(key=lambda person: -person.score)
        return self._poses(peaks, people)

    def parts(self, heatmaps: np.ndarray, pafs: np.ndarray) -> tuple[maxima.Peaks, assembly.Limbs]:
        """What people are made of: the peaks, in cells, and the limbs that may join them, best first."""
        heatmaps, pafs = self._checked(heatmaps, pafs)
        if self.upsample > 1:
            heatmaps, pafs = (maps.upsampled(m, self.upsample) for m in (heatmaps, pafs))
        peaks = maxima.peaks(heatmaps, self.threshold, self.most)
        least = RELAXED * self.limb if self.relaxed else self.limb
        how = {"samples": self.samples, "sampling": self.sampling, "least": least}
        return peaks, limbs.candidates(peaks, pafs, self.skeleton.pairs, **how)

    def _checked(self, heatmaps, pafs):
        heatmaps, pafs = (np.ascontiguousarray(maps, np.float32) for maps in (heatmaps, pafs))
        grid = heatmaps.shape[:2]
        expected = (*grid, self.skeleton.count + 1), (*grid, 2 * len(self.skeleton.pairs))
        if (heatmaps.shape, pafs.shape) != expected or min(grid) < 3:
            raise ValueError(
                f"decoder: found heatmaps {heatmaps.shape} and pafs {pafs.shape}; {self.skeleton.name} needs "
                f"(h, w, {self.skeleton.count + 1}) and (h, w, {2 * len(self.skeleton.pairs)}), of 3 x 3 cells or more"
            )
        return heatmaps, pafs

    def _poses(self, peaks: maxima.Peaks, people: list[assembly.Person]) -> Poses:
        count = self.skeleton.count
        if not people:
            return poses.empty(count)
        mine = np.array([peak for person in people for peak in person.peaks])
        sizes = [len(person.peaks) for person in people]
        found = np.empty((len(mine), 3), np.float32)
        np.multiply(peaks.points.take(mine, axis=0), self._cells[0], out=found[:, :2])
        found[:, :2] += self._cells[1]
        found[:, 2] = peaks.values.take(mine)
        keypoints = np.zeros((len(people) * count, 3), np.float32)
        keypoints[peaks.kinds.take(mine) + np.arange(0, len(keypoints), count).repeat(sizes)] = found
        boxes, first = np.empty((len(people), 4), np.float32), [0, *accumulate(sizes[:-1])]
        np.minimum.reduceat(found[:, :2], first, out=boxes[:, :2])
        np.subtract(np.maximum.reduceat(found[:, :2], first), boxes[:, :2], out=boxes[:, 2:])
        scores = np.array([person.score for person in people], np.float32)
        return Poses(keypoints.reshape(-1, count, 3), scores, boxes)

    @cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        # What cells are multiplied by and what is added to make them pixels of the view, (2,) each.
        matrix = geometry.stride(self.stride / self.upsample).inverse.matrix.astype(np.float32)
        return matrix.diagonal().copy(), matrix[:, 2].copy()
