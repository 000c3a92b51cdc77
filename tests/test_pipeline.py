"""What a run sees depends on the seed and the epoch alone, and nobody is left out."""

import itertools

import folders
import numpy as np
import pytest

from tfpose.config import Augment
from tfpose.data import coco, pipeline, table
from tfpose.skeleton import COCO17

SIZE = (64, 48)
STRONG = Augment(shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2)
PEOPLE, BATCH = (1, 3, 0, 2, 4, 1, 2), 4  # in each photo


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Seven photos, one of them without people, 13 people in all: three batches of four, and one person over."""
    folder = tmp_path_factory.mktemp("people")
    images = [folders.photo(folder, i, suffix="png" if i == 2 else "jpg") for i, _ in enumerate(PEOPLE, 1)]
    ids = itertools.count(1)
    people = [folders.person(next(ids), i, (10 * j + 5, 8, 30, 60)) for i, p in enumerate(PEOPLE, 1) for j in range(p)]
    return coco.load(folders.write(folder, images, people), folder, COCO17).records


def training(records, *, steps: int, **options) -> list[dict]:
    settings = {"size": SIZE, "padding": 1.25, "skeleton": COCO17, "augment": STRONG, "batch": BATCH, "seed": 5}
    data = pipeline.training(records, lambda batch: batch, **(settings | options))
    return list(data.take(steps).as_numpy_iterator())


def validation(records, batch: int = BATCH, warp: str = "auto") -> list[dict]:
    options = {"size": SIZE, "padding": 1.25, "skeleton": COCO17, "batch": batch, "warp": warp}
    return list(pipeline.validation(records, lambda batch: batch, **options).as_numpy_iterator())


def together(batches: list[dict], name: str) -> np.ndarray:
    return np.concatenate([b[name] for b in batches])


def same(first: list[dict], second: list[dict]) -> bool:
    assert len(first) == len(second) > 0
    return all(np.array_equal(a[name], b[name]) for a, b in zip(first, second) for name in a)


@pytest.mark.parametrize("warp", ["graph", "opencv"])
def test_the_number_of_workers_changes_nothing(records, warp):
    assert same(*(training(records, steps=7, workers=n, warp=warp) for n in (1, 4)))


def test_a_run_resumed_at_an_epoch_sees_what_it_would_have_seen(records):
    assert same(training(records, steps=9)[3:], training(records, steps=6, start_epoch=1))


def test_both_warps_give_the_same_people(records):
    graph, opencv = (training(records, steps=6, warp=warp) for warp in ("graph", "opencv"))
    assert np.array_equal(together(graph, "annotation_id"), together(opencv, "annotation_id"))
    assert np.array_equal(together(graph, "keypoints"), together(opencv, "keypoints"))
    assert abs(together(graph, "image").astype(int) - together(opencv, "image")).max() <= 1


def test_an_epoch_has_everybody_once_but_for_the_incomplete_batch_and_that_changes(records):
    ids = together(training(records, steps=18), "annotation_id").reshape(6, 12)
    left_out = [set(range(1, 14)) - set(epoch) for epoch in ids]
    assert all(len(people) == 1 for people in left_out)
    assert len(set.union(*left_out)) > 2


def test_epochs_and_seeds_differ_in_order_and_in_views(records):
    runs = [training(records, steps=3, seed=s, start_epoch=e) for s, e in ((5, 0), (5, 1), (6, 0))]
    for a, b in itertools.combinations(runs, 2):
        assert not np.array_equal(together(a, "annotation_id"), together(b, "annotation_id"))
        views = [dict(zip(together(r, "annotation_id"), together(r, "keypoints"))) for r in (a, b)]
        assert all(abs(views[0][i] - views[1][i]).max() > 0.1 for i in views[0].keys() & views[1].keys())


def test_the_people_of_one_photo_do_not_stand_together(records):
    ids = together(training(records, steps=60), "image_id")
    # Of thirteen people drawn at random, two neighbours are of one photo in about one case of seven.
    assert np.mean(ids[1:] == ids[:-1]) < 0.3


def test_a_training_batch_is_whole_and_has_one_person_to_a_view(records):
    for batch in training(records, steps=5):
        assert batch["image"].shape == (BATCH, *SIZE, 3) and batch["image"].dtype == np.uint8
        assert batch["keypoints"].shape == (BATCH, 1, 17, 3) and batch["keypoints"].dtype == np.float32
        assert batch["image_id"].shape == batch["annotation_id"].shape == (BATCH,)


def test_validation_sees_everybody_once_in_the_order_of_the_file(records):
    batches = validation(records)
    assert [len(b["image"]) for b in batches] == [4, 4, 4, 1]
    assert together(batches, "annotation_id").tolist() == list(range(1, 14))
    assert together(batches, "image_id").tolist() == [i for i, p in enumerate(PEOPLE, 1) for _ in range(p)]


def test_validation_is_the_same_in_batches_of_one(records):
    assert np.array_equal(together(validation(records), "image"), together(validation(records, 1), "image"))


def test_the_length_of_validation_is_known_beforehand(records):
    data = pipeline.validation(records, lambda b: b, size=SIZE, padding=1.25, skeleton=COCO17, batch=BATCH)
    assert data.cardinality().numpy() == 4


def test_more_than_one_group_of_photos_is_as_good_as_one(records, monkeypatch):
    alone = training(records, steps=6)
    monkeypatch.setattr(table, "GROUP", 2)
    groups = training(records, steps=6)
    for epoch in (slice(0, 3), slice(3, 6)):
        assert set(together(groups[epoch], "annotation_id")) == set(together(alone[epoch], "annotation_id"))
    assert same(groups[3:], training(records, steps=3, start_epoch=1))
    assert together(validation(records), "annotation_id").tolist() == list(range(1, 14))


def test_encode_gets_whole_batches(records):
    sizes = []

    def encode(batch):
        sizes.append(batch["image"].shape.as_list())
        return batch

    pipeline.training(records, encode, size=SIZE, padding=1.25, skeleton=COCO17, augment=STRONG, batch=BATCH, seed=0)
    assert sizes == [[BATCH, *SIZE, 3]]


def test_too_few_people_for_a_batch_are_refused(records):
    with pytest.raises(ValueError, match=r"train\.batch: 14, of 13 samples"):
        training(records, steps=1, batch=14)


def test_records_without_people_are_refused(records):
    with pytest.raises(ValueError, match="no image has a person"):
        training(records[2:3], steps=1)
