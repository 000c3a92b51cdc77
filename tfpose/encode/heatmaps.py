"""Heatmaps: one Gaussian per keypoint, peak 1, on a grid of cells."""

import tensorflow as tf

REACH = 3.0  # standard deviations: beyond, the published code draws nothing
WHOLE = 5.0  # standard deviations: beyond, a Gaussian is below 4e-6


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


def people(keypoints, grid, stride, sigma):
    """The heatmaps (B, h, w, K + 1) float32 of people's keypoints (B, P, K, 3) in view pixels, and the background last.

    Where people's Gaussians meet the larger counts, not their mean or sum, so that each keeps its own peak (Cao et al.
    2017, section 2.2). Their centres are exact and their ends out of sight: cut at 1 %, as in the published code, a
    Gaussian ends in a step that a network has to learn. The background is 1 less the largest of all types.
    """
    x, y, known = _cells(keypoints, stride, "exact")
    reach = WHOLE * sigma
    near = (x >= -reach) & (y >= -reach) & (x <= grid[1] - 1 + reach) & (y <= grid[0] - 1 + reach) & (known > 0)
    view, _, kind = tf.unstack(tf.cast(tf.where(near), tf.int32)[..., None], axis=1)  # (N, 1)
    columns, across = _patch(tf.boolean_mask(x, near), grid[1], sigma, reach)  # (N, c)
    rows, down = _patch(tf.boolean_mask(y, near), grid[0], sigma, reach)
    kinds = keypoints.shape[-2]
    place = ((view * grid[0] + rows) * grid[1] * kinds)[:, :, None] + (columns * kinds + kind)[:, None, :]
    places = tf.shape(keypoints)[0] * grid[0] * grid[1] * kinds
    maps = tf.math.unsorted_segment_max(down[:, :, None] * across[:, None, :], place, places)
    # Where nobody is there is the largest of nothing, which TensorFlow puts below every number.
    maps = tf.reshape(tf.maximum(maps, 0.0), [-1, *grid, kinds])
    return tf.concat([maps, 1 - tf.reduce_max(maps, axis=-1, keepdims=True)], axis=-1)


def _patch(centres, side, sigma, reach):
    # The cells (N, c) within `reach` of centres (N,), moved onto the grid where they are not, and their bells: 0 there.
    cells = tf.math.ceil(centres - reach)[:, None] + tf.range(int(2 * reach) + 1, dtype=tf.float32)
    inside = (cells >= 0) & (cells < side)
    bells = tf.where(inside, tf.exp(-tf.square(cells - centres[:, None]) / (2 * sigma**2)), 0.0)
    return tf.cast(tf.clip_by_value(cells, 0, side - 1), tf.int32), bells


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
