"""Candidate keypoints of an image and boxes -> what the networks see that say whose they are, and what they are taught.

TensorFlow ops. Candidates are (..., N, 4): kind, x, y, score, of which a score of 0 marks a row that is not used;
boxes (..., B, 4) have their edges on pixel corners, and no area where there is nobody.
"""

import tensorflow as tf

from tfpose.decode.prn import INPUT_SIGMA, bells

TARGET_SIGMA = 2.0  # cells: the public code of the Pose Residual Network


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


def seen(candidates, boxes, margin, keypoints) -> dict:
    """What `models.assignment` sees of candidates (B, N, 4) and boxes (B, P, 4): zeros for rows that are not used."""
    frames = enlarged(boxes, margin)[:, :, None]
    places = (candidates[:, None, :, 1:3] + 0.5 - frames[..., :2]) / tf.maximum(frames[..., 2:], 1e-6)  # B,P,N,2
    used, somebody = candidates[..., 3] > 0, tf.reduce_min(boxes[..., 2:], axis=-1) > 0
    there = somebody[:, :, None] & used[:, None]
    inside = there & tf.reduce_all((places >= 0) & (places < 1), axis=-1)
    shapes = tf.math.log(tf.maximum(boxes[..., 3:], 1) / tf.maximum(boxes[..., 2:3], 1))
    return {
        "places": tf.where(there[..., None], tf.clip_by_value(places, 0, 1), 0.0),
        "kinds": tf.where(used[..., None], tf.one_hot(tf.cast(candidates[..., 0], tf.int32), keypoints), 0.0),
        "inside": tf.cast(inside, tf.float32),
        "shapes": tf.where(somebody[..., None], shapes, 0.0),
    }


def owned(owners, inside):
    """1 where a candidate inside a box is the box's own, (B, P, N) float32; owners (B, N) are boxes, -1 for nobody."""
    mine = owners[:, None] == tf.range(tf.shape(inside)[1], dtype=owners.dtype)[:, None]
    return tf.cast(mine, tf.float32) * inside


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
    down, across = (tf.constant(bells(side, sigma)) for side in maps.shape[-3:-1])
    return tf.einsum("ay,...yxk,xb->...abk", down, maps, across)
