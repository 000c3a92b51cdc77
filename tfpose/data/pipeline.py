"""The input pipeline: records -> batches of views, each photo decoded once for all its people.

What a run sees depends on the seed and the epoch alone: not on the number of workers, nor on where it was resumed.
Chance is drawn for a group of photos at once, their photos are read in parallel, and their people are mixed.
"""

import numpy as np
import tensorflow as tf

from tfpose.data import augment as chance
from tfpose.data import views

GROUP = 64  # photos whose people are mixed before they are cut into batches


def people(records) -> int:
    """The number of samples in an epoch before the incomplete last batch is dropped."""
    return sum(len(r.boxes) for r in records)


def training(
    records,
    encode,
    *,
    size,
    padding,
    skeleton,
    augment,
    batch,
    seed,
    start_epoch=0,
    warp="auto",
    workers=tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Endless batches of `encode`'s (inputs, targets), people // batch of them an epoch, from `start_epoch` on.

    `size` is (height, width) of the views, `augment` a `config.Augment`, `encode` takes a whole batch. Raises
    ValueError where nobody is in the records, or fewer people than a batch takes.
    """
    table = _Table(records)
    if batch > people(records):
        raise ValueError(
            f"train.batch: {batch}, of {people(records)} people in the training part; choose a smaller batch"
        )
    kept = people(records) // batch * batch

    def plan(epoch, number, photos, firsts):
        """A group of photos with everything that chance does to their people."""
        rows = table.rows(photos, tf.maximum(kept - firsts, 0))
        source = tf.stack([seed + 2_000_003 * epoch, 4 * number])
        keypoints, boxes = table.keypoints_and_boxes(rows)
        draws = chance.draw(augment, keypoints, boxes, padding, skeleton, source)
        order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(boxes)[0]), source + [0, 3])
        return table.group(photos, rows, keypoints, draws, order, size, skeleton)

    epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
    groups = epochs.flat_map(lambda epoch: tf.data.Dataset.from_tensor_slices(table.epoch(epoch, seed))).map(plan)
    samples = _cut(groups, size, views.choose(warp), workers).rebatch(batch, drop_remainder=True)
    batches = samples.map(encode, num_parallel_calls=workers, deterministic=True)
    return batches.prefetch(4).with_options(_options())


def validation(
    records, encode, *, size, padding, skeleton, batch, warp="auto", workers=tf.data.AUTOTUNE
) -> tf.data.Dataset:
    """Every person once, in the order of the file, without chance; the last batch may be smaller."""
    table = _Table(records)

    def plan(photos):
        rows = table.rows(photos, people(records))
        keypoints, boxes = table.keypoints_and_boxes(rows)
        order = tf.range(tf.shape(boxes)[0])
        return table.group(photos, rows, keypoints, chance.none(boxes, padding), order, size, skeleton)

    groups = tf.data.Dataset.from_tensor_slices(table.in_groups(tf.range(table.count, dtype=tf.int64), -1)).map(plan)
    samples = _cut(groups, size, views.choose(warp), workers).rebatch(batch)
    samples = samples.apply(tf.data.experimental.assert_cardinality(-(-people(records) // batch)))
    return samples.map(encode, num_parallel_calls=workers, deterministic=True).prefetch(2).with_options(_options())


class _Table:
    """The records that have people, as constant tensors: what a photo's index stands for."""

    def __init__(self, records):
        records = [r for r in records if len(r.boxes)]
        if not records:
            raise ValueError("data: no image has a person with keypoints; look at it with `tfpose check-data`")
        lengths = [len(r.boxes) for r in records]
        self.count = len(records)
        self.groups = -(-self.count // GROUP)
        self.paths = tf.constant([str(r.path) for r in records])
        self.sizes = tf.constant([[r.height, r.width] for r in records], tf.int32)
        self.splits = tf.constant(np.concatenate([[0], np.cumsum(lengths)]), tf.int64)
        self.keypoints = tf.constant(np.concatenate([r.keypoints for r in records]), tf.float32)
        self.boxes = tf.constant(np.concatenate([r.boxes for r in records]), tf.float32)
        self.ids = tf.constant(np.repeat([r.image_id for r in records], lengths), tf.int64)
        self.annotations = tf.constant(np.concatenate([r.annotation_ids for r in records]), tf.int64)

    def in_groups(self, values, filling: int):
        """One value a photo (N,) as (groups, GROUP), the end filled."""
        missing = self.groups * GROUP - self.count
        return tf.reshape(tf.pad(values, [[0, missing]], constant_values=filling), [-1, GROUP])

    def epoch(self, epoch, seed):
        """An epoch's photos, shuffled: per group epoch, number, photos (-1: none) and the people before each."""
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), tf.stack([seed, epoch]))
        firsts = tf.cumsum(tf.gather(self.splits[1:] - self.splits[:-1], order), exclusive=True)
        numbers = tf.range(self.groups, dtype=tf.int64)
        return tf.fill([self.groups], epoch), numbers, self.in_groups(order, -1), self.in_groups(firsts, 0)

    def rows(self, photos, most):
        """The people of photos (G,) as rows of the table, at most `most` of each: ragged (G, people)."""
        starts = tf.gather(self.splits, tf.maximum(photos, 0))
        lengths = tf.minimum(tf.gather(self.splits, photos + 1) - starts, most)
        return tf.ragged.range(starts, starts + tf.where(photos < 0, tf.zeros_like(lengths), lengths))

    def keypoints_and_boxes(self, rows):
        """Keypoints (P, K, 3) and boxes (P, 4) in photo pixels, of all people of a group."""
        return tf.gather(self.keypoints, rows.values), tf.gather(self.boxes, rows.values)

    def group(self, photos, rows, keypoints, draws, order, size, skeleton):
        """(photos to read, with an affine and a colour for each person; the people's labels in `order`; `order`)."""
        affine = views.affines(draws, size)
        known = tf.maximum(photos, 0)
        reading = (
            tf.gather(self.paths, known),
            tf.gather(self.sizes, known),
            rows.with_values(affine),
            rows.with_values(draws.colour),
        )
        moved = views.mapped(keypoints, affine, draws.mirror, skeleton)[:, None]  # one person to a view
        moved = tf.ensure_shape(moved, [None, 1, skeleton.count, 3])
        labels = {
            "keypoints": moved,
            "image_id": tf.gather(self.ids, rows.values),
            "annotation_id": tf.gather(self.annotations, rows.values),
        }
        return reading, {name: tf.gather(values, order) for name, values in labels.items()}, order


def _cut(groups: tf.data.Dataset, size, warp: str, workers) -> tf.data.Dataset:
    """A group's people with their views, in the group's order. Only this step reads photos, so only it is parallel."""
    photos = groups.flat_map(lambda reading, labels, order: tf.data.Dataset.from_tensor_slices(reading))  # noqa: ARG005
    images = photos.map(
        lambda path, photo_size, affine, colour: views.read(path, photo_size, affine, colour, size, warp),
        num_parallel_calls=workers,
        deterministic=True,
    )
    images = images.ragged_batch(GROUP, drop_remainder=True)

    def join(group, images):
        _, labels, order = group
        return {"image": tf.gather(images.values, order), **labels}

    return tf.data.Dataset.zip(groups, images).map(join)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # TensorFlow 2.21's autotuner can hold back the end of an iterator for seconds on few cores.
    options.autotune.enabled = False
    options.deterministic = True
    return options
