"""A view a person: what a group of photos gives to a top-down system."""

import tensorflow as tf

from tfpose.data import augment as chance
from tfpose.data import table, views
from tfpose.data.table import Table


class Persons:
    """The plan of a group's photos, as the pipeline asks for it, and the batches that come of it."""

    def __init__(self, records, size, padding, skeleton):
        self.table = Table(records)
        self.size, self.padding, self.skeleton = size, padding, skeleton
        self.samples = self.table.people

    def drawn(self, photos, left, augment, seed):
        """A group in training, `left` (G,) the most samples of each photo, with everything that chance does."""
        rows = self.table.rows(photos, left)
        keypoints, boxes = self.table.keypoints_and_boxes(rows)
        draws = chance.draw(augment, keypoints, boxes, self.padding, self.skeleton, seed)
        order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(boxes)[0]), seed + [0, 3])
        return self._group(photos, rows, keypoints, draws, order)

    def plain(self, photos):
        """A group without chance, in the order of the file."""
        rows = self.table.rows(photos, self.table.most)
        keypoints, boxes = self.table.keypoints_and_boxes(rows)
        return self._group(photos, rows, keypoints, chance.none(boxes, self.padding), tf.range(tf.shape(boxes)[0]))

    def _group(self, photos, rows, keypoints, draws, order):
        """(photos to read, with what chance says of each person; the people's labels in `order`; `order`)."""
        affine, known = views.affines(draws, self.size), tf.maximum(photos, 0)
        reading = (
            tf.gather(self.table.paths, known),
            tf.gather(self.table.sizes, known),
            rows.with_values(affine),
            rows.with_values(draws.colour),
            rows.with_values(draws.erased),
        )
        moved = views.mapped(keypoints, affine, draws.mirror, self.skeleton)[:, None]  # one person to a view
        moved = tf.ensure_shape(moved, [None, 1, self.skeleton.count, 3])
        labels = {
            "keypoints": moved,
            "image_id": tf.gather(self.table.ids, rows.values),
            "annotation_id": tf.gather(self.table.annotations, rows.values),
        }
        return reading, {name: tf.gather(values, order) for name, values in labels.items()}, order

    def batches(self, groups, warp, workers, batch, drop_remainder) -> tf.data.Dataset:
        """The groups' people with their views, mixed. Only what reads photos takes time, so only that is parallel."""
        photos = groups.flat_map(lambda reading, labels, order: tf.data.Dataset.from_tensor_slices(reading))  # noqa: ARG005
        images = photos.map(
            lambda *reading: {"image": views.read(*reading, self.size, warp)},
            num_parallel_calls=workers,
            deterministic=True,
        )
        images = images.ragged_batch(table.GROUP, drop_remainder=True)

        def join(group, images):
            _, labels, order = group
            return {"image": tf.gather(images["image"].values, order)} | labels

        return tf.data.Dataset.zip(groups, images).map(join).rebatch(batch, drop_remainder)
