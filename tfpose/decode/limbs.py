"""Candidate limbs: all pairs of peaks that a limb could join, weighed at once by the field between them."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from tfpose.decode.assembly import Limbs
from tfpose.decode.maxima import Peaks

# A field between two strong peaks is likelier a limb than the same between two weak ones: the weight of peaks' values.
WEIGHT = 0.3
# So is the shorter of two: what a limb as long as the map's longer side loses. A long one runs into other people's.
SHORT = 0.3
# Two peaks in one place are this far apart, in cells.
SHORTEST = 1e-6
# Pairs that are weighed at a time: more of them would fill the processor's caches and, of noise, the memory.
MOST = 32768
# From this many pairs a glance at the middle of each is worth its time.
MANY = 256


def candidates(
    peaks: Peaks, pafs: np.ndarray, pairs: np.ndarray, *, samples: int, sampling: str, least: float
) -> Limbs:
    """The pairs of peaks that score above `least` in the fields pafs (h, w, 2L) float32 of limbs `pairs` (L, 2).

    A score is the mean, over `samples` places on the way, of the field's part along it (Cao et al. 2017, Eq. 10, 11);
    in the middle third it must not point back. `sampling` is one of `SAMPLINGS`. ValueError where it is not finite.
    """
    read, points = SAMPLINGS[sampling], _points(peaks.points, pafs.shape)
    ways, inner = _ways(samples), middle(samples)
    found = []
    for limbs in _portions(peaks.counts, len(points), pairs):
        trial = _pairs(peaks.counts, pairs, limbs)
        if len(trial[0]) > MANY:
            forward, _ = _forward(points, pafs, *trial, ways[samples // 2 :][:1], read)
            trial = _kept(trial, forward[0] > 0)
        forward, along = _forward(points, pafs, *trial, ways, read)
        lengths = np.abs(along) + SHORTEST
        scores = forward.sum(axis=0) / (samples * lengths)
        joined = (scores > least) & (forward[inner].min(axis=0) > 0)
        found.append(_kept((*trial[1:], scores, lengths), joined))
    starts, ends, scores, lengths = found[0] if len(found) == 1 else map(np.concatenate, zip(*found))
    rank = scores + WEIGHT * (peaks.values.take(starts) + peaks.values.take(ends))
    rank -= lengths * (SHORT / max(pafs.shape[:2]))
    order = (-rank).argsort()
    return Limbs(starts.take(order).tolist(), ends.take(order).tolist(), scores.take(order).tolist())


def middle(samples: int) -> slice:
    """Those of the samples, in order, that are in the middle third of a limb."""
    return slice(samples // 3, samples - samples // 3)


@cache
def _ways(samples: int) -> np.ndarray:
    # Where on the way from one peak to the other the field is read (S, 1), in parts of it.
    return (np.arange(samples, dtype=np.float32)[:, None] + 0.5) / samples


def _points(points: np.ndarray, shape: tuple) -> np.ndarray:
    # Places x - iy of peaks: the product with a field x + iy has as real part its part along the place.
    # Refined peaks may lie a little outside, where no field is.
    places = np.minimum(np.maximum(points, 0), _corner(*shape[:2]))
    return places.view(np.complex64)[:, 0].conj()


@cache
def _corner(height: int, width: int) -> np.ndarray:
    return np.array([width - 1, height - 1], np.float32)


def _portions(counts: np.ndarray, total: int, pairs: np.ndarray) -> list[slice]:
    # Limbs, those together that have no more than MOST pairs of peaks; one with more is alone.
    if total * total <= MOST:
        return [slice(0, len(pairs))]
    sizes = counts.take(pairs[:, 0]) * counts.take(pairs[:, 1])
    portions, first, taken = [], 0, 0
    for limb, size in enumerate(sizes.tolist()):
        if taken + size > MOST and limb > first:
            portions.append(slice(first, limb))
            first, taken = limb, 0
        taken += size
    return [*portions, slice(first, len(pairs))]


def _pairs(counts: np.ndarray, pairs: np.ndarray, limbs: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Limbs, start peaks and end peaks of all pairs; a row is one start peak of one limb with all the end peaks.
    begin, end = pairs[limbs].T
    first = counts.cumsum() - counts
    heights, widths = counts.take(begin), counts.take(end)
    above = heights.cumsum() - heights
    limb = np.arange(len(begin)).repeat(heights)
    rows = np.arange(len(limb))
    widths = widths.take(limb)
    before = widths.cumsum() - widths
    row = rows.repeat(widths)
    starts = rows + (first.take(begin) - above).take(limb)
    ends = np.arange(len(row)) + (first.take(end).take(limb) - before).take(row)
    return (limb + limbs.start).take(row), starts.take(row), ends


def _kept(columns: tuple, which: np.ndarray) -> tuple:
    places = which.nonzero()[0]
    return tuple(column.take(places) for column in columns)


def _forward(points, pafs, limbs, starts, ends, ways, read: Callable) -> tuple[np.ndarray, np.ndarray]:
    # The part of the field along each pair at each of the ways, times its length (S, N); the pairs' ways (N,).
    begin = points.take(starts)
    along = points.take(ends)
    along -= begin
    places = ways * along.view(np.float32)
    places += begin.view(np.float32)
    fields = read(pafs, limbs, places.reshape(len(ways), len(starts), 2))
    fields *= along
    forward = fields.real
    if not math.isfinite(forward.sum()):
        raise ValueError("decoder: the pafs are not finite; has training diverged?")
    return forward, along


def _nearest(pafs: np.ndarray, limbs: np.ndarray, places: np.ndarray) -> np.ndarray:
    # The field (S, N) of each pair's limb in the cells nearest to places (S, N, 2), x and -y.
    _, width, channels = pafs.shape
    np.rint(places, out=places)
    # Not as a product of matrices, which the library would share out among threads.
    cells = (places[..., 1] * -width + places[..., 0]).astype(np.intp)
    cells *= channels // 2
    cells += limbs
    return pafs.reshape(-1).view(np.complex64).take(cells)


def _bilinear(pafs: np.ndarray, limbs: np.ndarray, places: np.ndarray) -> np.ndarray:
    # The same between the four cells around.
    height, width, channels = pafs.shape
    row, column = width * channels // 2, channels // 2
    x, y = places[..., 0], -places[..., 1]
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    x, y = (x - left).astype(np.float32), (y - top).astype(np.float32)
    corner = top * row + left * column + limbs
    fields = pafs.reshape(-1).view(np.complex64)
    upper = (1 - x) * fields.take(corner) + x * fields.take(corner + column)
    lower = (1 - x) * fields.take(corner + row) + x * fields.take(corner + row + column)
    return (1 - y) * upper + y * lower


SAMPLINGS = {"nearest": _nearest, "bilinear": _bilinear}
