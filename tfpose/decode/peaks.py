"""Where a heatmap has its peak: the largest cell, then a fraction of a cell from the values around it.

A refinement takes heatmaps (N, h, w, K) with their largest cells and returns offsets (N, K, 2) in cells, x then y.
At the border the formulas are taken around the nearest cell that has all its neighbours; on a Gaussian, whose logarithm
is one parabola everywhere, that changes nothing.
"""

import functools

import numpy as np

# Below this a value says nothing; it also makes zeros and the negatives of a quantized file safe to take the log of.
FLOOR = 1e-10
# OpenCV's Gaussians over 3, 5 and 7 cells, in 64ths: cv2.getGaussianKernel(width, 0).
SMALL = {1: (16, 32, 16), 2: (4, 16, 24, 16, 4), 3: (2, 7, 14, 18, 14, 7, 2)}
# A peak is never moved further than this, in cells: what lies beyond is noise on a flat map.
LIMIT = 1.0


def largest(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells (N, K, 2), x then y, of the largest value of each heatmap (N, h, w, K), and these values (N, K)."""
    count, _, width, channels = heatmaps.shape
    rows = heatmaps.reshape(count, -1, channels)
    best = rows.argmax(axis=1)
    values = np.take_along_axis(rows, best[:, None], axis=1)[:, 0]
    return np.stack([best % width, best // width], axis=-1), values


def none(heatmaps: np.ndarray, cells: np.ndarray, blur: int) -> np.ndarray:  # noqa: ARG001
    """No offset: the centre of the cell."""
    return np.zeros(cells.shape)


def quarter(heatmaps: np.ndarray, cells: np.ndarray, blur: int) -> np.ndarray:  # noqa: ARG001
    """A quarter of a cell towards the larger neighbour in x and in y (Newell et al. 2016); nothing at the border."""
    around = window(heatmaps, cells, 1)
    change = np.stack([around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]], axis=-1)
    inside = (cells > 0) & (cells < _extent(heatmaps) - 1)
    return 0.25 * np.sign(change) * inside


def second(heatmaps: np.ndarray, cells: np.ndarray, blur: int) -> np.ndarray:  # noqa: ARG001
    """A quarter of a cell towards the cell with the second largest value of the whole map (Chen et al. 2018, CPN)."""
    rows = heatmaps.reshape(len(heatmaps), -1, heatmaps.shape[3]).copy()
    np.put_along_axis(rows, (cells[..., 1] * heatmaps.shape[2] + cells[..., 0])[:, None], -np.inf, axis=1)
    towards = largest(rows.reshape(heatmaps.shape))[0] - cells
    return 0.25 * towards / np.hypot(*np.moveaxis(towards, -1, 0))[..., None]


def parabola(heatmaps: np.ndarray, cells: np.ndarray, blur: int) -> np.ndarray:  # noqa: ARG001
    """The top of the parabola through the logarithms of three cells, in x and in y: exact on a Gaussian."""
    middle = np.clip(cells, 1, _extent(heatmaps) - 2)
    log = np.log(np.maximum(window(heatmaps, middle, 1), FLOOR))
    slope, curve = _slopes(log), np.stack([_second(log[..., 1, :], 1), _second(log[..., :, 1], 1)], axis=-1)
    top = np.where(curve < 0, -slope / np.where(curve < 0, curve, -1), 0)
    return np.clip(middle + top - cells, -LIMIT, LIMIT)


def dark(heatmaps: np.ndarray, cells: np.ndarray, blur: int) -> np.ndarray:
    """The top of the log heatmap's second-order Taylor expansion: exact on a Gaussian (Zhang et al. 2020, DARK, Eq. 9).

    `blur` is the width in cells of the Gaussian that smooths the map first (0: none), only the cells around the peak.
    """
    middle = np.clip(cells, 2, _extent(heatmaps) - 3)
    log = np.log(np.maximum(_blurred(heatmaps, middle, blur), FLOOR))
    dx, dy = np.moveaxis(_slopes(log[..., 1:-1, 1:-1]), -1, 0)
    # Two cells away, as in the paper: less is lost to the grey levels of an int8 map than with the nearest cells.
    dxx, dyy = _second(log[..., 2, :], 2), _second(log[..., :, 2], 2)
    dxy = (log[..., 3, 3] - log[..., 3, 1] - log[..., 1, 3] + log[..., 1, 1]) / 4
    determinant = dxx * dyy - dxy * dxy
    # Only a hill has a top; on a saddle, a ridge or a plain the cell stays.
    hill = (determinant > 0) & (dxx < 0)
    top = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1) / np.where(hill, determinant, 1)[..., None]
    return np.where(hill[..., None], np.clip(middle + top - cells, -LIMIT, LIMIT), 0)


REFINEMENTS = {"none": none, "quarter": quarter, "second": second, "parabola": parabola, "dark": dark}


def smoothed(heatmaps: np.ndarray, width: int) -> np.ndarray:
    """Heatmaps (N, h, w, K) smoothed by a Gaussian over `width` cells, odd; beyond the border they are 0.

    Its deviation is the one that OpenCV takes for that width, as RSN's and CPN's authors do before they look for peaks.
    """
    down, across = (band(side, width // 2).astype(heatmaps.dtype) for side in heatmaps.shape[1:3])
    count, height, columns, channels = heatmaps.shape
    rows = down @ heatmaps.reshape(count, height, columns * channels)
    return across @ rows.reshape(heatmaps.shape)


@functools.cache
def band(side: int, radius: int) -> np.ndarray:
    """The matrix (side, side) that smooths `side` cells by a Gaussian over 2 * radius + 1: row i gathers around i."""
    weights = _gaussian(radius)
    rows = np.zeros((side, side + 2 * radius))
    for i in range(side):
        rows[i, i : i + 2 * radius + 1] = weights
    return rows[:, radius : radius + side]


def window(heatmaps: np.ndarray, cells: np.ndarray, radius: int) -> np.ndarray:
    """The values (N, K, 2r+1, 2r+1) float64, rows then columns, around one cell of each map; edges repeat."""
    count, height, width, channels = heatmaps.shape
    span = np.arange(-radius, radius + 1)
    columns = np.clip(cells[..., :1] + span, 0, width - 1)
    rows = np.clip(cells[..., 1:] + span, 0, height - 1) + (np.arange(count) * height)[:, None, None]
    flat = (rows[..., :, None] * width + columns[..., None, :]) * channels + np.arange(channels)[:, None, None]
    return np.take(heatmaps.reshape(-1), flat).astype(np.float64)


@functools.cache
def smoothers(width: int) -> np.ndarray:
    """Matrices (1 + width // 2, 5, 4 + width) that smooth 4 + width cells to their middle 5, `width` odd.

    Matrix r is a Gaussian over 2r + 1 cells, of the deviation that OpenCV takes for that width, as DARK's authors do.
    """
    return np.stack([_smoother(r, width // 2) for r in range(1 + width // 2)])


def _gaussian(radius: int) -> np.ndarray:
    # The weights that OpenCV takes for a kernel of this width, the smallest from its table.
    if radius in SMALL:
        return np.array(SMALL[radius]) / 64
    span = np.arange(-radius, radius + 1)
    weights = np.exp(-(span**2) / (2 * (0.3 * radius + 0.5) ** 2))
    return weights / weights.sum()


def _smoother(radius: int, most: int) -> np.ndarray:
    weights = np.pad(_gaussian(radius), most - radius)
    return np.stack([np.pad(weights, (i, 4 - i)) for i in range(5)])


def _blurred(heatmaps: np.ndarray, middle: np.ndarray, blur: int) -> np.ndarray:
    # The 5 x 5 cells around each middle, smoothed where a blur is asked for.
    if not blur:
        return window(heatmaps, middle, 2)
    around = window(heatmaps, middle, 2 + blur // 2)
    # Towards the border the kernel narrows, axis by axis: half a kernel would push the peak inwards.
    radius = np.minimum(np.minimum(middle, _extent(heatmaps) - 1 - middle) - 2, blur // 2)
    across, down = smoothers(blur)[radius[..., 0]], smoothers(blur)[radius[..., 1]]
    return down @ around @ np.swapaxes(across, -1, -2)


def _slopes(log: np.ndarray) -> np.ndarray:
    # The first derivatives (..., 2), x then y, in the middle of 3 x 3 values.
    return np.stack([log[..., 1, 2] - log[..., 1, 0], log[..., 2, 1] - log[..., 0, 1]], axis=-1) / 2


def _second(line: np.ndarray, step: int) -> np.ndarray:
    middle = line.shape[-1] // 2
    return (line[..., middle + step] - 2 * line[..., middle] + line[..., middle - step]) / step**2


def _extent(heatmaps: np.ndarray) -> np.ndarray:
    return np.array([heatmaps.shape[2], heatmaps.shape[1]])
