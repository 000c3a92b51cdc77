"""The input pipeline: records -> batches of views, each photo decoded once for all its people.

What a run sees depends on the seed and the epoch alone: not on the number of workers, nor on where it was resumed.
"""

import numpy as np
import tensorflow as tf

from tfpose.data import augment as chance
from tfpose.data import views

GROUP = 32  # photos whose people are mixed before they are cut into batches


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
    """Endless batches of `encode`'s (inputs, targets), people // batch of them an epoch, from `start_epoch` on."""
    table = _Table(records)
    kept = people(records) // batch * batch
    warp = views.choose(warp)

    def cut(epoch, photo, first):
        """The people of one photo that the epoch keeps; photo -1 has none."""
        keypoints, boxes, ids, annotations = (t[: tf.maximum(kept - first, 0)] for t in table.people(photo))
        numbers = tf.stack([seed + 2_000_003 * epoch, photo * 4])
        draws = chance.draw(augment, keypoints, boxes, padding, skeleton, numbers)
        return _views(table, photo, keypoints, ids, annotations, draws, size, skeleton, warp)

    photos = tf.data.Dataset.range(start_epoch, np.iinfo(np.int32).max, output_type=tf.int32)
    photos = photos.flat_map(lambda epoch: tf.data.Dataset.from_tensor_slices(table.order(epoch, seed)))
    people_of_photo = photos.map(cut, num_parallel_calls=workers, deterministic=True)
    groups = people_of_photo.ragged_batch(GROUP, drop_remainder=True)
    mixed = groups.enumerate(tf.cast(start_epoch * table.groups, tf.int64)).map(lambda n, group: _mix(n, group, seed))
    batches = mixed.rebatch(batch, drop_remainder=True).map(encode, num_parallel_calls=workers, deterministic=True)
    return batches.prefetch(4).with_options(_options())


def validation(
    records, encode, *, size, padding, skeleton, batch, warp="auto", workers=tf.data.AUTOTUNE
) -> tf.data.Dataset:
    """Every person once, in the order of the file, without chance; the last batch may be smaller."""
    table = _Table(records)
    warp = views.choose(warp)

    def cut(photo):
        keypoints, boxes, ids, annotations = table.people(photo)
        draws = chance.none(boxes, padding)
        return _views(table, photo, keypoints, ids, annotations, draws, size, skeleton, warp)

    photos = tf.data.Dataset.range(table.count, output_type=tf.int32)
    samples = photos.map(cut, num_parallel_calls=workers, deterministic=True).rebatch(batch)
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
        self.splits = tf.constant(np.concatenate([[0], np.cumsum(lengths)]), tf.int32)
        self.keypoints = tf.constant(np.concatenate([r.keypoints for r in records]), tf.float32)
        self.boxes = tf.constant(np.concatenate([r.boxes for r in records]), tf.float32)
        self.ids = tf.constant(np.repeat([r.image_id for r in records], lengths), tf.int64)
        self.annotations = tf.constant(np.concatenate([r.annotation_ids for r in records]), tf.int64)

    def order(self, epoch, seed):
        """An epoch's photos (epoch, index, people before it), shuffled, filled with index -1 to whole groups."""
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count), seed=[seed, epoch])
        lengths = tf.gather(self.splits[1:] - self.splits[:-1], order)
        firsts = tf.cumsum(lengths, exclusive=True)
        missing = self.groups * GROUP - self.count
        order, firsts = tf.pad(order, [[0, missing]], constant_values=-1), tf.pad(firsts, [[0, missing]])
        return tf.fill(tf.shape(order), epoch), order, firsts

    def people(self, photo):
        """Keypoints (P, K, 3), boxes (P, 4), image ids and annotation ids (P,) of a photo's people; -1 has none."""
        start = self.splits[tf.maximum(photo, 0)]
        end = tf.where(photo < 0, start, self.splits[photo + 1])
        return tuple(t[start:end] for t in (self.keypoints, self.boxes, self.ids, self.annotations))


def _views(table: _Table, photo, keypoints, ids, annotations, draws, size, skeleton, warp):
    affine = views.affines(draws, size)
    moved = views.mapped(keypoints, affine, draws.mirror, skeleton)[:, None]  # one person to a view
    moved = tf.ensure_shape(moved, [None, 1, skeleton.count, 3])
    images = tf.cond(
        tf.shape(affine)[0] > 0,
        lambda: views.cut(*_decoded(table, photo, affine, size), draws.colour, size, warp),
        lambda: tf.zeros([0, *size, 3], tf.uint8),
    )
    return {"image": images, "keypoints": moved, "image_id": ids, "annotation_id": annotations}


def _decoded(table: _Table, photo, affine, size):
    """The part of the photo that is needed, and the affines from there: decoding is most of the work, so it is cut."""
    photo = tf.maximum(photo, 0)
    data = tf.io.read_file(table.paths[photo])
    needed = views.region(affine, size, table.sizes[photo])

    def whole():
        image = tf.io.decode_image(data, 3, expand_animations=False)
        return tf.slice(image, [needed[0], needed[1], 0], [needed[2], needed[3], 3])

    image = tf.cond(tf.io.is_jpeg(data), lambda: tf.io.decode_and_crop_jpeg(data, needed, channels=3), whole)
    corner = tf.cast(tf.stack([needed[1], needed[0]]), tf.float32)
    offset = tf.linalg.matvec(affine[:, :, :2], corner)
    return image, tf.concat([affine[:, :, :2], (affine[:, :, 2] + offset)[..., None]], axis=2)


def _mix(number, group, seed):
    """The people of a group of photos in another order, so that those of one photo do not stand together."""
    flat = {name: ragged.values if isinstance(ragged, tf.RaggedTensor) else ragged for name, ragged in group.items()}
    people = tf.range(tf.shape(flat["image_id"])[0])
    order = tf.random.experimental.stateless_shuffle(people, seed=[seed, tf.cast(number, tf.int32)])
    return {name: tf.gather(values, order) for name, values in flat.items()}


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # TensorFlow 2.21's autotuner can hold back the end of an iterator for seconds on few cores.
    options.autotune.enabled = False
    options.deterministic = True
    return options
