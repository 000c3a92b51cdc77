"""What the Pose Residual Network sees; what it, or one of the two baselines it is measured against, says -> scores.

Scores (B, N) of boxes for candidates are for the rules of `assign`; the places (B, N, 2) are `assign.places`.
"""

import numpy as np

from tfpose.decode import assign

INPUT_SIGMA = 1.0  # cells: the network's public code
REACH = 4.0  # standard deviations after which a bell is cut: scikit-image's
WINDOW = 15  # cells, the side of the window whose sum is a score: the network's public code


def inputs(candidates, boxes, grid: tuple[int, int], margin: float, count: int) -> np.ndarray:
    """The maps (B, h, w, count) float32 of the candidates inside each enlarged box, blurred by one cell."""
    where = assign.places(candidates, boxes, margin)
    box, candidate = np.nonzero(assign.inside(where))
    x, y = (where[box, candidate] * grid[::-1]).astype(int).T
    kinds, scores = candidates[candidate, 0].astype(int), candidates[candidate, 3].astype(np.float32)
    cells = np.zeros((len(where), *grid, count), np.float32)
    np.maximum.at(cells, (box, y, x, kinds), scores)
    down, across = (bells(side, INPUT_SIGMA) for side in grid)
    rows = (down @ cells.reshape(len(cells), grid[0], -1)).reshape(cells.shape)
    return across @ rows


def bells(side: int, sigma: float) -> np.ndarray:
    """Row and column c: the bell of cell c of `side`, with a sum of 1 before the border cuts it: (side, side) float32.

    What lies beyond the border is lost, as with scikit-image's "constant".
    """
    span = np.arange(side)
    apart = np.abs(span[:, None] - span)
    radius = int(REACH * sigma + 0.5)
    total = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).sum()
    return (np.exp(-0.5 * (apart / sigma) ** 2) * (apart <= radius) / total).astype(np.float32)


def windows(maps, kinds, places, side: int = WINDOW) -> np.ndarray:
    """The sums of maps (B, h, w, K) over `side` x `side` cells, cut at the border, around places: (B, N) float64."""
    height, width = maps.shape[1:3]
    total = np.pad(maps, ((0, 0), (1, 0), (1, 0), (0, 0))).cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    x, y = (np.clip(np.floor(places[..., i] * n).astype(int), 0, n - 1) for i, n in enumerate((width, height)))
    left, top = np.maximum(x - side // 2, 0), np.maximum(y - side // 2, 0)
    right, bottom = np.minimum(x + side // 2 + 1, width), np.minimum(y + side // 2 + 1, height)
    boxes = np.arange(len(maps))[:, None]
    others = total[boxes, top, right, kinds] + total[boxes, bottom, left, kinds]
    return np.maximum(total[boxes, bottom, right, kinds] + total[boxes, top, left, kinds] - others, 0)


def network_scores(maps, candidates, boxes, margin: float) -> np.ndarray:
    """The scores of the network's maps (B, h, w, K) of enlarged boxes (B, 4): a window's sum times a keypoint's."""
    where = assign.places(candidates, boxes, margin)
    return windows(maps, candidates[:, 0].astype(int), where) * assign.inside(where) * candidates[:, 3]


def max_scores(candidates, boxes, margin: float) -> np.ndarray:
    """Max: to a box every candidate is worth its own score, wherever it lies."""
    return assign.inside(assign.places(candidates, boxes, margin)) * candidates[:, 3]


def unary_scores(prior, candidates, boxes, margin: float) -> np.ndarray:
    """UCR (equation 2): a candidate's score times the prior (h, w, K) where it lies in the enlarged box."""
    where = assign.places(candidates, boxes, margin)
    return sampled(prior, candidates[:, 0].astype(int), where) * assign.inside(where) * candidates[:, 3]


def prior(places, kinds, size: tuple[int, int], count: int) -> np.ndarray:
    """The map (*size, count) of how often keypoints of each kind (N,) lie where in their person's box: sums of 1.

    `places` (N, 2) are in enlarged boxes; those outside are left out, and half a keypoint is added to every cell.
    """
    known = assign.inside(places)
    cells = np.floor(places[known] * size[::-1]).astype(int)
    counts = np.full((*size, count), 0.5)
    np.add.at(counts, (cells[:, 1], cells[:, 0], kinds[known]), 1)
    return counts / counts.sum(axis=(0, 1))


def sampled(maps, kinds, places) -> np.ndarray:
    """Maps (h, w, K) at places (..., N, 2), each in its kind's channel, bilinear; the border goes on outside."""
    high = np.array(maps.shape[1::-1]) - 1
    cells = np.clip(places * (high + 1) - 0.5, 0, high)
    low = np.minimum(cells.astype(int), np.maximum(high - 1, 0))
    (x, y), (right, down) = np.moveaxis(low, -1, 0), np.moveaxis(cells - low, -1, 0)
    beside, below = np.minimum(x + 1, high[0]), np.minimum(y + 1, high[1])
    upper = (1 - right) * maps[y, x, kinds] + right * maps[y, beside, kinds]
    return (1 - down) * upper + down * ((1 - right) * maps[below, x, kinds] + right * maps[below, beside, kinds])


def shares(scores) -> np.ndarray:
    """What part of a candidate's scores (B, N) is each box's: columns that sum to 1, or to 0 where no box has it."""
    return scores / np.maximum(scores.sum(axis=0), 1e-12)
