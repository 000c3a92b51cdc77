"""Part affinity fields: the unit vector along a limb in the cells near it, two maps for each limb of a skeleton.

Cao et al. 2017, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", section 2.3.
"""

from dataclasses import dataclass

import tensorflow as tf

SLACK = 1e-3  # cells: more than rounding, so that no cell on the edge of a limb is missed


@dataclass(frozen=True)
class Limbs:
    """Everybody's limbs in one list, N: whose view, which kind, and in cells from where, which way and how far."""

    view: tf.Tensor
    kind: tf.Tensor
    start: tf.Tensor  # (N, 2)
    unit: tf.Tensor  # (N, 2)
    length: tf.Tensor


def pafs(keypoints, pairs, grid, stride, reach):
    """The fields (B, h, w, 2L) float32 of people's keypoints (B, P, K, 3) in view pixels; x at 2l, y at 2l + 1.

    A limb of `pairs` (L, 2) points from its first to its second keypoint, is there where both are labelled, and covers
    the cells at most `reach` cells away from the line between them. Its ends are round: the paper's straight ones would
    leave many a limb shorter than a cell, as in most faces, without any. Where limbs of one kind overlap the field is
    their mean. A limb without length has no direction and draws nothing.
    """
    limbs = _limbs(keypoints, pairs, stride)
    limb, row, column = _covered(limbs, grid, reach)
    view, kind = tf.gather(limbs.view, limb), tf.gather(limbs.kind, limb)
    place = ((view * grid[0] + row) * grid[1] + column) * len(pairs) + kind
    places = tf.shape(keypoints)[0] * grid[0] * grid[1] * len(pairs)
    overlapping = tf.math.unsorted_segment_sum(tf.ones_like(place, tf.float32), place, places)
    share = tf.gather(limbs.unit, limb) / tf.gather(overlapping, place)[:, None]
    return tf.reshape(tf.math.unsorted_segment_sum(share, place, places), [-1, *grid, 2 * len(pairs)])


def _limbs(keypoints, pairs, stride):
    ends = tf.gather(tf.cast(keypoints, tf.float32), pairs, axis=-2)  # (B, P, L, 2, 3)
    start, along = ends[..., 0, :2], ends[..., 1, :2] - ends[..., 0, :2]
    length = tf.norm(along, axis=-1)
    there = tf.reduce_all(ends[..., 2] > 0, axis=-1) & (length > 0)
    view, _, kind = tf.unstack(tf.cast(tf.where(there), tf.int32), axis=-1)
    start, along, length = (tf.boolean_mask(values, there) for values in (start, along, length))
    return Limbs(view, kind, (start + 0.5) / stride - 0.5, along / length[:, None], length / stride)


def _covered(limbs, grid, reach):
    """The cells of the grid that limbs cover: each one's limb, as its number, its row and its column, (M,) int32."""
    # A limb meets each column of the grid, or each row where it is steep, in a few cells: only these are looked at.
    steep = tf.abs(limbs.unit[:, 1]) > tf.abs(limbs.unit[:, 0])
    start, unit = (tf.where(steep[:, None], v[:, ::-1], v) for v in (limbs.start, limbs.unit))
    ux, uy = unit[:, :1], unit[:, 1:]
    x = tf.range(max(grid), dtype=tf.float32)
    dx = x - start[:, :1]  # (N, max(grid))
    first = tf.math.ceil(start[:, 1:] + dx * (uy / ux) - reach / tf.abs(ux) - SLACK)
    y = first[..., None] + tf.range(int(2 * 2**0.5 * reach + SLACK) + 2, dtype=tf.float32)  # (N, max(grid), few)
    dx, dy, ux, uy = dx[..., None], y - start[:, 1:, None], ux[..., None], uy[..., None]
    forward, aside = dx * ux + dy * uy, dx * uy - dy * ux
    beyond = forward - tf.clip_by_value(forward, 0.0, limbs.length[:, None, None])
    covered = tf.square(aside) + tf.square(beyond) <= reach**2
    limb, x, _ = tf.unstack(tf.cast(tf.where(covered), tf.int32), axis=-1)
    y = tf.cast(tf.boolean_mask(y, covered), tf.int32)
    steep = tf.gather(steep, limb)
    row, column = tf.where(steep, x, y), tf.where(steep, y, x)
    inside = (row >= 0) & (row < grid[0]) & (column >= 0) & (column < grid[1])
    return (tf.boolean_mask(values, inside) for values in (limb, row, column))
