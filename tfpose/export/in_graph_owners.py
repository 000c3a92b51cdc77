"""What a network says of boxes and candidate keypoints, as TensorFlow operations: `decode/owners.py`, kinds at once.

Both networks of `decode/forward.py` with their weights as constants. Every operation is one that LiteRT has built in.
In shapes K is kinds, B boxes, M candidates of a kind, C and h x w cells, J bells.
"""

import math
import re

import numpy as np
import tensorflow as tf

from tfpose.decode import forward, prn
from tfpose.decode.owners import Owners


def worth(asked: Owners, network, places, inside, values, boxes) -> tf.Tensor:
    """What candidates are worth to boxes (B, 4) x, y, w, h, (K, B, M), as `Owners.worth` has it: 0 where none looks.

    `places` (K, B, M, 2) are fractions of the boxes' sides, enlarged by the network's margin, `inside` (K, B, M) says
    where a box looks at a candidate, `values` (K, M) are what candidates score. `network` is of `decode.forward`.
    """
    inside = tf.cast(inside, tf.float32)
    if asked.network == "residual":
        found = _residual(network, tuple(asked.grid), places, inside, values)
    else:
        found = _shares(network, places, inside, boxes)
    return found * inside * values[:, None]


def _residual(network: forward.Residual, grid, places, inside, values):
    """The sums (K, B, M) of the network's maps around each candidate, of the candidates' maps in each box."""
    cells = [tf.cast(tf.clip_by_value(places[..., i] * n, 0.0, n - 1.0), tf.int32) for i, n in enumerate(grid[::-1])]
    drawn = _drawn(cells, grid, inside * values[:, None])  # (K, B, h, w)
    maps = tf.transpose(drawn, [1, 2, 3, 0])
    x = tf.reshape(maps, [maps.shape[0], math.prod(maps.shape[1:])])
    hidden = sorted(name for name in network.weights if re.fullmatch(r"hidden\d+/kernel", name))
    for name in (*(n.partition("/")[0] for n in hidden), "correction"):
        x = tf.nn.relu(_dense(x, network.weights, name))
    x = tf.transpose(tf.reshape(x, maps.shape), [3, 0, 1, 2])  # (K, B, h, w)
    x = tf.nn.softmax(tf.reshape(x + drawn if network.residual else x, [*x.shape[:2], math.prod(grid)]))
    return _windows(tf.reshape(x, drawn.shape), cells)


def _drawn(cells, grid, scores):
    """The maps (K, B, h, w) that `prn.inputs` draws: of two candidates in one cell the better."""
    x, y = cells
    numbers = tf.range(x.shape[2])
    one, other = scores[..., None], scores[:, :, None]
    better = (other > one) | ((other == one) & (numbers < numbers[:, None]))
    flat = y * grid[1] + x
    hidden = tf.reduce_any(better & (flat[..., None] == flat[:, :, None]), axis=-1)
    scores = tf.where(hidden, 0.0, scores)
    down, across = (tf.gather(prn.bells(n, prn.INPUT_SIGMA), c) for n, c in zip(grid, (y, x), strict=True))
    return tf.linalg.matmul(down * scores[..., None], across, transpose_a=True)


def _windows(maps, cells):
    """The sums (K, B, M) of maps (K, B, h, w) over the window around each of their cells."""
    across, down = (
        tf.cast(tf.abs(c[..., None] - tf.range(n)) <= prn.WINDOW // 2, tf.float32)
        for c, n in zip(cells, maps.shape[:1:-1], strict=True)
    )
    return tf.reduce_sum(tf.linalg.matmul(down, maps) * across, axis=-1)


def _shares(network: forward.Assignment, places, inside, boxes):
    """How much of each candidate is a box's own, (K, B, M)."""
    weights, places = network.weights, tf.clip_by_value(places, 0.0, 1.0)
    kinds, count = places.shape[:2]
    shape = tf.math.log(tf.maximum(boxes[:, 3:], 1.0) / tf.maximum(boxes[:, 2:3], 1.0))
    hats, powers = _hats(places, network.grid), _powers(places)
    nobody = tf.reshape(weights["nobody/kernel"], [kinds, 1, 1])
    owned = inside / tf.maximum(tf.reduce_sum(inside, axis=1, keepdims=True), 1.0)
    for _ in range(network.passes):
        maps = [tf.linalg.matmul(share[:, :, None], hats)[:, :, 0] for share in (owned, inside - owned)]  # (K, B, C)
        seen = [tf.reshape(tf.transpose(m, [1, 2, 0]), [count, -1]) for m in maps]
        x = tf.concat([*seen, shape], axis=1)
        for name in ("hidden1", "hidden2"):
            x = tf.nn.relu(_dense(x, weights, name))
        bells = tf.reshape(_dense(x, weights, "bells"), [count, kinds, powers.shape[-1], -1])
        heights = tf.linalg.matmul(powers, tf.transpose(bells, [1, 0, 2, 3]))  # (K, B, M, J)
        top = tf.reduce_max(heights, axis=-1, keepdims=True)
        heights = top[..., 0] + tf.math.log(tf.reduce_sum(tf.exp(heights - top), axis=-1))
        logits = (heights - nobody) * inside + forward.MASKED * (1 - inside)
        top = tf.maximum(tf.reduce_max(logits, axis=1, keepdims=True), 0.0)
        likely = tf.exp(logits - top)
        owned = likely / (tf.reduce_sum(likely, axis=1, keepdims=True) + tf.exp(-top)) * inside
    return owned


def _hats(places, grid):
    """How much of each cell a place (K, B, M, 2) is, (K, B, M, C), bilinear."""
    across, down = (_hat(places[..., i, None], n) for i, n in enumerate(grid[::-1]))
    return tf.reshape(down[..., None] * across[..., None, :], [*places.shape[:3], math.prod(grid)])


def _hat(place, side):
    cell = tf.clip_by_value(place * side - 0.5, 0.0, side - 1.0)
    return tf.nn.relu(1 - tf.abs(cell - np.arange(side, dtype=np.float32)))


def _powers(places):
    x, y = (2 * places[..., i] - 1 for i in (0, 1))
    return tf.stack([tf.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _dense(x, weights, name):
    return tf.linalg.matmul(x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]
