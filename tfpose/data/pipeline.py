"""The input pipeline: records -> batches of views, each photo decoded once for all its people.

What a run sees depends on the seed and the epoch alone: not on the number of workers, nor on where it was resumed.
Chance is drawn for a group of photos at once, and its photos are read in parallel. What a group gives is for
`persons.py` and `images.py` to say: a view a person, or a view an image.
"""

import numpy as np
import tensorflow as tf

from tfpose.data import views
from tfpose.data.images import Images
from tfpose.data.persons import Persons


def people(records) -> int:
    """The number of people with keypoints."""
    return sum(len(r.boxes) for r in records)


def count(records, view: str = "person") -> int:
    """The number of samples in an epoch before the incomplete last batch is dropped: people, or images with people."""
    return people(records) if view == "person" else sum(len(r.boxes) > 0 for r in records)


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
    view="person",
    stride=1,
    labels=(),
    start_epoch=0,
    warp="auto",
    workers=tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Endless batches of `encode`'s (inputs, targets), count // batch of them an epoch, from `start_epoch` on.

    `size` is (height, width) of the views, `augment` a `config.Augment`, `encode` takes a whole batch; `stride` is that
    of the grid on which a view of an "image" says what is to be ignored, `labels` what it has beside: "boxes", "mask"
    (`images.Images`). Raises ValueError where nobody is in the records, or fewer samples than a batch takes.
    """
    kept = count(records, view) // batch * batch
    plans = _plans(records, view, size, padding, skeleton, stride, labels)
    if not kept:
        raise ValueError(
            f"train.batch: {batch}, of {count(records, view)} samples in the training part; choose a smaller batch"
        )

    def plan(epoch, number, photos, firsts):
        source = tf.stack([seed + 2_000_003 * epoch, 4 * number])
        return plans.drawn(photos, tf.maximum(kept - firsts, 0), augment, source)

    def groups(epoch):
        return tf.data.Dataset.from_tensor_slices(plans.table.epoch(epoch, seed, plans.samples))

    epochs = tf.data.Dataset.range(start_epoch, np.iinfo(np.int64).max)
    batches = plans.batches(epochs.flat_map(groups).map(plan), views.choose(warp), workers, batch, drop_remainder=True)
    return batches.map(encode, num_parallel_calls=workers, deterministic=True).prefetch(4).with_options(_options())


def validation(
    records,
    encode,
    *,
    size,
    padding,
    skeleton,
    batch,
    view="person",
    stride=1,
    labels=(),
    warp="auto",
    workers=tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Every sample once, in the order of the file, without chance; the last batch may be smaller."""
    plans = _plans(records, view, size, padding, skeleton, stride, labels)
    photos = plans.table.in_groups(tf.range(plans.table.count, dtype=tf.int64), -1)
    groups = tf.data.Dataset.from_tensor_slices(photos).map(plans.plain)
    batches = plans.batches(groups, views.choose(warp), workers, batch, drop_remainder=False)
    batches = batches.apply(tf.data.experimental.assert_cardinality(-(-count(records, view) // batch)))
    return batches.map(encode, num_parallel_calls=workers, deterministic=True).prefetch(2).with_options(_options())


def _plans(records, view, size, padding, skeleton, stride, labels):
    if view == "person":
        return Persons(records, size, padding, skeleton)
    return Images(records, size, padding, skeleton, stride, labels)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # TensorFlow 2.21's autotuner can hold back the end of an iterator for seconds on few cores.
    options.autotune.enabled = False
    options.deterministic = True
    return options
