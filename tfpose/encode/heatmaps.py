"""Heatmaps: one Gaussian per keypoint, peak 1, on a grid of cells."""

import tensorflow as tf

REACH = 3.0  # standard deviations: beyond, the published code draws nothing


def heatmaps(keypoints, grid, stride, sigma, *, centre="exact"):
    """The heatmaps (..., h, w, K) float32 of keypoints (..., K, 3) in view pixels; an absent keypoint draws nothing.

    `sigma` is in cells. `centre` "exact" keeps a Gaussian where its keypoint is, and whole, so that any decoder finds
    it there again (Huang et al. 2020, UDP); "cell" moves it to the nearest cell and cuts it off (Xiao et al. 2018).
    """
    x, y, known = _cells(keypoints, stride, centre)
    reach = REACH * sigma if centre == "cell" else float("inf")
    across = _bell(tf.range(grid[1], dtype=tf.float32), x, sigma, reach) * known[..., None]  # (..., K, w)
    down = _bell(tf.range(grid[0], dtype=tf.float32), y, sigma, reach)  # (..., K, h)
    across, down = (tf.linalg.matrix_transpose(a) for a in (across, down))
    return down[..., :, None, :] * across[..., None, :, :]


def weights(keypoints, grid, stride, sigma):
    """1 for each keypoint (..., K) that is labelled and whose Gaussian touches the grid, else 0; float32."""
    x, y, known = _cells(keypoints, stride, "cell")
    reach = REACH * sigma
    inside = (x >= -reach) & (y >= -reach) & (x < grid[1] + reach) & (y < grid[0] + reach)
    return known * tf.cast(inside, tf.float32)


def _cells(keypoints, stride, centre):
    x, y, visibility = tf.unstack(tf.cast(keypoints, tf.float32), axis=-1)
    x, y = ((c + 0.5) / stride - 0.5 for c in (x, y))
    if centre == "cell":
        x, y = (tf.floor(c + 0.5) for c in (x, y))
    return x, y, tf.cast(visibility > 0, tf.float32)


def _bell(cells, centres, sigma, reach):
    distance = tf.abs(cells - centres[..., None])
    return tf.where(distance <= reach, tf.exp(-tf.square(distance) / (2 * sigma**2)), 0.0)
