"""A view an image: every image once an epoch, everybody in it, and nothing that seed and epoch do not decide."""

import itertools

import folders
import numpy as np
import pytest
from PIL import Image

from tfpose import geometry
from tfpose.config import Augment
from tfpose.data import coco, pipeline, table
from tfpose.skeleton import COCO17

SIZE, STRIDE = (64, 80), 8
STRONG = Augment(shift=0.1, half_body=0.0, brightness=0.2)
NONE = Augment(rotation=0.0, scale=(1.0, 1.0), mirror=0.0, half_body=0.0)
PEOPLE, BATCH = (1, 3, 0, 2, 4, 1, 2), 2
NOBODY = {"keypoints": [0] * 51, "num_keypoints": 0}
CROWD = (60, 20, 30, 50)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Seven photos, one of them without people; on each a person without keypoints, which is to be ignored."""
    folder = tmp_path_factory.mktemp("people")
    photos = [folders.photo(folder, i, suffix="png") for i, _ in enumerate(PEOPLE, 1)]
    ids = itertools.count(1)
    people = [folders.person(next(ids), i, (10 * j + 5, 8, 30, 60)) for i, p in enumerate(PEOPLE, 1) for j in range(p)]
    people += [folders.person(next(ids), i, CROWD) | NOBODY for i, _ in enumerate(PEOPLE, 1)]
    return coco.load(folders.write(folder, photos, people), folder, COCO17).records


def options(**more) -> dict:
    return {"size": SIZE, "padding": 1.5, "skeleton": COCO17, "batch": BATCH, "view": "image", "stride": STRIDE} | more


def training(records, *, steps: int, augment=STRONG, **more) -> list[dict]:
    data = pipeline.training(records, lambda batch: batch, augment=augment, **options(**{"seed": 5} | more))
    return list(data.take(steps).as_numpy_iterator())


def validation(records, **more) -> list[dict]:
    return list(pipeline.validation(records, lambda batch: batch, **options(**more)).as_numpy_iterator())


def labelled(batches: list[dict]) -> dict[int, int]:
    """{image id: people in its view that are not mere filling}."""
    return {
        int(i): int((k[..., 2] > 0).any(axis=-1).sum()) for b in batches for i, k in zip(b["image_id"], b["keypoints"])
    }


def same(first: list[dict], second: list[dict]) -> bool:
    return all(np.array_equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a)


def test_an_epoch_has_every_image_with_people_once_and_a_mere_crowd_never(records):
    assert pipeline.count(records, "image") == 6
    batches = training(records, steps=3)
    assert labelled(batches) == {i: n for i, n in enumerate(PEOPLE, 1) if n}
    assert [len(b["image"]) for b in batches] == [2, 2, 2]


def test_a_batch_has_places_for_the_people_that_are_there_and_the_others_are_zeros(records):
    for batch in training(records, steps=3):
        people = labelled([batch])
        assert batch["keypoints"].shape[1] == max(people.values())
        for image_id, keypoints in zip(batch["image_id"], batch["keypoints"]):
            assert keypoints[: people[int(image_id)], :, 2].all() and not keypoints[people[int(image_id)] :].any()


def test_a_batch_is_what_systems_expect(records):
    batch = training(records, steps=1)[0]
    assert batch["image"].shape == (BATCH, *SIZE, 3) and batch["image"].dtype == np.uint8
    assert batch["ignore"].shape == (BATCH, 8, 10) and batch["ignore"].dtype == np.float32
    assert batch["keypoints"].shape[2:] == (17, 3) and batch["keypoints"].dtype == np.float32
    assert batch["image_id"].shape == batch["annotation_id"].shape == (BATCH,)


@pytest.mark.parametrize("warp", ["graph", "opencv"])
def test_what_a_run_sees_depends_on_seed_and_epoch_alone(records, warp):
    first, second = training(records, steps=6, workers=1, warp=warp), training(records, steps=6, workers=4, warp=warp)
    assert same(first, second) and same(first[3:], training(records, steps=3, start_epoch=1, warp=warp))
    assert not same(first[:1], training(records, steps=1, seed=6, warp=warp))


def test_more_than_one_group_of_photos_is_as_good_as_one(records, monkeypatch):
    monkeypatch.setattr(table, "GROUP", 4)
    batches = training(records, steps=6)
    assert labelled(batches[:3]) == labelled(batches[3:]) == {i: n for i, n in enumerate(PEOPLE, 1) if n}
    assert same(batches[3:], training(records, steps=3, start_epoch=1))


def test_everybody_of_an_image_has_a_view_cut_around_some_time(records):
    around = [int(b["annotation_id"][0]) for b in training(records[4:5], steps=40, batch=1)]
    assert set(around) == {7, 8, 9, 10}


def test_without_chance_the_person_it_is_cut_around_lies_in_a_view_as_in_a_crop(records):
    known = {int(a): (r, i) for r in records for i, a in enumerate(r.annotation_ids)}
    for batch in training(records, steps=3, augment=NONE):
        for keypoints, annotation in zip(batch["keypoints"], batch["annotation_id"]):
            record, i = known[int(annotation)]
            affine = geometry.crop(record.boxes[i], SIZE, padding=1.5)
            expected = affine.apply(record.keypoints[..., :2])
            seen = keypoints[: len(expected), :, 2] > 0
            assert np.abs(keypoints[: len(expected), :, :2] - expected)[seen].max() < 1e-3


def test_validation_has_whole_images_in_the_order_of_the_file(records):
    batches = validation(records, batch=4)
    assert [i for b in batches for i in b["image_id"]] == [1, 2, 4, 5, 6, 7]
    assert [len(b["image"]) for b in batches] == [4, 2]
    record = records[0]
    affine = geometry.letterbox((record.height, record.width), SIZE)
    seen = record.keypoints[0, :, 2] > 0
    found = batches[0]["keypoints"][0, 0, :, :2]
    assert np.abs(found - affine.apply(record.keypoints[0, :, :2]))[seen].max() < 1e-3
    photo = np.asarray(Image.open(record.path).convert("RGB"))
    assert np.abs(batches[0]["image"][0].astype(int) - geometry.warp(photo, affine, SIZE)).max() <= 1


def test_a_mirrored_view_has_left_and_right_exchanged(records):
    plain, turned = (training(records, steps=3, augment=a) for a in (NONE, Augment(**vars(NONE) | {"mirror": 1.0})))
    for a, b in zip(plain, turned):
        assert np.abs(a["image"][:, :, ::-1].astype(int) - b["image"]).max() <= 1
        there = a["keypoints"][..., 2:] > 0
        mirrored = np.where(there, geometry.mirroring(SIZE[1]).apply(a["keypoints"][..., :2]), 0)
        assert np.abs(mirrored[:, :, list(COCO17.mirror)] - b["keypoints"][..., :2]).max() < 1e-3


def test_too_few_images_for_a_batch_are_refused(records):
    with pytest.raises(ValueError, match=r"train\.batch: 7, of 6 samples"):
        training(records, steps=1, batch=7)
