"""Chance in training: draws, for the people of one photo, everything that makes a view differ from its box."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

HALF_BODY_PADDING = 1.5  # of the box around half a body's keypoints (the published code's)
ERASED_AREA = (0.02, 0.33)  # of the view (arXiv:1708.04896, section 4)
ERASED_FORM = (-1.2, 1.2)  # the logarithm of height / width: 0.3 to 3.3
LOWER = ("hip", "knee", "ankle")
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


class Draws(NamedTuple):
    """What was drawn for P people: boxes (P, 4) with `padding` (P,) in place, and the rest (P,) or (P, 3, 4).

    `erased` (P, 4) is a rectangle (left, top, right, bottom) in parts of the view, an empty one for none.
    """

    boxes: tf.Tensor
    padding: tf.Tensor
    turn: tf.Tensor
    scale: tf.Tensor
    shift: tf.Tensor
    mirror: tf.Tensor
    colour: tf.Tensor
    erased: tf.Tensor


def none(boxes, padding: float) -> Draws:
    """No chance at all: the boxes as they are."""
    zero = tf.zeros_like(boxes[:, 0])
    colour = tf.tile(tf.eye(3, 4)[None], [tf.shape(boxes)[0], 1, 1])
    still, whole = tf.zeros_like(boxes[:, :2]), tf.zeros_like(boxes)
    return Draws(boxes, zero + padding, zero, zero + 1, still, zero > 1, colour, whole)


def draw(augment, keypoints, boxes, padding: float, skeleton, seed) -> Draws:
    """Draws for people with keypoints (P, K, 3) and boxes (P, 4); `augment` says how strong, `seed` (2,) which."""
    count = tf.shape(boxes)[0]
    chance = tf.random.stateless_uniform([12, count], seed)
    normal = tf.random.stateless_normal([2, count], seed + [0, 1])
    spread = chance[:4] * 2 - 1
    boxes = _extended(augment, boxes, seed + [0, 3])
    boxes, padding = _half_body(augment, keypoints, boxes, padding, skeleton, chance[4], chance[5])
    turn = normal[0] if augment.rotation_kind == "normal" else spread[0]
    turn = tf.clip_by_value(turn * augment.rotation, -augment.rotation_limit, augment.rotation_limit)
    turn = tf.where(chance[6] < augment.rotation_chance, turn, 0.0)
    turn = tf.where(chance[7] < augment.turn_around_chance, spread[1] * 180, turn)
    low, high = augment.scale
    scale = normal[1] if augment.scale_kind == "normal" else spread[2]
    # The published code scales the box, so a scale above one shows the person smaller.
    scale = 1 / tf.clip_by_value((low + high) / 2 + scale * (high - low) / 2, low, high)
    shift = tf.stack([spread[3], chance[8] * 2 - 1], axis=1) * augment.shift
    colour, erased = _colour(augment, count, seed + [0, 2]), _erased(augment, count, seed + [0, 4])
    return Draws(boxes, padding, turn, scale, shift, chance[9] < augment.mirror, colour, erased)


def _extended(augment, boxes, seed):
    """Boxes (P, 4) that have grown about their centres, in width and in height."""
    if not any(augment.extension):
        return boxes
    growth = boxes[:, 2:] * tf.random.stateless_uniform(tf.shape(boxes[:, 2:]), seed) * augment.extension
    return tf.concat([boxes[:, :2] - growth / 2, boxes[:, 2:] + growth], axis=1)


def _half_body(augment, keypoints, boxes, padding, skeleton, chance, which):
    """Boxes and paddings, some of them of the upper or the lower half of a body alone."""
    padding = tf.fill(tf.shape(boxes)[:1], padding)
    if augment.half_body == 0:
        return boxes, padding
    lower = np.array([name.endswith(LOWER) for name in skeleton.keypoints])
    known = keypoints[..., 2] > 0
    upper_known, lower_known = known & ~lower, known & lower
    enough = [tf.reduce_sum(tf.cast(k, tf.int32), axis=1) > 2 for k in (upper_known, lower_known)]
    upper = (enough[0] & (which < 0.5)) | ~enough[1]
    chosen = tf.where(upper[:, None], upper_known, lower_known)
    labelled = tf.reduce_sum(tf.cast(known, tf.int32), axis=1)
    taken = (chance < augment.half_body) & (labelled > augment.half_body_keypoints) & (enough[0] | enough[1])
    points, far = keypoints[..., :2], 1e9
    low = tf.reduce_min(tf.where(chosen[..., None], points, far), axis=1)
    high = tf.reduce_max(tf.where(chosen[..., None], points, -far), axis=1)
    halves = tf.concat([low, high - low], axis=1)
    return tf.where(taken[:, None], halves, boxes), tf.where(taken, HALF_BODY_PADDING, padding)


def _erased(augment, count, seed):
    """Rectangles (P, 4) in parts of the view, of the areas and forms that the method's authors draw; some empty."""
    chance = tf.random.stateless_uniform([count, 5], seed)
    area, form = ((low + (high - low) * chance[:, i]) for i, (low, high) in enumerate((ERASED_AREA, ERASED_FORM)))
    sides = tf.minimum(tf.sqrt(tf.stack([area / tf.exp(form), area * tf.exp(form)], axis=1)), 1.0)
    corner = chance[:, 2:4] * (1 - sides)
    taken = tf.cast(chance[:, 4:] < augment.erase, tf.float32)
    return tf.concat([corner, corner + sides], axis=1) * taken


def _colour(augment, count, seed):
    """One affine map of RGB a person, (P, 3, 4): saturation, contrast about mid-grey, brightness."""
    strengths = (augment.saturation, augment.contrast, augment.brightness)
    if not any(strengths):
        return tf.tile(tf.eye(3, 4)[None], [count, 1, 1])
    chance = tf.random.stateless_uniform([3, count, 1, 1], seed, -1.0, 1.0)
    saturation, contrast, brightness = (chance[i] * s for i, s in enumerate(strengths))
    grey = tf.tile(tf.constant(_GREY)[None], [3, 1])
    linear = ((1 + saturation) * tf.eye(3) - saturation * grey) * (1 + contrast)
    offset = tf.ones([3, 1]) * (brightness * 255 - contrast * 127.5)
    return tf.concat([linear, offset], axis=-1)
