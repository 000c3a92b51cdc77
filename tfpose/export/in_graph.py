"""The decoder of heatmaps and part affinity fields as TensorFlow operations, so that one file gives people.

It takes the steps of `decode/pafs.py` and finds the same people, with numbers fixed that are free there: `peaks` of a
keypoint, `limbs` among them, and `people`. Every operation is one that LiteRT has built in. In shapes M is `peaks`, C
`limbs`, W the bodies in the making, P `people`.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfpose import geometry
from tfpose.decode.limbs import SHORT, SHORTEST, WEIGHT, middle
from tfpose.decode.pafs import RELAXED, Pafs
from tfpose.export.in_graph_peaks import peaks

NOWHERE = -1e9  # the rank of a limb that is none
FEW = (8, 16)  # peaks of a keypoint: all that most photos have, of which pairs are soon looked at


@dataclass(frozen=True)
class InGraph:
    """{"heatmaps": (1, h, w, K + 1), "pafs": (1, h, w, 2L)} -> {"keypoints", "scores", "count"} by a decoder's rules.

    `keypoints` (1, people, K, 3) are x, y in view pixels and a score, `scores` (1, people), best first: zeros from
    `count` (1,) int32 on. ValueError for a decoder that samples or enlarges otherwise than this one can.
    """

    decoder: Pafs
    people: int = 20
    peaks: int = 32
    limbs: int = 1024

    def __post_init__(self):
        if self.decoder.sampling != "nearest" or self.decoder.upsample != 1:
            raise ValueError(
                f"in_graph: found sampling {self.decoder.sampling!r}, upsample {self.decoder.upsample}; expected "
                "'nearest' and 1: decode other maps in NumPy"
            )
        if self.peaks > self.decoder.most:
            raise ValueError(f"in_graph: {self.peaks} peaks, but the decoder takes {self.decoder.most}; lower them")

    def __call__(self, outputs: dict) -> dict:
        pafs = tf.reshape(outputs["pafs"], outputs["pafs"].shape[1:])
        points, values = peaks(outputs["heatmaps"], self.decoder.threshold, self.peaks)  # (K, M, 2), (K, M)
        starts, ends, scores = self._limbs(pafs, points, values)  # (C,) each
        owners, bodies = self._assembled(tf.reshape(values, [-1]), starts, ends, scores)  # (K * M,), (W,)
        return self._poses(points, values, owners, bodies)

    def _limbs(self, pafs, points, values):
        """What `_among` finds of the M peaks, at little cost where there are few of every keypoint."""
        few = [most for most in FEW if most < self.peaks and len(self.decoder.skeleton.pairs) * most**2 >= self.limbs]

        def among(most):
            return self._among(pafs, points[:, :most], values[:, :most])

        def found(left):
            if not left:
                return among(self.peaks)
            # Sorted best first: where the next has no value, there is none after it.
            return tf.cond(tf.reduce_any(values[:, left[0]] > 0), lambda: found(left[1:]), lambda: among(left[0]))

        return found(few)

    def _among(self, pafs, points, values):
        """The best C pairs of peaks, as their places among all K * M, and their scores; -1 where there is none."""
        most = points.shape[1]
        decoder, pairs = self.decoder, self.decoder.skeleton.pairs
        height, width, channels = pafs.shape
        inside = tf.clip_by_value(points, 0.0, tf.constant([width - 1.0, height - 1.0]))
        begin, end = (tf.gather(inside, pairs[:, i]) for i in (0, 1))  # (L, M, 2)
        begin, end = begin[:, :, None], end[:, None]
        along = end - begin  # (L, M, M, 2)
        ways = (np.arange(decoder.samples, dtype=np.float32) + 0.5) / decoder.samples
        places = tf.cast(tf.round(begin[..., None, :] + ways[:, None] * along[..., None, :]), tf.int32)
        cells = (places[..., 1] * width + places[..., 0]) * (channels // 2)  # (L, M, M, S)
        cells += tf.range(channels // 2)[:, None, None, None]
        fields = tf.gather(tf.reshape(pafs, [-1, 2]), cells)
        forward = tf.reduce_sum(fields * along[..., None, :], axis=-1)
        length = tf.sqrt(tf.reduce_sum(tf.square(along), axis=-1))
        scores = tf.reduce_sum(forward, axis=-1) / (decoder.samples * length + SHORTEST)  # (L, M, M)
        inner = middle(decoder.samples)
        first, second = tf.gather(values, pairs[:, 0])[:, :, None], tf.gather(values, pairs[:, 1])[:, None]
        good = (scores > self._least) & (tf.reduce_min(forward[..., inner], axis=-1) > 0) & (first > 0) & (second > 0)
        rank = scores + WEIGHT * (first + second) - length * (SHORT / max(height, width))
        rank = tf.where(good, rank, NOWHERE)
        rank, chosen = tf.math.top_k(tf.reshape(rank, [-1]), min(self.limbs, len(pairs) * most**2))
        limb, start, end = chosen // most**2, chosen // most % most, chosen % most
        starts = tf.gather(pairs[:, 0].astype(np.int32), limb) * self.peaks + start
        ends = tf.gather(pairs[:, 1].astype(np.int32), limb) * self.peaks + end
        return starts, ends, tf.where(rank > NOWHERE, tf.gather(tf.reshape(scores, [-1]), chosen), -1.0)

    @property
    def _least(self) -> float:
        return self.decoder.limb * (RELAXED if self.decoder.relaxed else 1)

    @property
    def _bodies(self) -> int:
        # Those that are joined later, or too small to stay, need a place too: most of noise's are of two peaks.
        return 64 + 2 * self.people

    def _assembled(self, values, starts, ends, scores):
        """Who owns each peak (K * M,) int32, -1 for nobody, and what each body scores (W,)."""
        kinds = np.arange(len(self.decoder.skeleton.keypoints), dtype=np.int32).repeat(self.peaks)
        bits = tf.constant(np.eye(len(self.decoder.skeleton.keypoints), dtype=np.float32)[kinds])  # (K * M, K)
        state = (
            tf.fill([len(kinds)], -1),
            tf.zeros([self._bodies, len(self.decoder.skeleton.keypoints)]),
            tf.zeros([self._bodies]),
            tf.constant(0),
        )
        for first in (True, False):
            count = tf.reduce_sum(tf.cast(scores > self._least, tf.int32))

            def step(i, *state, first=first):
                return i + 1, *self._step(*state, starts[i], ends[i], scores[i], values, bits, first=first)

            _, *state = tf.while_loop(lambda i, *_, most=count: i < most, step, (tf.constant(0), *state))
        return state[0], state[2]

    def _step(self, owners, has, bodies, used, start, end, score, values, bits, *, first):
        """The state after one limb: it begins a body, gives one a peak, makes one surer, or joins two."""
        strong = score > self.decoder.limb
        one, other = owners[start], owners[end]
        none, both = (one < 0) & (other < 0), (one >= 0) & (other >= 0)
        turn = strong if first else ~strong
        begins = turn & none & (used < self._bodies) & first
        peak = tf.where(one < 0, start, end)  # the one that a body would be given
        body = tf.where(begins, used, tf.maximum(one, other))
        body = tf.where(both, one, body)
        body = tf.maximum(body, 0)
        given = turn & ~none & ~both & (tf.reduce_sum(tf.gather(has, body) * tf.gather(bits, peak)) < 0.5)
        surer = turn & both & (one == other) & first
        away = tf.maximum(other, 0)
        apart = tf.reduce_sum(tf.gather(has, body) * tf.gather(has, away)) < 0.5
        joins = turn & both & (one != other) & apart & first

        numbers, rows = tf.range(owners.shape[0]), tf.range(self._bodies)
        taken = (begins & ((numbers == start) | (numbers == end))) | (given & (numbers == peak))
        owners = tf.where(taken | (joins & (owners == other)), body, owners)
        grown = tf.cast(begins, tf.float32) * (tf.gather(bits, start) + tf.gather(bits, end))
        grown += tf.cast(given, tf.float32) * tf.gather(bits, peak) + tf.cast(joins, tf.float32) * tf.gather(has, away)
        worth = tf.where(begins, tf.gather(values, start) + tf.gather(values, end), 0.0)
        worth += tf.where(given, tf.gather(values, peak), 0.0) + tf.where(joins, tf.gather(bodies, away), 0.0)
        worth += tf.where(begins | given | surer | joins, score, 0.0)
        mine = tf.cast(rows == body, tf.float32)
        left = 1 - tf.cast(joins & (rows == other), tf.float32)
        has = has * left[:, None] + mine[:, None] * grown
        return owners, has, bodies * left + mine * worth, used + tf.cast(begins, tf.int32)

    def _poses(self, points, values, owners, bodies):
        decoder = self.decoder
        pixels = tf.constant(geometry.stride(decoder.stride).inverse.matrix, tf.float32)
        points = tf.linalg.matmul(points, pixels[:, :2], transpose_b=True) + pixels[:, 2]
        owners = tf.reshape(owners, [1, *values.shape])
        mine = tf.cast(owners == tf.range(self._bodies)[:, None, None], tf.float32)  # (W, K, M)
        large = tf.reduce_sum(mine, axis=[1, 2]) >= decoder.keypoints
        ranks = tf.where(large & (bodies >= decoder.score) & (bodies > 0), bodies, 0.0)
        scores, best = tf.math.top_k(ranks, self.people)  # (P,)
        there = tf.cast(scores > 0, tf.float32)
        mine = tf.gather(mine, best) * there[:, None, None]
        told = tf.concat([points, values[..., None]], axis=-1)  # (K, M, 3)
        keypoints = tf.reduce_sum(mine[..., None] * told, axis=2)  # (P, K, 3)
        count = tf.reduce_sum(tf.cast(there, tf.int32))
        return {"keypoints": keypoints[None], "scores": scores[None], "count": count[None]}
