"""Whole photos in views of a few sizes: each photo in that which shows it largest, each batch of one size.

An epoch is shuffled, sorted by size and cut into batches, which are shuffled in turn. So every photo comes once, and
but the usual remainder nothing is left out; where two sizes meet, one batch holds photos of both, in the size of most.
"""

import numpy as np
import tensorflow as tf

from tfpose.data import share as shares


def nearest(photos, sizes) -> np.ndarray:
    """Which of `sizes` (S, 2) shows each of the photos (N, 2) largest, (N,) int64; of several the smallest."""
    sizes = np.asarray(sizes, np.float64)
    factors = (sizes / np.asarray(photos, np.float64)[:, None]).min(axis=2)  # (N, S)
    areas = np.where(factors > factors.max(axis=1, keepdims=True) - 1e-9, sizes.prod(axis=1), np.inf)
    return areas.argmin(axis=1)


def split(records, sizes) -> dict[tuple, list]:
    """{size: the records with people whose photos it shows largest}, of those sizes that show any."""
    kept = [r for r in records if len(r.boxes)]
    which = nearest([(r.height, r.width) for r in kept], sizes) if kept else np.zeros(0, int)
    return {size: [r for r, s in zip(kept, which) if s == i] for i, size in enumerate(sizes) if (which == i).any()}


def epoch(number, seed, which, batch):
    """The batches of an epoch: photos (steps, batch), and which size each has (steps,); `which` (N,) is the photos'."""
    photos = tf.range(tf.size(which, tf.int64), dtype=tf.int64)
    steps = len(which) // batch
    order = tf.random.experimental.stateless_shuffle(photos, tf.stack([seed, number]))[: steps * batch]
    order = tf.gather(order, tf.argsort(tf.gather(which, order), stable=True))
    rows = tf.reshape(order, [steps, batch])
    turn = tf.random.experimental.stateless_shuffle(tf.range(steps), tf.stack([seed + 1, number]))
    rows = tf.gather(rows, turn)
    return rows, tf.gather(which, rows[:, batch // 2])


def training(plans, sizes, encode, *, batch, augment, seed, start_epoch, start_step, share, warp, workers):
    """Endless batches of `encode`'s (inputs, targets), from batch `start_step` of an epoch on; see `pipeline.training`.

    `plans` are `images.Images`.
    """
    which = tf.constant(nearest(plans.table.sizes, sizes))

    def batches_of(number):
        rows, size = epoch(number, seed, which, batch)
        count = tf.shape(rows, tf.int64)[0]
        return tf.data.Dataset.from_tensor_slices((tf.fill([count], number), tf.range(count), rows, size))

    epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
    steps = epochs.flat_map(batches_of).skip(start_step)

    def of_size(index):
        views = plans.of_size(sizes[index])

        def plan(number, step, photos, _):
            group = views.whole(photos, augment, tf.stack([seed + 2_000_003 * number, 4 * step]))
            wanted = share.wanted(tf.range(batch, dtype=tf.int64), batch)
            return group if share.replicas == 1 else shares.images(group, wanted)

        groups = steps.filter(lambda *step: step[-1] == index).map(plan)
        batches = views.batches(groups, warp, workers, share.part(batch), drop_remainder=True)
        return batches.map(encode, num_parallel_calls=workers, deterministic=True).prefetch(2)

    turns = steps.flat_map(lambda *step: tf.data.Dataset.from_tensors(step[-1]).repeat(share.local))
    return tf.data.Dataset.choose_from_datasets([of_size(i) for i in range(len(sizes))], turns)
