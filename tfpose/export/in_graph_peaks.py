"""The peaks of heatmaps as TensorFlow operations: `decode/maxima.py` with a fixed number of them for each keypoint.

Every operation is one that LiteRT has built in. In shapes M is that number.
"""

import tensorflow as tf

from tfpose.decode.maxima import FLOOR, LIMIT


def peaks(heatmaps, threshold: float, most: int, *, by_place: bool = False) -> tuple:
    """The best M peaks of each keypoint in cells (K, M, 2), and their values (K, M), of heatmaps (1, h, w, K + 1).

    Where there is none the value is 0. M is `most`; they are sorted best first, or row after row as in NumPy.
    """
    height, width, channels = heatmaps.shape[1:]
    maps = tf.transpose(_maxima(heatmaps[..., : channels - 1]), [0, 3, 1, 2])  # (1, K, h, w)
    values, cells = tf.math.top_k(tf.reshape(maps, [channels - 1, -1]), min(most, height * width))
    values = tf.where(values > threshold, values, 0.0)
    if by_place:
        last = tf.where(values > 0, cells, height * width)
        _, order = tf.math.top_k(-last, last.shape[1])
        values, cells = (tf.gather(v, order, batch_dims=1) for v in (values, cells))
    return _refined(heatmaps, cells), values


def _refined(heatmaps, cells):
    """The points (K, M, 2) in cells, x then y, of cells (K, M), by the parabolas through three cells."""
    height, width, channels = heatmaps.shape[1:]
    x, y = cells % width, cells // width
    # Around the nearest cell that has all its neighbours, as in NumPy.
    middle_x, middle_y = tf.clip_by_value(x, 1, width - 2), tf.clip_by_value(y, 1, height - 2)
    flat = tf.reshape(heatmaps, [-1])
    middle = (middle_y * width + middle_x) * channels + tf.range(channels - 1)[:, None]

    def top(cell, around, step):
        low, centre, high = (tf.math.log(tf.maximum(tf.gather(flat, middle + s), FLOOR)) for s in (-step, 0, step))
        offset = (low - high) / tf.minimum(2 * (low + high - 2 * centre), -FLOOR)
        offset += tf.cast(around - cell, tf.float32)
        return tf.cast(cell, tf.float32) + tf.clip_by_value(offset, -LIMIT, LIMIT)

    return tf.stack([top(x, middle_x, channels), top(y, middle_y, width * channels)], axis=-1)


def _maxima(maps):
    """Maps (1, h, w, K), 0 in cells that are below one of eight neighbours, or equal to one before them."""
    row = tf.nn.max_pool2d(maps, (1, 3), 1, "SAME")  # of each cell and those beside it
    around = tf.nn.max_pool2d(row, (3, 1), 1, "SAME")
    above = tf.pad(row[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
    before = tf.maximum(above, tf.pad(maps[:, :, :-1], [[0, 0], [0, 0], [1, 0], [0, 0]]))
    return tf.where((maps >= around) & (maps > before), maps, 0.0)
