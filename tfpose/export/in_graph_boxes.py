"""A person detector's boxes, and the maps in each, as TensorFlow operations: `decode/boxes.py` with fixed numbers.

Every operation is one that LiteRT has built in. In shapes A is the number of anchors, N that of the boxes asked for.
"""

import tensorflow as tf

from tfpose.anchors import STD
from tfpose.decode.boxes import CANDIDATES, OVERLAP, SCORE

NOBODY = -1e9  # the rank of an anchor that is not looked at


def detections(codes, logits, anchors, size, *, most, score=SCORE, overlap=OVERLAP) -> tuple:
    """Boxes (N, 4), scores (N,) and their count () int32 of one view's codes (A, 4) and logits (A, 1), best first.

    N is `most`; from the count on boxes and scores are zeros. `size` (height, width) is the view's, `anchors` (A, 4)
    those of that size; the rules are those of `decode.boxes.detections`.
    """
    corners = _corners(codes, anchors, size)  # (A, 4)
    there = tf.reduce_min(corners[:, 2:] - corners[:, :2], axis=1) > 0
    ranks = tf.where(there, logits[:, 0], NOBODY)
    ranks, best = tf.math.top_k(ranks, min(CANDIDATES, len(anchors)))
    corners = tf.gather(corners, best)
    threshold = tf.maximum(tf.math.log(score / (1 - score)), NOBODY)
    # A fixed number of places, filled with the first candidate where fewer boxes stay.
    stay, count = tf.raw_ops.NonMaxSuppressionV4(
        boxes=corners,
        scores=ranks,
        max_output_size=most,
        iou_threshold=overlap,
        score_threshold=threshold,
        pad_to_max_output_size=True,
    )
    known = tf.cast(tf.range(most) < count, tf.float32)
    corners, scores = tf.gather(corners, stay), tf.sigmoid(tf.gather(ranks, stay))
    boxes = tf.concat([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return boxes * known[:, None], scores * known, count


def _corners(codes, anchors, size):
    # Left, top, right, bottom: to the operation that chooses, x and y are alike.
    unit = STD * anchors[:, 2:]
    limits = tf.constant(size[::-1], tf.float32)
    low = anchors[:, :2] + unit * codes[:, :2]
    high = anchors[:, :2] + anchors[:, 2:] + unit * codes[:, 2:]
    return tf.concat([tf.clip_by_value(edge, 0.0, limits) for edge in (low, high)], axis=1)


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
