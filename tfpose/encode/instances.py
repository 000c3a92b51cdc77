"""Candidate keypoints of an image and boxes -> the maps that the Pose Residual Network sees, and those it is to return.

TensorFlow ops. Candidates are (..., N, 4): kind, x, y, score, of which a score of 0 marks a row that is not used;
boxes (..., B, 4) have their edges on pixel corners.
"""

import numpy as np
import tensorflow as tf

INPUT_SIGMA, TARGET_SIGMA = 1.0, 2.0  # cells: the public code of the Pose Residual Network
REACH = 4.0  # standard deviations after which a bell is cut: scikit-image's


def enlarged(boxes, margin):
    """Boxes (..., B, 4) with `margin` of their width and height more on every side."""
    return tf.concat([boxes[..., :2] - margin * boxes[..., 2:], (1 + 2 * margin) * boxes[..., 2:]], axis=-1)


def inputs(candidates, boxes, grid, margin, keypoints):
    """The maps (..., B, h, w, keypoints) float32 of the candidates inside each enlarged box, blurred by one cell."""
    return _blurred(_cells(candidates, enlarged(boxes, margin), grid, keypoints), INPUT_SIGMA)


def targets(keypoints, boxes, grid, margin):
    """The maps (..., B, h, w, K) float32 of each box's own keypoints (..., B, K, 3), blurred by two cells.

    Bells keep their sum of 1 and not a peak of 1; beyond the border of the grid they are cut.
    """
    kinds = tf.broadcast_to(tf.range(keypoints.shape[-2], dtype=tf.float32), tf.shape(keypoints)[:-1])
    known = tf.cast(keypoints[..., 2] > 0, tf.float32)
    own = tf.stack([kinds, keypoints[..., 0], keypoints[..., 1], known], axis=-1)  # every box has its own candidates
    maps = _cells(own, enlarged(boxes, margin)[..., None, :], grid, keypoints.shape[-2])
    return _blurred(maps, TARGET_SIGMA)[..., 0, :, :, :]


def _cells(candidates, boxes, grid, keypoints):
    """The largest score in each cell, (..., B, h, w, keypoints)."""
    size = tf.constant(grid[::-1], tf.float32)
    place = (candidates[..., None, :, 1:3] + 0.5 - boxes[..., None, :2]) / tf.maximum(boxes[..., None, 2:], 1e-6)
    cell = tf.floor(place * size)  # (..., B, N, 2)
    there = tf.reduce_all((cell >= 0) & (cell < size), axis=-1)
    score = tf.where(there, candidates[..., None, :, 3], 0.0)
    kind = tf.broadcast_to(candidates[..., None, :, 0], tf.shape(score))
    index = tf.cast((cell[..., 1] * grid[1] + cell[..., 0]) * keypoints + kind, tf.int32)
    shape, area = tf.shape(score), grid[0] * grid[1] * keypoints
    box = tf.reshape(tf.range(tf.reduce_prod(shape[:-1])), tf.concat([shape[:-1], [1]], axis=0))
    index = tf.where(score > 0, box * area + index, 0)
    maps = tf.zeros([tf.reduce_prod(shape[:-1]) * area])
    maps = tf.tensor_scatter_nd_max(maps, tf.reshape(index, [-1, 1]), tf.reshape(score, [-1]))
    return tf.reshape(maps, tf.concat([shape[:-1], [*grid, keypoints]], axis=0))


def _blurred(maps, sigma):
    down, across = (tf.constant(_bells(side, sigma)) for side in maps.shape[-3:-1])
    return tf.einsum("ay,...yxk,xb->...abk", down, maps, across)


def _bells(side, sigma):
    # Row and column c: the bell of cell c. What lies beyond the border is lost, as with scikit-image's "constant".
    span = np.arange(side)
    apart = np.abs(span[:, None] - span)
    radius = int(REACH * sigma + 0.5)
    total = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).sum()
    return (np.exp(-0.5 * (apart / sigma) ** 2) * (apart <= radius) / total).astype(np.float32)
