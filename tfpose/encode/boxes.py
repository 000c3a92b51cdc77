"""Boxes: which anchors a person detector is to find somebody by, and how far each of them is from the person's box.

All that says how anchors are taught is in this file, so that another library's encoding can take its place. The rules
are RetinaNet's as keras-retinanet has them: an anchor is somebody's where their overlap is at least 0.5, nobody's where
it is below 0.4 with everybody, and not taught between. No person is given an anchor by force.
"""

import numpy as np
import tensorflow as tf

from tfpose.anchors import STD

POSITIVE, NEGATIVE = 0.5, 0.4  # intersection over union
COVERED = 0.5  # of an anchor's part in the view


def boxes(people, ignore, anchors, stride):
    """Codes (B, A, 4) and states (B, A, 1) float32 of anchors (A, 4), for people's boxes (B, P, 4) in view pixels.

    A state is 1 for an anchor of a person, 0 for background, -1 for neither; a code is 0 where the state is not 1. A
    box without area is nobody. `ignore` (B, h, w) is 1 in the cells, `stride` pixels each, where nothing is known: an
    anchor of which they cover half is not background.
    """
    people = tf.pad(tf.cast(people, tf.float32), [[0, 0], [0, 1], [0, 0]])  # nobody, so that there is a largest
    alike = overlaps(people, anchors)
    best = tf.reduce_max(alike, axis=1)  # (B, A)
    matched = tf.gather(people, tf.argmax(alike, axis=1, output_type=tf.int32), batch_dims=1)  # (B, A, 4)
    found = best >= POSITIVE
    unsure = (best >= NEGATIVE) | (coverage(ignore, anchors, stride) >= COVERED)
    states = tf.where(found, 1.0, tf.where(unsure, -1.0, 0.0))
    return tf.where(found[..., None], codes(matched, anchors), 0.0), states[..., None]


def codes(people, anchors):
    """Where boxes (..., A, 4) have their corners from those of anchors (A, 4): (..., A, 4), left, top, right, bottom.

    The unit is a fifth of the anchor's width or height: the codes of matched anchors then have a deviation of about 1.
    """
    unit = STD * anchors[:, 2:]
    low = (people[..., :2] - anchors[:, :2]) / unit
    return tf.concat([low, low + (people[..., 2:] - anchors[:, 2:]) / unit], axis=-1)


def overlaps(people, anchors):
    """The intersection over union (B, P, A) of boxes (B, P, 4) with anchors (A, 4)."""
    x, y, w, h = tf.unstack(people[..., None], axis=2)  # (B, P, 1)
    left, top, wide, high = np.asarray(anchors).T  # (A,)
    across = tf.minimum(x + w, left + wide) - tf.maximum(x, left)
    down = tf.minimum(y + h, top + high) - tf.maximum(y, top)
    both = tf.nn.relu(across) * tf.nn.relu(down)
    return both / (w * h + wide * high - both)


def coverage(mask, anchors, stride):
    """The share (B, A) of the cells of anchors (A, 4) that are 1 in a mask (B, h, w); 0 for one outside the view."""
    height, width = mask.shape[1:]
    corners = np.stack([anchors[:, :2], anchors[:, :2] + anchors[:, 2:]]) / stride
    (left, top), (right, bottom) = (np.rint(c).astype(np.int32).clip(0, (width, height)).T for c in corners)
    sums = tf.pad(tf.cumsum(tf.cumsum(mask, axis=1), axis=2), [[0, 0], [1, 0], [1, 0]])
    sums = tf.reshape(sums, [-1, (height + 1) * (width + 1)])

    def before(y, x):
        return tf.gather(sums, y * (width + 1) + x, axis=1)

    inside = before(bottom, right) - before(top, right) - before(bottom, left) + before(top, left)
    return inside / np.maximum((right - left) * (bottom - top), 1).astype(np.float32)
