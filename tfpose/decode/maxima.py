"""Every peak of every keypoint's heatmap, to a fraction of a cell: where people may have that keypoint.

One comparison with the threshold leaves few cells, and only these are compared with their neighbours.
"""

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

# A logarithm is taken of no less than this: maps have zeros, and noise around them.
FLOOR = 1e-4
# A peak is never moved further than this, in cells: at the border it may lie outside, beyond that it is noise.
LIMIT = 1.0


@dataclass(frozen=True, eq=False)
class Peaks:
    """n peaks sorted by keypoint: `kinds` (n,) the keypoint, `points` (n, 2) in cells, x then y, `values` (n,).

    `counts` (K,) says how many there are of each keypoint.
    """

    kinds: np.ndarray
    points: np.ndarray
    values: np.ndarray
    counts: np.ndarray


def peaks(heatmaps: np.ndarray, threshold: float, most: int) -> Peaks:
    """The local maxima of heatmaps (h, w, K + 1) float32 above `threshold`, at most the `most` best of a keypoint.

    Of a flat top the first cell counts; points are refined by the parabola through logarithms, exact on a Gaussian.
    The last map, the background, is not searched. ValueError where the others are not finite.
    """
    framed = _framed(heatmaps)
    found, values = _maxima(framed, threshold)
    kinds = found % framed.shape[2]
    order = kinds.argsort(kind="stable")
    found, kinds, values = found.take(order), kinds.take(order), values.take(order)
    counts = np.bincount(kinds, minlength=framed.shape[2] - 1)
    if len(values) > most and counts.max() > most:
        kept = _best(values, counts, most)
        found, kinds, values = found.take(kept), kinds.take(kept), values.take(kept)
        counts = np.minimum(counts, most)
    return Peaks(kinds, _refined(framed, found), values, counts)


def _framed(heatmaps: np.ndarray) -> np.ndarray:
    # A row of zeros above and below, a column at the right, which in one long row is also at the left of the next.
    height, width, channels = heatmaps.shape
    framed = np.empty((height + 2, width + 1, channels), np.float32)
    framed[1:-1, :-1] = heatmaps
    framed[0] = framed[-1] = framed[:, -1] = 0
    return framed


@cache
def _steps(width: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    # To the three neighbours before a cell beside those above and below, and to those of a cross.
    row, column = width * channels, channels
    before, cross = (-row - column, -column, column - row), (0, -column, -row, column, row)
    return np.array(before)[:, None], np.array(cross)[:, None]


def _maxima(framed: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    # Flat positions of cells not below any of eight neighbours, of two that are equal the first, and their values.
    _, width, channels = framed.shape
    flat, row = framed.reshape(-1), width * channels
    # "Not at most" and not "above": it is true of what is no number, which then is seen in the maximum.
    low = flat[row:-row] <= threshold
    low[channels - 1 :: channels] = True
    found = np.logical_not(low, out=low).nonzero()[0]
    values = flat[row:].take(found)
    if len(values) and not math.isfinite(values.max()):
        raise ValueError("decoder: the heatmaps are not finite; has training diverged?")
    # Above and below first: two thirds of the cells are done with.
    kept = values > flat.take(found)
    kept &= values >= flat[2 * row :].take(found)
    kept = kept.nonzero()[0]
    found, values = found.take(kept) + row, values.take(kept)
    before, _ = _steps(width, channels)
    kept = values > flat.take(found + before)
    kept &= values >= flat.take(found - before)
    kept = (kept[0] & kept[1] & kept[2]).nonzero()[0]
    return found.take(kept), values.take(kept)


def _best(values: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    # The places of the `most` largest values of each keypoint, still sorted by keypoint.
    kept, start = [], 0
    for count in counts.tolist():
        places = np.arange(start, start + count)
        if count > most:
            places = places[values[start : start + count].argpartition(count - most)[count - most :]]
        kept.append(places)
        start += count
    return np.concatenate(kept)


@lru_cache(maxsize=64)
def _places(height: int, width: int, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Of every cell of a framed map: x and y on the map (2, cells), the way to the nearest cell that has all its
    # neighbours (2, cells), both float32, and the same way in flat positions (cells,).
    y, x = np.indices((height, width))
    ways = np.stack([np.clip(x, 1, width - 3) - x, np.clip(y, 2, height - 3) - y]).reshape(2, -1)
    cells = np.stack([x, y - 1]).reshape(2, -1)  # the row of zeros above
    return cells.astype(np.float32), ways.astype(np.float32), (ways[1] * width + ways[0]) * channels


def _refined(framed: np.ndarray, found: np.ndarray) -> np.ndarray:
    # The points (n, 2) in cells, x then y, by the parabolas through three cells across and three cells down.
    height, width, channels = framed.shape
    cells, ways, flat_ways = _places(height, width, channels)
    place = found // channels
    # Around the nearest cell that has all its neighbours: a Gaussian's logarithm is one parabola everywhere.
    around = found + flat_ways.take(place) + _steps(width, channels)[1]
    log = np.log(np.maximum(framed.reshape(-1).take(around), FLOOR))
    low, middle, high = log[1:3], log[0], log[3:]
    offsets = (low - high) / np.minimum(2 * (low + high - middle - middle), -FLOOR)
    offsets += ways.take(place, axis=1)
    points = np.empty((len(found), 2), np.float32)
    np.add(cells.take(place, axis=1), np.minimum(np.maximum(offsets, -LIMIT), LIMIT), out=points.T)
    return points
