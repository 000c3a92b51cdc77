"""Who gets which candidate keypoint, as TensorFlow operations: the rules of `decode/assign.py`, all kinds at once.

Scores are (K, B, M): of every box for the M candidates of each kind, 0 where a box looks at none and from `count`, the
boxes that there are, on. Every rule returns the candidates that boxes get, (K, B) int32, -1 for none. Every operation
is one that LiteRT has built in.
"""

import tensorflow as tf

from tfpose.decode.assign import NULL, STEPS

NEVER = 1 << 29  # the cost of a column that nobody may have; sums of it and of what is real are no overflow


def places(points, boxes, margin: float):
    """Where points (K, M, 2) lie in boxes (B, 4) enlarged by `margin` of their sides: fractions, (K, B, M, 2)."""
    low = boxes[:, :2] - margin * boxes[:, 2:]
    return (points[:, None] + 0.5 - low[:, None]) / tf.maximum((1 + 2 * margin) * boxes[:, None, 2:], 1e-6)


def inside(places, boxes):
    """Where boxes (B, 4) look, (K, B, M) bool, of places (K, B, M, 2); a box of zeros nowhere."""
    return tf.reduce_all((places >= 0) & (places < 1), axis=-1) & (boxes[:, 2] > 0)[:, None]


def peak(scores, count):  # noqa: ARG001
    """The best candidate of every box and kind; what one box takes others may take too."""
    return _best(scores)


def mutual(scores, count):  # noqa: ARG001
    """The best candidate of every box and kind among those that score highest in just this box."""
    rows = tf.range(scores.shape[1])[:, None]
    return _best(tf.where(rows == tf.argmax(scores, axis=1, output_type=tf.int32)[:, None], scores, 0.0))


def assigned(scores, count):
    """The candidates with the largest product of scores / NULL, none in two boxes; `count` is () int32.

    By the augmenting paths of `assign.matched`, in whole numbers: where several answers are equally good it finds the
    same.
    """
    gains = tf.cast(tf.round(tf.math.log(tf.maximum(scores, NULL) / NULL) * STEPS), tf.int32)
    firsts = _best(gains)  # (K, B)
    wants = tf.cast(firsts[..., None] == tf.range(gains.shape[2]), tf.int32)
    alone = tf.reduce_max(tf.reduce_sum(wants, axis=1), axis=1, keepdims=True) <= 1  # nobody is in another's way
    rows = tf.where(tf.reduce_all(alone), 0, count)
    held = _matched(gains, count, rows)
    worth = tf.reduce_sum(tf.where(held[..., None] == tf.range(gains.shape[2]), gains, 0), axis=-1)
    return tf.where(alone, firsts, tf.where(worth > 0, held, -1))


RULES = {"peak": peak, "mutual": mutual, "assigned": assigned}


def _best(scores):
    best = tf.argmax(scores, axis=-1, output_type=tf.int32)
    return tf.where(tf.reduce_max(scores, axis=-1) > 0, best, -1)


def _matched(gains, count, rows):
    """The columns (K, B) that the first `rows` rows hold; those from M on are worth nothing."""
    kinds, boxes, candidates = gains.shape
    wanted = tf.reduce_max(gains, axis=1, keepdims=True) > 0
    # A column of its own, worth nothing, lets every row do without.
    own = tf.where(tf.range(boxes) < count, 0, NEVER)[None, None] + tf.zeros([kinds, boxes, 1], tf.int32)
    costs = tf.concat([tf.where(wanted, -gains, NEVER), own], axis=2)  # (K, B, M + B)
    flat = tf.reshape(costs, [kinds * boxes, candidates + boxes])

    def step(row, owner, prices):
        return row + 1, *_augmented(row, flat, boxes, owner, prices)

    owner = tf.fill([kinds, candidates + boxes], -1)
    start = (tf.constant(0), owner, tf.zeros_like(owner))
    _, owner, _ = tf.while_loop(lambda row, *_: row < rows, step, start)
    mine = owner[:, None] == tf.range(boxes)[:, None]  # (K, B, M + B)
    return tf.argmax(tf.cast(mine, tf.int32), axis=2, output_type=tf.int32)


def _augmented(row, costs, boxes, owner, prices):
    """Every kind's owner and prices (K, C) once the row has a column along the cheapest path of others' moves."""
    kinds, columns = owner.shape
    numbers, firsts = tf.range(columns), tf.range(kinds) * boxes

    def step(here, base, length, last, cheapest, before, done):
        looks = (here >= 0)[:, None]
        reduced = tf.gather(costs, firsts + tf.maximum(here, 0)) - prices + (length - base)[:, None]
        better = looks & ~done & (reduced < cheapest)
        cheapest = tf.where(better, reduced, cheapest)
        before = tf.where(better, last[:, None], before)
        left = tf.where(done, 2 * NEVER, cheapest)
        last = tf.where(looks[:, 0], tf.argmin(left, axis=1, output_type=tf.int32), last)
        there = numbers == last[:, None]
        length = _at(cheapest, there)
        here = tf.where(looks[:, 0], _at(owner, there), here)
        done |= there
        # An owner's own column is its cheapest.
        own = _at(tf.gather(costs, firsts + tf.maximum(here, 0)), there)
        return here, own - _at(prices, there), length, last, cheapest, before, done

    zeros = tf.zeros([kinds], tf.int32)
    start = (zeros + row, zeros, zeros, zeros - 1, tf.fill(owner.shape, NEVER))
    start += (tf.fill(owner.shape, -1), tf.zeros(owner.shape, tf.bool))
    found = tf.while_loop(lambda here, *_: tf.reduce_any(here >= 0), step, start)
    _, _, length, last, cheapest, before, done = found
    prices -= tf.where(done, length[:, None] - cheapest, 0)

    def back(last, owner):
        there = numbers == last[:, None]
        previous = _at(before, there)
        moved = _at(owner, numbers == previous[:, None])
        owner = tf.where(there & (previous >= 0)[:, None], moved[:, None], owner)
        return tf.where(previous >= 0, previous, last), owner

    last, owner = tf.while_loop(
        lambda last, _: tf.reduce_any(_at(before, numbers == last[:, None]) >= 0), back, (last, owner)
    )
    return tf.where(numbers == last[:, None], row, owner), prices


def _at(values, there):
    # The one value of each row where it is true.
    return tf.reduce_sum(tf.where(there, values, 0), axis=1)
