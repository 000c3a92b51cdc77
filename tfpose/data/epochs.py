"""The batches of all epochs of training: one after the other without end, or any one of them by its number.

What is in a batch depends on the seed and its number alone, whoever makes it and whatever was made before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfpose.config import Augment
from tfpose.data import share as shares
from tfpose.data.images import Images
from tfpose.data.persons import Persons
from tfpose.data.share import Share

LAST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Epochs:
    """Shuffled epochs of `kept` samples of the plans, `batch` to a step, of which `share` is made here."""

    plans: Persons | Images
    encode: Callable
    augment: Augment
    seed: int
    batch: int
    kept: int
    share: Share
    warp: str
    workers: int

    @property
    def steps(self) -> int:
        """The batches of an epoch."""
        return self.kept // self.batch

    def endless(self, epoch: int, step: int) -> tf.data.Dataset:
        """The encoded parts of batch after batch, from a step of an epoch on; each photo is decoded once an epoch."""

        def plan(number, *row):
            group, index = self._group(number, *row)
            if self.share.replicas == 1 and not step:
                return group
            begun = (number > epoch) | (index >= step * self.batch)
            return shares.chosen(group, self.share.wanted(index, self.batch) & begun)

        groups = tf.data.Dataset.range(epoch, LAST).flat_map(
            lambda number: tf.data.Dataset.from_tensor_slices(self._rows(number))
        )
        return self._encoded(groups.map(plan))

    def one(self, number) -> tf.data.Dataset:
        """The encoded parts of one batch alone; `number`, a scalar int64, counts on over the epochs."""
        begin = number % self.steps * self.batch
        end = begin + self.batch

        def plan(*row):
            group, index = self._group(*row)
            return shares.chosen(group, self.share.wanted(index, self.batch) & (index >= begin) & (index < end))

        rows = self._rows(number // self.steps)
        firsts = rows[-1][:, 0]
        first = tf.searchsorted(firsts, begin[None], side="right", out_type=tf.int64)[0] - 1
        last = tf.searchsorted(firsts, end[None], out_type=tf.int64)[0]
        groups = tf.data.Dataset.from_tensor_slices(tuple(values[first:last] for values in rows))
        return self._encoded(groups.map(plan))

    def _rows(self, epoch):
        return self.plans.table.epoch(epoch, self.seed, self.plans.samples)

    def _group(self, epoch, number, photos, firsts) -> tuple:
        """A group of photos as chance has it, and the numbers of its samples in the epoch."""
        source = tf.stack([self.seed + 2_000_003 * epoch, 4 * number])
        group = self.plans.drawn(photos, tf.maximum(self.kept - firsts, 0), self.augment, source)
        return group, tf.minimum(firsts[0], self.kept) + tf.range(shares.samples(group), dtype=tf.int64)

    def _encoded(self, groups) -> tf.data.Dataset:
        part = self.share.part(self.batch)
        batches = self.plans.batches(groups, self.warp, self.workers, part, drop_remainder=True)
        return batches.map(self.encode, num_parallel_calls=self.workers, deterministic=True)
