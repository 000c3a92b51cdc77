"""Heatmaps as CPN, MSPN and RSN draw them: a keypoint's cell alone, smoothed as OpenCV does, peak 1."""

import numpy as np
import tensorflow as tf

# What OpenCV takes for its narrow kernels, in 16ths and 64ths; wider ones follow a formula.
FIXED = {5: (1, 4, 6, 4, 1), 7: (2, 7, 14, 18, 14, 7, 2)}


def heatmaps(keypoints, grid, stride, width):
    """The heatmaps (..., h, w, K) float32 of keypoints (..., K, 3) in view pixels, smoothed over `width` cells, odd.

    A keypoint that is absent or outside the view draws nothing. Beyond the border the map is mirrored, as OpenCV does:
    of a keypoint one cell away from it the border's cell may become the largest, as in the published code.
    """
    x, y = _cells(keypoints, stride)
    known = weights(keypoints, grid, stride)
    across, down = (
        tf.gather(tf.constant(_bells(width, side)), tf.clip_by_value(c, 0, side - 1))
        for c, side in ((x, grid[1]), (y, grid[0]))
    )  # (..., K, w), (..., K, h)
    across, down = (tf.linalg.matrix_transpose(a) for a in (across * known[..., None], down))
    return down[..., :, None, :] * across[..., None, :, :]


def weights(keypoints, grid, stride):
    """1 for each keypoint (..., K) that is labelled and lies in the view, else 0; float32."""
    x, y = _cells(keypoints, stride)
    inside = (x >= 0) & (y >= 0) & (x < grid[1]) & (y < grid[0])
    return tf.cast(inside & (keypoints[..., 2] > 0), tf.float32)


def visible(keypoints):
    """Keypoints (..., K, 3) of which those that are hidden are absent."""
    return tf.where(keypoints[..., 2:] > 1, keypoints, 0.0)


def _cells(keypoints, stride):
    # The cell that a keypoint lies in: the published floor(x / stride), whose x counts from the first pixel's edge.
    cells = tf.floor((tf.cast(keypoints[..., :2], tf.float32) + 0.5) / stride)
    return tf.unstack(tf.cast(cells, tf.int32), axis=-1)


def _bells(width, side):
    # Row c is cell c of `side`, smoothed. One axis is enough: the kernel is a product, and so is the largest value.
    radius = width // 2
    mirrored = np.pad(np.eye(side), ((0, 0), (radius, radius)), mode="reflect")
    rows = np.stack([mirrored[:, i : i + width] @ _kernel(width) for i in range(side)], axis=1)
    return (rows / rows.max(axis=1, keepdims=True)).astype(np.float32)


def _kernel(width):
    span = np.arange(width) - width // 2
    weights = FIXED.get(width) or np.exp(-(span**2) / (2 * (0.15 * width + 0.35) ** 2))
    return np.array(weights) / np.sum(weights)
