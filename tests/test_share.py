"""Shares of an epoch: several workers read together what one would, each sample once; a run goes on at any step."""

import functools
import itertools

import numpy as np
import pytest
import tiny

from tfpose.config import Augment
from tfpose.data import coco, pipeline
from tfpose.data.share import WHOLE, Share
from tfpose.skeleton import COCO17

BATCH, SEED = 4, 3


@functools.cache
def records(part="train"):
    return coco.load(
        tiny.people() / "annotations" / f"person_keypoints_{part}.json", tiny.people() / part, COCO17
    ).records


def plain(batch):
    return {"image": batch["image"], "annotation_id": batch["annotation_id"]}, batch["keypoints"]


def options(view):
    return {"size": (64, 48), "padding": 1.25, "skeleton": COCO17, "batch": BATCH, "view": view, "stride": 4}


@functools.cache
def epoch(view, share=WHOLE, start=0):
    """The batches of the second epoch of training from step `start` on, and the first one after it."""
    data = pipeline.training(
        records(), plain, augment=Augment(), seed=SEED, start_epoch=1, start_step=start, share=share, **options(view)
    )
    steps = pipeline.count(records(), view) // BATCH + 1 - start
    return list(itertools.islice(data.as_numpy_iterator(), steps * share.local))


@functools.cache
def everything(view, share=WHOLE, photos=None):
    some = records("validation")[:photos]
    return list(pipeline.validation(some, plain, share=share, **options(view)).as_numpy_iterator())


def ids(batches):
    return [batch[0]["annotation_id"].tolist() for batch in batches]


def same(one, other):
    for a, b in zip(one, other, strict=True):
        assert a[0].keys() == b[0].keys()
        assert all(np.array_equal(a[0][name], b[0][name]) for name in a[0])


@pytest.mark.parametrize("view", ["person", "image"])
def test_two_workers_read_the_halves_of_each_batch(view):
    whole, first, second = epoch(view), epoch(view, Share(2, 0)), epoch(view, Share(2, 1))
    joined = [({name: np.concatenate([a[0][name], b[0][name]]) for name in a[0]},) for a, b in zip(first, second)]
    same(joined, whole)


@pytest.mark.parametrize("workers", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_workers_together_see_every_id_of_an_epoch_once_but_for_the_rest_that_fills_no_batch(workers):
    kept = ids(epoch("person")[:-1])
    seen = [i for n in range(workers) for batch in ids(epoch("person", Share(workers, n))[:-1]) for i in batch]
    assert sorted(seen) == sorted(i for batch in kept for i in batch) and len(set(seen)) == len(seen)
    assert 0 < pipeline.count(records()) - len(seen) < BATCH


def test_a_worker_of_several_devices_reads_their_parts_in_turn():
    assert ids(epoch("person", Share(4, 2, 2))) == [
        part for batch in ids(epoch("person")) for part in (batch[2:3], batch[3:])
    ]


@pytest.mark.parametrize("view", ["person", "image"])
def test_an_epoch_goes_on_where_it_was_left(view):
    whole = epoch(view)
    for start in (1, len(whole) - 2):
        same(epoch(view, start=start), whole[start:])


@pytest.mark.parametrize("view", ["person", "image"])
def test_validation_is_shared_without_a_sample_lost(view):
    seen = [i for number in range(2) for batch in ids(everything(view, Share(2, number))) for i in batch]
    assert sorted(seen) == sorted(i for batch in ids(everything(view)) for i in batch)


@pytest.mark.parametrize(("photos", "workers"), [(1, 4), (3, 4), (5, 2)])
def test_a_validation_that_no_number_of_workers_divides_is_read_once(photos, workers):
    seen = [i for n in range(workers) for batch in ids(everything("image", Share(workers, n), photos)) for i in batch]
    assert sorted(seen) == sorted(i for batch in ids(everything("image", photos=photos)) for i in batch)
    assert len(seen) == photos
