"""A data set's records as constant tensors, so that graph operations can plan what is read: a photo is an index."""

import numpy as np
import tensorflow as tf

GROUP = 64  # photos whose samples are mixed before they are cut into batches


class Table:
    """The records that have people: their paths and sizes, and all their people one after the other.

    `ids` and `annotations` are the people's; `splits` says where each photo's people begin. ValueError where nobody is
    in the records.
    """

    def __init__(self, records):
        self.records = [r for r in records if len(r.boxes)]
        if not self.records:
            raise ValueError("data: no image has a person with keypoints; look at it with `tfpose check-data`")
        lengths = [len(r.boxes) for r in self.records]
        self.count = len(self.records)
        self.most = max(lengths)
        self.groups = -(-self.count // GROUP)
        self.paths = tf.constant([str(r.path) for r in self.records])
        self.sizes = tf.constant([[r.height, r.width] for r in self.records], tf.int32)
        self.splits = tf.constant(np.concatenate([[0], np.cumsum(lengths)]), tf.int64)
        self.keypoints = tf.constant(np.concatenate([r.keypoints for r in self.records]), tf.float32)
        self.boxes = tf.constant(np.concatenate([r.boxes for r in self.records]), tf.float32)
        self.ids = tf.constant(np.repeat([r.image_id for r in self.records], lengths), tf.int64)
        self.annotations = tf.constant(np.concatenate([r.annotation_ids for r in self.records]), tf.int64)

    def in_groups(self, values, filling: int):
        """One value a photo (N,) as (groups, GROUP), the end filled."""
        missing = self.groups * GROUP - self.count
        return tf.reshape(tf.pad(values, [[0, missing]], constant_values=filling), [-1, GROUP])

    def epoch(self, epoch, seed, samples):
        """An epoch's photos, shuffled: per group epoch, number, photos (-1: none) and the samples before each.

        `samples` (N,) is how many each photo gives.
        """
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), tf.stack([seed, epoch]))
        firsts = tf.cumsum(tf.gather(samples, order), exclusive=True)
        numbers = tf.range(self.groups, dtype=tf.int64)
        return tf.fill([self.groups], epoch), numbers, self.in_groups(order, -1), self.in_groups(firsts, 0)

    @property
    def people(self):
        """The number of people on each photo, (N,) int64."""
        return self.splits[1:] - self.splits[:-1]

    def rows(self, photos, most):
        """The people of photos (G,) as rows of the table, at most `most` of each: ragged (G, people)."""
        starts = tf.gather(self.splits, tf.maximum(photos, 0))
        lengths = tf.minimum(tf.gather(self.splits, photos + 1) - starts, most)
        return tf.ragged.range(starts, starts + tf.where(photos < 0, tf.zeros_like(lengths), lengths))

    def keypoints_and_boxes(self, rows):
        """Keypoints (P, K, 3) and boxes (P, 4) in photo pixels, of all people of a group."""
        return tf.gather(self.keypoints, rows.values), tf.gather(self.boxes, rows.values)
