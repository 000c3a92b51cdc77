"""Batches of labels alone: everybody once, easy ones first, the same for a seed and an epoch wherever a run begins."""

import numpy as np
import pytest

from tfpose.config import Augment
from tfpose.data import labels, pipeline, scenes
from tfpose.data.coco import Record
from tfpose.skeleton import COCO17

PLAIN = Augment(mirror=0.0)


def record(image: int, people: int, known: int = 17) -> Record:
    """People of growing size side by side, each with its first `known` keypoints."""
    draw, ids = np.random.default_rng(image), np.arange(people) + 100 * image
    number = np.arange(people)
    boxes = np.column_stack([60 * number, 0 * number, 40 + number, 40 + number]).astype(np.float32)
    points = boxes[:, None, :2] + draw.uniform(1, 39, (people, 17, 2))
    seen = np.where(np.arange(17) < known, 2, 0)
    keypoints = np.concatenate([points, np.broadcast_to(seen[:, None], (people, 17, 1))], axis=-1).astype(np.float32)
    return Record(image, "", 640, 480, keypoints, boxes, boxes[:, 2:].prod(axis=1), ids)


RECORDS = [record(1, 3), record(2, 1, known=5), record(3, 2, known=1), record(4, 9), record(5, 1), record(6, 0)]
IMAGES, PEOPLE = ("image",), ("person",)


def batches(kind, count, *, augment=PLAIN, batch=4, seed=0, start=0):
    common = {"view": "labels", "labels": kind, "size": None, "padding": 1.0, "skeleton": COCO17}
    data = pipeline.training(RECORDS, lambda b: b, **common, augment=augment, batch=batch, seed=seed, start_epoch=start)
    return list(data.take(count).as_numpy_iterator())


def validated(kind, batch=4):
    common = {"view": "labels", "labels": kind, "size": None, "padding": 1.0, "skeleton": COCO17}
    return list(pipeline.validation(RECORDS, lambda b: b, **common, batch=batch).as_numpy_iterator())


def same(first, second) -> bool:
    return all(np.array_equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a)


def test_everybody_with_two_keypoints_is_a_sample_and_nobody_else():
    assert pipeline.count(RECORDS, "labels", PEOPLE, 4) == 14
    ids = np.concatenate([b["annotation_id"] for b in validated(PEOPLE)])
    assert sorted(ids) == sorted(i for r in RECORDS if r.image_id != 3 for i in r.annotation_ids)


def test_people_with_most_keypoints_and_the_largest_come_first_in_every_epoch():
    first, second = (np.concatenate([b["annotation_id"] for b in batches(PEOPLE, 3, start=e)]) for e in (0, 1))
    assert np.array_equal(first, second) and first[0] == 408  # the largest of nine, all keypoints seen
    counts = [(b["keypoints"][..., 2] > 0).sum(axis=(1, 2)) for b in batches(PEOPLE, 3)]
    assert (np.diff(np.concatenate(counts)) <= 0).all()


def test_a_person_is_seen_with_everybodys_keypoints_of_which_only_its_own_are_its():
    for batch in batches(PEOPLE, 3):
        for i, identity in enumerate(batch["annotation_id"]):
            found = next(r for r in RECORDS if identity in r.annotation_ids)
            own = found.keypoints[list(found.annotation_ids).index(identity)]
            assert (batch["candidates"][i, :, 3] > 0).sum() == (found.keypoints[..., 2] > 0).sum()
            mine = batch["candidates"][i, batch["owners"][i] == 0]
            assert sorted(mine[:, 1]) == sorted(own[own[:, 2] > 0, 0])
            assert np.array_equal(batch["keypoints"][i, 0, :, :2] * (own[:, 2:] > 0), own[:, :2] * (own[:, 2:] > 0))


def test_an_epoch_of_images_has_every_crowd_and_a_quarter_of_those_who_are_alone():
    for epoch in range(4):
        steps = pipeline.count(RECORDS, "labels", IMAGES, 4) // 4
        images = np.concatenate([b["annotation_id"] for b in batches(IMAGES, steps, start=epoch)]) // 100
        assert len(images) == 4 and set(images) >= {1, 3, 4} and len(set(images) & {2, 5}) == 1


def test_images_of_about_as_many_people_share_a_batch():
    sizes = [b["boxes"].shape[1] for b in validated(IMAGES, batch=8)]
    assert sorted(sizes) == [2, 3, 9]


def test_rows_that_are_not_used_are_zeros_and_nobodys():
    (batch,) = (b for b in validated(IMAGES) if b["boxes"].shape[1] == 2)
    alone = np.flatnonzero(batch["boxes"][:, 1].sum(axis=-1) == 0)
    assert len(alone) == 2 and not batch["keypoints"][alone, 1].any()
    unused = batch["candidates"][..., 3] == 0
    assert (batch["owners"][unused] == -1).all() and not batch["candidates"][unused].any()


@pytest.mark.parametrize("kind", [PEOPLE, IMAGES])
def test_a_run_sees_the_same_wherever_it_begins_and_other_things_with_another_seed(kind):
    augment = Augment(mirror=0.5, noise=0.5)
    steps = pipeline.count(RECORDS, "labels", kind, 4) // 4
    whole = batches(kind, 3 * steps, augment=augment)
    assert same(whole[2 * steps :], batches(kind, steps, augment=augment, start=2))
    assert not same(whole[:1], batches(kind, 1, augment=augment, seed=1))


def test_errors_leave_everybody_enough_to_learn_from():
    for batch in batches(PEOPLE, 9, augment=Augment(mirror=0.0, noise=1.0)):
        assert ((batch["owners"] == 0).sum(axis=1) >= labels.FEWEST).all()


def test_fewer_people_than_a_batch_takes_are_refused():
    with pytest.raises(ValueError, match=r"train\.batch: 20, of 14 people in the training part"):
        batches(PEOPLE, 1, batch=20)


def test_a_scene_says_whose_each_keypoint_is_in_an_order_of_its_own():
    one, other = (scenes.scene(RECORDS[0], np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one.candidates, other.candidates)
    for scene in (one, other):
        order = [list(RECORDS[0].annotation_ids).index(i) for i in scene.persons]
        assert np.array_equal(scene.keypoints()[..., :2], RECORDS[0].keypoints[order][..., :2])
        assert np.array_equal(scene.boxes, RECORDS[0].boxes[order])


def test_a_mirrored_scene_mirrored_again_is_itself():
    scene = scenes.scene(RECORDS[3], np.random.default_rng(0))
    mirrored = scenes.mirrored(scene, COCO17)
    twice = scenes.mirrored(mirrored, COCO17)
    assert np.allclose(twice.candidates, scene.candidates, atol=1e-4) and np.allclose(twice.boxes, scene.boxes)
    inside = (mirrored.candidates[:, 1] + 0.5 - mirrored.boxes[mirrored.owners, 0]) / mirrored.boxes[mirrored.owners, 2]
    before = (scene.candidates[:, 1] + 0.5 - scene.boxes[scene.owners, 0]) / scene.boxes[scene.owners, 2]
    assert np.allclose(inside, 1 - before, atol=1e-4)


def test_of_a_noisy_scene_some_people_and_keypoints_are_missing_and_some_keypoints_are_nobodys():
    crowd = record(7, 400)
    scene = scenes.noisy(scenes.scene(crowd, np.random.default_rng(0)), COCO17.sigmas, np.random.default_rng(1))
    seen = len(np.unique(scene.owners[scene.owners >= 0])) / 400
    own = (scene.owners >= 0).sum()
    assert seen == pytest.approx(0.6, abs=0.08) and own == pytest.approx(0.9 * seen * 400 * 17, rel=0.02)
    assert (scene.owners < 0).sum() / own == pytest.approx(0.1, abs=0.02)
