"""The input pipeline: records -> batches of views, each photo decoded once for all its people.

What a run sees depends on the seed and the epoch alone: not on the number of workers, nor on where it was resumed.
`share.py` says which of an epoch's samples are read here: all, or where several machines train those of one.
Chance is drawn for a group of photos at once, and its photos are read in parallel. What a group gives is for
`persons.py` and `images.py` to say: a view a person, or a view an image. Where labels are all that is learnt from,
no photo is read, and `labels.py` makes the batches.
"""

import functools

import tensorflow as tf

from tfpose.data import buckets as sized
from tfpose.data import crops, views
from tfpose.data import labels as alone
from tfpose.data import service as services
from tfpose.data import share as shares
from tfpose.data.epochs import Epochs
from tfpose.data.images import Images
from tfpose.data.persons import Persons
from tfpose.data.share import WHOLE


def people(records) -> int:
    """The number of people with keypoints."""
    return sum(len(r.boxes) for r in records)


def count(records, view: str = "person", labels: tuple[str, ...] = (), batch: int = 1) -> int:
    """The number of samples in an epoch before the incomplete last batch is dropped: people, or images with people.

    Of labels alone, the places for people in batches of about `batch` (`labels.count`).
    """
    if view == "labels":
        return alone.count(records, labels, batch)
    return people(records) if view == "person" else sum(len(r.boxes) > 0 for r in records)


@tf.autograph.experimental.do_not_convert  # nothing is decided in Python here; converting would take seconds
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
    buckets=(),
    start_epoch=0,
    start_step=0,
    share=WHOLE,
    warp="auto",
    workers=tf.data.AUTOTUNE,
    service="",
) -> tf.data.Dataset:
    """Endless batches of `encode`'s (inputs, targets), count // batch of them an epoch, from `start_epoch` on.

    They begin with batch `start_step` of that epoch; of each come the parts of `share`, one after the other.

    `size` is (height, width) of the views, `augment` a `config.Augment`, `encode` takes a whole batch; `stride` is that
    of the grid on which a view of an "image" says what is to be ignored, `labels` what it has beside: "boxes", "mask"
    (`images.Images`), or of labels alone whether a sample is a "person" or an "image". `buckets` are sizes of views of
    whole photos, each batch of one of them, in place of `size` (`buckets.py`). With the address of a `service` other
    machines make the batches, the same ones (`service.py`). Raises ValueError where nobody is in the records, or fewer
    samples than a batch takes; where they are crops that lack what is to be seen; for what a service cannot do.
    """
    if service and (view == "labels" or buckets):
        found = "a system that learns from labels alone" if view == "labels" else "train.buckets"
        raise ValueError(f"data.service: found with {found}, whose batches are made here alone; leave it out")
    if view == "labels":
        common = {"labels": labels, "skeleton": skeleton, "batch": batch}
        whole = alone.training(records, encode, **common, augment=augment, seed=seed, start_epoch=start_epoch)
        return share.parts(batch, whole.skip(start_step))
    crops.sufficient(records, view, size, padding, augment)
    kept = count(records, view) // batch * batch
    plans = _plans(records, view, size, padding, skeleton, stride, labels)
    if not kept:
        raise ValueError(
            f"train.batch: {batch}, of {count(records, view)} samples in the training part; choose a smaller batch"
        )
    if buckets:
        chance = {"augment": augment, "seed": seed, "start_epoch": start_epoch, "start_step": start_step}
        common = {"batch": batch, "share": share, "warp": views.choose(warp), "workers": workers}
        return sized.training(plans, buckets, encode, **chance, **common).with_options(_options())
    common = {"encode": encode, "augment": augment, "seed": seed, "batch": batch, "share": share, "workers": workers}
    if service:
        epochs = Epochs(plans, kept=kept, warp="graph", **common)
        batches = services.distributed(epochs, service, start_epoch * epochs.steps + start_step)
    else:
        batches = Epochs(plans, kept=kept, warp=views.choose(warp), **common).endless(start_epoch, start_step)
    return batches.prefetch(4).with_options(_options())


@tf.autograph.experimental.do_not_convert
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
    buckets=(),
    share=WHOLE,
    warp="auto",
    workers=tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Every sample of `share` once, in the order of the file, without chance; the last batches may be smaller.

    With `buckets` those of one size come after those of another, and the last batches of each may be smaller.
    """
    if view == "labels":
        return share.parts(batch, alone.validation(records, encode, labels=labels, skeleton=skeleton, batch=batch))
    if buckets:
        common = {"padding": padding, "skeleton": skeleton, "batch": batch, "view": view, "stride": stride}
        common |= {"labels": labels, "share": share, "warp": warp, "workers": workers}
        parts = sized.split(records, buckets)
        each = [validation(part, encode, size=size, **common) for size, part in parts.items()]
        return functools.reduce(tf.data.Dataset.concatenate, each)
    crops.sufficient(records, view, size, padding)
    plans = _plans(records, view, size, padding, skeleton, stride, labels)
    photos = plans.table.in_groups(tf.range(plans.table.count, dtype=tf.int64), -1)
    firsts = plans.table.in_groups(tf.cumsum(plans.samples, exclusive=True), 0)[:, 0]

    def plan(photos, first):
        group = plans.plain(photos)
        if share.replicas == 1:
            return group
        return shares.chosen(group, share.wanted(first + tf.range(shares.samples(group), dtype=tf.int64), batch))

    groups = tf.data.Dataset.from_tensor_slices((photos, firsts)).map(plan)
    batches = plans.batches(groups, views.choose(warp), workers, share.part(batch), drop_remainder=False)
    if share.replicas == 1:
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
