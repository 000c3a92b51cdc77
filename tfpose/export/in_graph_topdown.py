"""The decoder of one person's heatmaps as TensorFlow operations: `decode/topdown.py`, every refinement of it.

Every operation is one that LiteRT has built in. In shapes N is the number of views.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfpose import geometry
from tfpose.decode import peaks
from tfpose.decode.topdown import TopDown
from tfpose.predict import COUNTED


@dataclass(frozen=True)
class InView:
    """{"heatmaps": (N, h, w, K)} -> {"keypoints", "scores", "count"} by the rules of a top-down decoder.

    `keypoints` (N, 1, K, 3) are x, y in view pixels and a score, `scores` (N, 1) the means of the keypoints that count,
    as `predict.person_scores` has them, and `count` (N,) int32 ones.
    """

    decoder: TopDown

    def __call__(self, outputs: dict) -> dict:
        heatmaps = tf.cast(outputs["heatmaps"], tf.float32)
        maps = _smoothed(heatmaps, self.decoder.smooth) if self.decoder.smooth else heatmaps
        cells = _cells(_argmax(maps), maps.shape[2])  # (N, K, 2)
        exact = tf.cast(cells, tf.float32) + REFINEMENTS[self.decoder.refine](maps, cells, self.decoder.blur)
        pixels = geometry.stride(self.decoder.stride).inverse.matrix.astype(np.float32)
        points = exact * pixels.diagonal() + pixels[:, 2]
        values = tf.clip_by_value(_window(heatmaps, cells, 0)[..., 0], 0.0, 1.0)  # (N, K, 1)
        counted = tf.cast(values > COUNTED, tf.float32)
        scores = tf.reduce_sum(values * counted, axis=1) / tf.maximum(tf.reduce_sum(counted, axis=1), 1.0)
        keypoints = tf.concat([points, values], axis=-1)[:, None]
        return {"keypoints": keypoints, "scores": scores, "count": tf.ones_like(scores[:, 0], tf.int32)}


def _none(maps, cells, blur):  # noqa: ARG001
    return tf.zeros_like(cells, tf.float32)


def _quarter(maps, cells, blur):  # noqa: ARG001
    around = _window(maps, cells, 1)
    change = tf.stack([around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]], axis=-1)
    inside = (cells > 0) & (cells < _extent(maps) - 1)
    return tf.where(inside, 0.25 * tf.sign(change), 0.0)


def _second(maps, cells, blur):  # noqa: ARG001
    height, width = maps.shape[1:3]
    flat = cells[..., 1] * width + cells[..., 0]  # (N, K)
    first = tf.range(height * width)[:, None] == flat[:, None]
    rows = tf.where(first, maps.dtype.min, tf.reshape(maps, [-1, height * width, maps.shape[3]]))
    towards = tf.cast(_cells(tf.argmax(rows, axis=1, output_type=tf.int32), width) - cells, tf.float32)
    return 0.25 * towards / tf.sqrt(tf.reduce_sum(tf.square(towards), axis=-1, keepdims=True))


def _parabola(maps, cells, blur):  # noqa: ARG001
    middle = tf.clip_by_value(cells, 1, _extent(maps) - 2)
    log = tf.math.log(tf.maximum(_window(maps, middle, 1), peaks.FLOOR))
    curve = tf.stack([_curve(log[..., 1, :], 1), _curve(log[..., :, 1], 1)], axis=-1)
    top = tf.where(curve < 0, -_slopes(log) / tf.where(curve < 0, curve, -1.0), 0.0)
    return tf.clip_by_value(tf.cast(middle - cells, tf.float32) + top, -peaks.LIMIT, peaks.LIMIT)


def _dark(maps, cells, blur):
    middle = tf.clip_by_value(cells, 2, _extent(maps) - 3)
    log = tf.math.log(tf.maximum(_blurred(maps, middle, blur), peaks.FLOOR))
    slopes = _slopes(log[..., 1:4, 1:4])
    dx, dy = slopes[..., 0], slopes[..., 1]
    dxx, dyy = _curve(log[..., 2, :], 2), _curve(log[..., :, 2], 2)
    dxy = (log[..., 3, 3] - log[..., 3, 1] - log[..., 1, 3] + log[..., 1, 1]) / 4
    determinant = dxx * dyy - dxy * dxy
    hill = ((determinant > 0) & (dxx < 0))[..., None]
    top = tf.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
    top /= tf.where(hill, determinant[..., None], 1.0)
    offsets = tf.clip_by_value(tf.cast(middle - cells, tf.float32) + top, -peaks.LIMIT, peaks.LIMIT)
    return tf.where(hill, offsets, 0.0)


REFINEMENTS = {"none": _none, "quarter": _quarter, "second": _second, "parabola": _parabola, "dark": _dark}
assert REFINEMENTS.keys() == peaks.REFINEMENTS.keys()


def _argmax(maps):
    height, width, channels = maps.shape[1:]
    return tf.argmax(tf.reshape(maps, [-1, height * width, channels]), axis=1, output_type=tf.int32)


def _cells(flat, width):
    # x, then y, of flat positions.
    return tf.stack([flat % width, flat // width], axis=-1)


def _extent(maps):
    return tf.constant([maps.shape[2], maps.shape[1]])


def _window(maps, cells, radius):
    """The values (N, K, 2r+1, 2r+1), rows then columns, around one cell of each map; edges repeat."""
    height, width, channels = maps.shape[1:]
    span = tf.range(-radius, radius + 1)
    columns = tf.clip_by_value(cells[..., :1] + span, 0, width - 1)
    rows = tf.clip_by_value(cells[..., 1:] + span, 0, height - 1)
    # One view is what a file takes; of more the number may be open, and each begins where the last one ended.
    views = 0 if maps.shape[0] == 1 else (tf.range(tf.shape(maps)[0]) * height)[:, None, None]
    flat = ((rows + views)[..., :, None] * width + columns[..., None, :]) * channels
    return tf.gather(tf.reshape(maps, [-1]), flat + tf.range(channels)[:, None, None])


def _smoothed(maps, smooth):
    """Maps (N, h, w, K) smoothed by a Gaussian over `smooth` cells: two products with the matrices of NumPy."""
    height, width, channels = maps.shape[1:]
    down, across = (tf.constant(peaks.band(side, smooth // 2), tf.float32) for side in (height, width))
    rows = tf.linalg.matmul(down, tf.reshape(maps, [-1, height, width * channels]))
    return tf.linalg.matmul(across, tf.reshape(rows, [-1, height, width, channels]))


def _blurred(maps, middle, blur):
    if not blur:
        return _window(maps, middle, 2)
    around = _window(maps, middle, 2 + blur // 2)
    radius = tf.minimum(tf.minimum(middle, _extent(maps) - 1 - middle) - 2, blur // 2)
    smoothers = tf.constant(peaks.smoothers(blur), tf.float32)
    across, down = (tf.gather(smoothers, radius[..., axis]) for axis in (0, 1))  # (N, K, 5, 4 + blur)
    return tf.linalg.matmul(tf.linalg.matmul(down, around), across, transpose_b=True)


def _slopes(log):
    return tf.stack([log[..., 1, 2] - log[..., 1, 0], log[..., 2, 1] - log[..., 0, 1]], axis=-1) / 2


def _curve(line, step):
    return (line[..., 2 * step] - 2 * line[..., step] + line[..., 0]) / step**2
