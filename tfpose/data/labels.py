"""Labels alone: batches of boxes and keypoints for systems that learn whose keypoint is whose, and read no photo.

A sample is a `scenes.Scene`: with all boxes of an image, or with that of one person and everybody's keypoints. What a
run sees depends on the seed and the epoch alone. In shapes B is the samples of a batch, P the boxes, N the keypoints.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import tensorflow as tf

from tfpose.data import scenes
from tfpose.data.scenes import Scene

FEWEST = 2  # keypoints of somebody who is a sample: the paper's
CROWDS = (2, 3, 5, 8, 13, 1000)  # images of up to so many people share a batch, so that little of it is padding
SMALLEST = 4  # images to a batch, however crowded
SINGLE = 4  # of images of one person, where there is little to tell apart, one in so many is a sample of an epoch


def count(records, labels: tuple[str, ...], batch: int) -> int:
    """The places for people in the batches of an epoch, in each `batch` or, where samples are images, about so many.

    `labels` says what a sample is: ("person",), or ("image",) with everybody in it.
    """
    if labels == ("person",):
        return len(persons(records))
    return batch * len(_groups(records, batch, np.random.default_rng(0)))


def training(records, encode, *, labels, skeleton, augment, batch, seed, start_epoch=0) -> tf.data.Dataset:
    """Endless batches of `encode`'s (inputs, targets), count // batch of them an epoch, from `start_epoch` on.

    Persons come by number of keypoints and area, easy ones first, in every epoch; images in any order. Both are
    mirrored by `augment.mirror` and get errors by `augment.noise`. ValueError where a batch finds too few people.
    """
    if (there := count(records, labels, batch)) < batch:
        raise ValueError(f"train.batch: {batch}, of {there} people in the training part; choose a smaller batch")

    def batches() -> Iterator[dict]:
        epoch = start_epoch
        while True:
            draw = np.random.default_rng([seed, epoch])
            if labels == ("person",):
                yield from _people(persons(records, by_ease=True), batch, _seen(augment, skeleton, draw), draw)
            else:
                see = _seen(augment, skeleton, draw)
                yield from (stacked([see(r) for r in group]) for group in _groups(records, batch, draw))
            epoch += 1

    return _dataset(batches, encode, skeleton.count)


def validation(records, encode, *, labels, skeleton, batch) -> tf.data.Dataset:
    """Every sample once without chance, persons in the order of the file, images by crowds; batches may be smaller."""
    people = labels == ("person",)
    known = [r for r in records if len(r.boxes)]
    groups = _cut(persons(known), batch) if people else _by_crowd(known, batch)

    def batches() -> Iterator[dict]:
        draw = np.random.default_rng(0)  # of the order of boxes and keypoints alone, on which nothing depends
        for group in groups:
            if people:
                yield stacked([alone(scenes.scene(r, draw), r.annotation_ids[i]) for r, i in group])
            else:
                yield stacked([scenes.scene(r, draw) for r in group])

    data = _dataset(batches, encode, skeleton.count)
    return data.apply(tf.data.experimental.assert_cardinality(len(groups)))


def persons(records, *, by_ease: bool = False) -> list[tuple]:
    """(record, index) of everybody with two keypoints or more, with `by_ease` those with most, the largest, first."""
    found = []
    for record in records:
        known = (record.keypoints[..., 2] > 0).sum(axis=1)
        found += [(-known[i], -record.areas[i], record, i) for i in np.flatnonzero(known >= FEWEST)]
    return [person[2:] for person in (sorted(found, key=lambda person: person[:2]) if by_ease else found)]


def alone(scene: Scene, person: int) -> Scene:
    """The scene with one person's box, in which all others' keypoints are nobody's."""
    mine = np.flatnonzero(scene.persons == person)
    owners = np.where(scene.owners == mine[0], 0, -1)
    return replace(scene, persons=scene.persons[mine], boxes=scene.boxes[mine], owners=owners)


def stacked(group: list[Scene]) -> dict[str, np.ndarray]:
    """A batch of scenes: candidates (B, N, 4), boxes (B, P, 4), keypoints (B, P, K, 3), owners (B, N), the first's id.

    Rows that are not used are zeros; they belong to nobody, -1.
    """
    people, most = (max(1, *(len(a) for a in arrays)) for arrays in zip(*((s.boxes, s.candidates) for s in group)))
    batch = {
        "candidates": np.zeros((len(group), most, 4), np.float32),
        "boxes": np.zeros((len(group), people, 4), np.float32),
        "keypoints": np.zeros((len(group), people, group[0].count, 3), np.float32),
        "owners": np.full((len(group), most), -1, np.int32),
        "annotation_id": np.array([s.persons[0] for s in group], np.int64),
    }
    for i, scene in enumerate(group):
        batch["candidates"][i, : len(scene.candidates)] = scene.candidates
        batch["owners"][i, : len(scene.owners)] = scene.owners
        batch["boxes"][i, : len(scene.boxes)] = scene.boxes
        batch["keypoints"][i, : len(scene.boxes)] = scene.keypoints()
    return batch


def _people(everybody: list, batch: int, see: Callable, draw: np.random.Generator) -> Iterator[dict]:
    def one(record, index) -> Scene:
        person = record.annotation_ids[index]
        found = alone(see(record), person)
        # Errors that leave too little of this one are not made.
        return found if (found.owners == 0).sum() >= FEWEST else alone(scenes.scene(record, draw), person)

    whole = len(everybody) // batch * batch
    return (stacked([one(*person) for person in group]) for group in _cut(everybody[:whole], batch))


def _seen(augment, skeleton, draw: np.random.Generator) -> Callable:
    """What makes a record the scene that training sees."""

    def see(record) -> Scene:
        scene = scenes.scene(record, draw)
        if draw.random() < augment.noise:
            scene = scenes.noisy(scene, skeleton.sigmas, draw)
        return scenes.mirrored(scene, skeleton) if draw.random() < augment.mirror else scene

    return see


def _groups(records, batch: int, draw: np.random.Generator) -> list[list]:
    """An epoch's records, as many groups in every epoch: batches of about as many people each, in any order."""
    crowds = [r for r in records if len(r.boxes) > 1]
    singles = [r for r in records if len(r.boxes) == 1]
    chosen = draw.permutation(len(singles))[: -(-len(singles) // SINGLE)]
    known = crowds + [singles[i] for i in chosen]
    found = _by_crowd([known[i] for i in draw.permutation(len(known))], batch)
    return [found[i] for i in draw.permutation(len(found))]


def _by_crowd(records: list, batch: int) -> list[list]:
    members = {crowd: [] for crowd in CROWDS}
    for record in records:
        members[next(c for c in CROWDS if len(record.boxes) <= c)].append(record)
    return [group for crowd, those in members.items() for group in _cut(those, max(SMALLEST, batch // crowd))]


def _cut(values: list, size: int) -> list[list]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def _dataset(batches: Callable, encode, count: int) -> tf.data.Dataset:
    shapes = {"candidates": (None, None, 4), "boxes": (None, None, 4), "keypoints": (None, None, count, 3)}
    signature = {name: tf.TensorSpec(shape, tf.float32) for name, shape in shapes.items()}
    signature |= {"owners": tf.TensorSpec((None, None), tf.int32), "annotation_id": tf.TensorSpec((None,), tf.int64)}
    return tf.data.Dataset.from_generator(batches, output_signature=signature).map(encode).prefetch(4)
