"""The maps that a perfect network gives, in NumPy and without rounding: what encoding and decoding alone can do."""

import numpy as np

from tfpose import geometry


def drawn(keypoints: np.ndarray, pairs: np.ndarray, grid: tuple[int, int], *, stride=8, sigma=7.0, reach=8.0):
    """Heatmaps (h, w, K + 1) and fields (h, w, 2L) float32 of people (P, K, 3) in view pixels, limbs `pairs` (L, 2).

    `sigma` is that of the Gaussians, `reach` the half-width of a limb, both in view pixels. A limb ends round, `reach`
    beyond its keypoints: between them alone a limb shorter than a cell, as in most faces, would often have no cell.
    """
    points = geometry.stride(stride).apply(keypoints[..., :2])
    known = keypoints[..., 2] > 0
    total, count = np.zeros((*grid, len(pairs), 2)), np.zeros((*grid, len(pairs), 1))
    for person, there in zip(points, known):
        for limb in np.flatnonzero(there[pairs].all(axis=1)):
            rows, columns, unit = _limb(*person[pairs[limb]], reach / stride, grid)
            total[rows, columns, limb] += unit
            count[rows, columns, limb] += 1
    pafs = (total / np.maximum(count, 1)).reshape(*grid, -1).astype(np.float32)
    return _heatmaps(points, known, grid, sigma / stride), pafs


def _heatmaps(points: np.ndarray, known: np.ndarray, grid: tuple[int, int], sigma: float) -> np.ndarray:
    across, down = (
        np.exp(-((points[..., i, None] - np.arange(grid[1 - i])) ** 2) / (2 * sigma**2)) for i in (0, 1)
    )  # (P, K, w), (P, K, h)
    heatmaps = np.zeros((*grid, points.shape[1] + 1), np.float32)
    for x, y, there in zip(across, down, known):
        people = (y * there[:, None]).T[:, None] * x.T
        np.maximum(heatmaps[..., :-1], people, out=heatmaps[..., :-1])
    heatmaps[..., -1] = 1 - heatmaps[..., :-1].max(axis=-1)
    return heatmaps


def _limb(start: np.ndarray, end: np.ndarray, reach: float, grid: tuple[int, int]) -> tuple:
    # The rows and columns of the cells within reach of the line from start to end, and its direction (2,).
    low = np.maximum(np.floor(np.minimum(start, end) - reach), 0).astype(int)
    high = np.minimum(np.ceil(np.maximum(start, end) + reach) + 1, (grid[1], grid[0])).astype(int)
    columns, rows = np.mgrid[low[0] : high[0], low[1] : high[1]].reshape(2, -1)
    length = max(np.hypot(*(end - start)), 1e-6)
    unit = (end - start) / length
    beside = np.stack([columns, rows], axis=-1) - start
    along = np.clip(beside @ unit, 0, length)
    near = np.hypot(*(beside - along[:, None] * unit).T) <= reach
    return rows[near], columns[near], unit


def standing(count: int, view: tuple[int, int], body: np.ndarray, seed: int = 0) -> np.ndarray:
    """People (count, K, 3) side by side in rows across a view (height, width), each a `body` (K, 2) of height 1."""
    draw = np.random.default_rng(seed)
    across = min(int(np.ceil(np.sqrt(2.5 * count * view[1] / view[0]))), count)
    down = -(-count // across)
    height = min(0.9 * view[0] / down, 2 * view[1] / across)
    place = np.arange(count)
    middles = np.stack([(place % across + 0.5) * view[1] / across, (place // across + 0.5) * view[0] / down], axis=-1)
    points = middles[:, None] + height * (body - [0, 0.5] + draw.normal(0, 0.01, (count, *body.shape)))
    return np.insert(points, 2, 2, axis=-1)
