"""A person detector's boxes, and the maps in each, as TensorFlow operations: `decode/boxes.py` with fixed numbers.

Every operation is one that LiteRT has built in. In shapes A is the number of anchors, N that of the boxes asked for.
"""

import math

import tensorflow as tf

from tfpose.anchors import STD
from tfpose.decode.boxes import CANDIDATES, OVERLAP, SCORE

NOBODY = -1e9  # the rank of an anchor that is nobody's


def detections(codes, logits, anchors, size, *, most, score=SCORE, overlap=OVERLAP) -> tuple:
    """Boxes (N, 4), scores (N,) and their count () int32 of one view's codes (A, 4) and logits (A, 1), best first.

    N is `most`; from the count on boxes and scores are zeros. `size` (height, width) is the view's, `anchors` (A, 4)
    those of that size; the rules are those of `decode.boxes.detections`.
    """
    ranks, best = tf.math.top_k(logits[:, 0], min(CANDIDATES, len(anchors)))
    boxes = _boxes(tf.gather(codes, best), tf.gather(tf.constant(anchors), best), size)
    there = (tf.reduce_min(boxes[:, 2:], axis=1) > 0) & (ranks > _logit(score))
    order = _ranked(boxes, tf.where(there, ranks, NOBODY))
    boxes, ranks, there = (tf.gather(values, order) for values in (boxes, ranks, there))
    places = tf.range(len(anchors[:CANDIDATES]), dtype=tf.float32)
    # Places instead of scores: of two that are equal the operation would take either.
    stay, count = tf.raw_ops.NonMaxSuppressionV4(
        boxes=tf.concat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        scores=tf.where(there, -places, NOBODY),
        max_output_size=most,
        iou_threshold=overlap,
        score_threshold=NOBODY / 2,
        pad_to_max_output_size=True,
    )
    # A fixed number of places, filled with the first candidate where fewer boxes stay.
    known = tf.cast(tf.range(most) < count, tf.float32)
    return tf.gather(boxes, stay) * known[:, None], tf.sigmoid(tf.gather(ranks, stay)) * known, count


def _logit(score: float) -> float:
    return math.log(score / (1 - score)) if score > 0 else NOBODY / 2


def _boxes(codes, anchors, size):
    """The boxes (C, 4) of codes and anchors (C, 4), cut to the view: bit for bit those of NumPy, so that ties stay."""
    unit = STD * anchors[:, 2:]
    start, end = unit * codes[:, :2], unit * codes[:, 2:]
    limits = tf.constant(size[::-1], tf.float32)
    low = anchors[:, :2] + start
    high = low + (anchors[:, 2:] + end - start)
    low = tf.clip_by_value(low, 0.0, limits)
    return tf.concat([low, tf.minimum(tf.maximum(high, low), limits) - low], axis=1)


def _ranked(boxes, ranks):
    """The order (C,) of boxes (C, 4) by rank, of equal ranks by the box: sorted by one key after the other."""
    order = tf.range(ranks.shape[0])
    for key in (*(-boxes[:, i] for i in range(4)), ranks):
        order = tf.gather(order, tf.math.top_k(tf.gather(key, order), ranks.shape[0]).indices)
    return order


def crops(maps, boxes, grid, stride):
    """Maps (h, w, C) under each box (N, 4), brought to a `grid` (height, width): (N, *grid, C), as `decode.boxes`."""
    height, width, channels = maps.shape
    across, down = (_hats(boxes[:, i], boxes[:, 2 + i], grid[1 - i], (width, height)[i], stride) for i in (0, 1))
    rows = tf.linalg.matmul(tf.reshape(down, [-1, height]), tf.reshape(maps, [height, width * channels]))
    rows = tf.reshape(rows, [-1, grid[0], width, channels])  # (N, grid height, w, C)
    return tf.linalg.matmul(across[:, None], rows)


def _hats(starts, sides, count, cells, stride):
    ways = (tf.range(count, dtype=tf.float32) + 0.5) / count
    places = (starts[:, None] + sides[:, None] * ways) / stride - 0.5  # from pixel corners to centres of cells
    return tf.nn.relu(1 - tf.abs(places[..., None] - tf.range(cells, dtype=tf.float32)))
