"""A view an image, with everybody in it: what a group of photos gives to a bottom-up system.

In training a person is drawn by chance, and the view is cut around that one as if it were alone, or the photo is as a
whole; the same affine maps everybody, the places where nothing is known, boxes and masks. In validation the view is
the whole image.
"""

import copy

import numpy as np
import tensorflow as tf

from tfpose.data import augment as chance
from tfpose.data import views
from tfpose.data.table import Table
from tfpose.progress import progress

MANY = 2000  # photos, from where on a bar shows that their regions are being drawn


class Images:
    """The plan of a group's photos, as the pipeline asks for it, and the batches that come of it."""

    def __init__(self, records, size, padding, skeleton, stride, labels=()):
        self.table = Table(records)
        self.size, self.padding, self.skeleton, self.stride = size, padding, skeleton, stride
        self.samples = tf.ones([self.table.count], tf.int64)
        self.ends = run_ends([r.ignore_mask if r.ignore else None for r in self.table.records], "ignored regions")
        self.bodies = self.boxes = None
        if "mask" in labels:
            self.bodies = run_ends([r.person_mask for r in self.table.records], "masks of persons")
        if "boxes" in labels:
            self.boxes = Boxes(self.table.records)

    def drawn(self, photos, left, augment, seed):
        """A group in training, a photo where `left` (G,) is more than 0, with everything that chance does."""
        photos = tf.boolean_mask(photos, (photos >= 0) & (left > 0))
        spread = tf.random.stateless_uniform(tf.shape(photos), tf.random.fold_in(seed, 0), dtype=tf.float64)
        who = tf.cast(spread * tf.cast(tf.gather(self.table.people, photos), tf.float64), tf.int64)
        centre = tf.gather(self.table.splits, photos) + who
        keypoints, boxes = tf.gather(self.table.keypoints, centre), tf.gather(self.table.boxes, centre)
        draws = chance.draw(augment, keypoints, boxes, self.padding, self.skeleton, seed)
        return self._group(photos, centre, views.affines(draws, self.size), draws)

    def whole(self, photos, augment, seed):
        """A group in training, each photo (G,) as a whole before chance moves it."""
        first = tf.gather(self.table.splits, photos)
        sides = tf.cast(tf.gather(self.table.sizes, photos), tf.float32)[:, ::-1]
        boxes = tf.concat([tf.zeros_like(sides), sides], axis=1)
        draws = chance.draw(augment, tf.gather(self.table.keypoints, first), boxes, 1.0, self.skeleton, seed)
        return self._group(photos, first, views.affines(draws, self.size), draws)

    def of_size(self, size):
        """The same, with views of another size."""
        other = copy.copy(self)
        other.size = size
        return other

    def plain(self, photos):
        """A group without chance, in the order of the file: whole images."""
        photos = tf.boolean_mask(photos, photos >= 0)
        first = tf.gather(self.table.splits, photos)
        affine = views.letterboxes(tf.gather(self.table.sizes, photos), self.size)
        none = chance.none(tf.gather(self.table.boxes, first), self.padding)
        return self._group(photos, first, affine, none)

    def _group(self, photos, centre, affine, draws):
        """(photos to read, with affine, colour and what is erased; their labels, with places for the most people)."""
        table = self.table
        sizes = tf.gather(table.sizes, photos)
        people = table.rows(photos, table.most)  # (G, people)
        which = people.value_rowids()
        keypoints = tf.gather(table.keypoints, people.values)
        moved = views.mapped(keypoints, tf.gather(affine, which), tf.gather(draws.mirror, which), self.skeleton)
        labels = {
            "keypoints": people.with_values(moved).to_tensor(shape=[None, table.most, self.skeleton.count, 3]),
            "ignore": covered(tf.gather(self.ends, photos), sizes, affine, self.size, self.stride),
            "image_id": tf.gather(table.ids, centre),
            "annotation_id": tf.gather(table.annotations, centre),
        }
        if self.bodies is not None:
            labels["mask"] = covered(tf.gather(self.bodies, photos), sizes, affine, self.size, self.stride)
        if self.boxes is not None:
            labels["boxes"] = self.boxes.views(photos, affine)
        reading = tf.gather(table.paths, photos), sizes, affine[:, None], draws.colour[:, None], draws.erased[:, None]
        return reading, labels

    def batches(self, groups, warp, workers, batch, drop_remainder) -> tf.data.Dataset:
        """The groups' images with their labels. They come in the order of the photos, which chance made already."""

        def read(reading, labels):
            return labels | {"image": views.read(*reading, self.size, warp)[0]}

        photos = groups.flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group))
        samples = photos.map(read, num_parallel_calls=workers, deterministic=True)
        return samples.batch(batch, drop_remainder).map(_fitting)


def _fitting(batch: dict) -> dict:
    """A batch with places for the people and the boxes that are there, and for no more."""
    there = {"keypoints": tf.reduce_any(batch["keypoints"][..., 2] > 0, axis=[0, 2])}
    if "boxes" in batch:
        there["boxes"] = tf.reduce_any(batch["boxes"][..., 2] > 0, axis=0)
    most = {name: tf.reduce_max(tf.where(some)) + 1 for name, some in there.items()}
    return batch | {name: batch[name][:, : most[name]] for name in most}


class Boxes:
    """The boxes of all persons on every photo, of those without keypoints too."""

    def __init__(self, records):
        rows = [np.concatenate([r.boxes, r.unposed]) for r in records]
        self.rows = tf.RaggedTensor.from_row_lengths(np.concatenate(rows), [len(row) for row in rows])
        self.most = max(len(row) for row in rows)

    def views(self, photos, affine):
        """The boxes around the boxes in views: (G, most, 4) float32 x, y, w, h; zeros for nobody."""
        boxes = tf.gather(self.rows, photos).to_tensor(shape=[None, self.most, 4])
        # A box ends on the edges of its pixels, half a pixel from their centres.
        sides = tf.constant([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        corners = boxes[:, :, None, :2] - 0.5 + boxes[:, :, None, 2:] * sides  # (G, most, 4, 2)
        corners = tf.einsum("gij,gmcj->gmci", affine[:, :, :2], corners) + affine[:, None, None, :, 2]
        low, high = tf.reduce_min(corners, axis=2), tf.reduce_max(corners, axis=2)
        somebody = tf.reduce_min(boxes[..., 2:], axis=-1, keepdims=True) > 0
        return tf.where(somebody, tf.concat([low + 0.5, high - low], axis=-1), 0.0)


def run_ends(masks, label) -> tf.RaggedTensor:
    """Where the runs of each photo's mask end, row after row: ragged (N, runs) int32; the first is not covered.

    `masks` (N,) are functions that give one, (height, width) bool, or None. A photo without one has no runs, one of
    COCO's with crowds about 600: little room for whole masks, in which a pixel is found by bisection.
    """
    items = progress(masks, len(masks), label) if len(masks) > MANY else masks
    ends = [_ends(mask()) if mask else np.zeros(0, np.int32) for mask in items]
    return tf.RaggedTensor.from_row_lengths(np.concatenate(ends), np.array([len(e) for e in ends], np.int64))


def _ends(mask: np.ndarray) -> np.ndarray:
    flat = np.concatenate([[False], mask.ravel()])
    return np.append(np.flatnonzero(flat[1:] != flat[:-1]), mask.size).astype(np.int32)


def covered(ends, photo_sizes, affine, size, stride):
    """1 in the cells whose centre lies on a covered pixel, (N, h, w) float32, of a view of each photo; 0 outside it.

    `ends` (N, runs) are those of `run_ends`, `photo_sizes` (N, 2) are height, width, `affine` (N, 2, 3) photo -> view.
    """
    grid = [side // stride for side in size]
    some = tf.where(ends.row_lengths() > 0)  # in most photos there is nothing to look for
    chosen = some[:, 0]
    ends, height, width = tf.gather(ends, chosen), *tf.unstack(tf.gather(photo_sizes, chosen)[..., None, None], axis=1)
    x, y = _pixels(tf.gather(affine, chosen), grid, stride)
    # The photos are put behind one another, so that one search serves all of them.
    area = tf.cast(height * width, tf.int64)
    start = tf.cumsum(area, exclusive=True)
    places = start + tf.cast(y * width + x, tf.int64)
    sorted_ends = tf.cast(ends.values, tf.int64) + tf.gather(start[:, 0, 0], ends.value_rowids())
    run = tf.searchsorted(sorted_ends, tf.reshape(places, [-1]), side="right", out_type=tf.int64)
    run = tf.reshape(run, tf.shape(places)) - ends.row_starts()[:, None, None]
    hit = (run % 2 == 1) & (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return tf.scatter_nd(some, tf.cast(hit, tf.float32), [tf.shape(affine, tf.int64)[0], *grid])


def _pixels(affine, grid, stride):
    """The photo's pixels x and y, each (N, h, w) int32, nearest to the centres of the cells of views."""
    rows, columns = ((tf.range(side, dtype=tf.float32) + 0.5) * stride - 0.5 for side in grid)
    points = tf.stack(tf.meshgrid(columns, rows), axis=-1)  # (h, w, 2)
    back = views.inverse(affine)
    places = tf.einsum("nij,hwj->nhwi", back[:, :, :2], points) + back[:, None, None, :, 2]
    return tf.unstack(tf.cast(tf.round(places), tf.int32), axis=-1)
