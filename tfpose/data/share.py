"""Which samples of an epoch one worker reads: its parts of every batch, from the step on where a run continues.

It is decided before a photo is opened, and after chance has spoken: a sample is the same wherever it is read.
"""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Share:
    """Of each batch, cut into `replicas` equal parts, the `local` ones from number `first` on."""

    replicas: int = 1
    first: int = 0
    local: int = 1

    def part(self, batch: int) -> int:
        """The samples of one part of a batch."""
        return batch // self.replicas

    def wanted(self, index, batch: int):
        """Whether the samples of these numbers in an epoch (N,) belong to the share, (N,) bool."""
        number = index // self.part(batch) % self.replicas
        return (number >= self.first) & (number < self.first + self.local)

    def parts(self, batch: int, data: tf.data.Dataset) -> tf.data.Dataset:
        """The share of whole batches, part by part; an incomplete one may leave parts empty."""
        size = self.part(batch)

        def cut(*whole):
            numbers = tf.data.Dataset.range(self.first, self.first + self.local)
            return numbers.map(lambda n: tf.nest.map_structure(lambda x: x[n * size : (n + 1) * size], whole))

        return data if self.replicas == 1 else data.flat_map(cut)


WHOLE = Share()


def samples(group: tuple):
    """The number of samples of a planned group: of people in their order, or of photos."""
    return tf.shape(group[2] if len(group) == 3 else group[0][0])[0]


def chosen(group: tuple, wanted) -> tuple:
    """A planned group with those samples alone that are `wanted` (N,)."""
    return people(group, wanted) if len(group) == 3 else images(group, wanted)


def people(group: tuple, wanted) -> tuple:
    """A group of `Persons` with those alone whose views are `wanted` (P,), in the order of the batches."""
    (paths, sizes, *drawn), labels, order = group
    chosen = tf.boolean_mask(order, wanted)
    there = tf.scatter_nd(chosen[:, None], tf.ones_like(chosen), tf.shape(order))
    rows = drawn[0].with_values(there > 0)
    reading = (paths, sizes, *(tf.ragged.boolean_mask(each, rows) for each in drawn))
    order = tf.gather(tf.cumsum(there) - 1, chosen)
    return reading, {name: tf.boolean_mask(values, wanted) for name, values in labels.items()}, order


def images(group: tuple, wanted) -> tuple:
    """A group of `Images` with the photos alone that are `wanted` (G,)."""
    return tf.nest.map_structure(lambda values: tf.boolean_mask(values, wanted), group)
