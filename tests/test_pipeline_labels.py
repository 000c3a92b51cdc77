"""Boxes and masks of everybody in a view of an image: of persons without keypoints too, moved as the photo is."""

import itertools

import folders
import numpy as np
import pytest

from tfpose import geometry
from tfpose.config import Augment
from tfpose.data import coco, pipeline
from tfpose.data.source import load_part
from tfpose.skeleton import COCO17, MPII16
from tfpose.yaml_config import defaults

SIZE, STRIDE = (64, 80), 4
TURNED = Augment(
    rotation=40.0, rotation_kind="uniform", rotation_chance=1.0, scale=(0.8, 1.2), shift=0.1, half_body=0.0
)
POSED, UNPOSED, MANY = (20, 10, 30, 60), (60, 20, 30, 50), (95, 5, 20, 30)
NOBODY = {"keypoints": [0] * 51, "num_keypoints": 0}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Two photos with somebody, somebody without keypoints and a crowd each; the second has one more person."""
    folder = tmp_path_factory.mktemp("people")
    ids = itertools.count(1)
    people = []
    for image in (1, 2):
        people += [folders.person(next(ids), image, POSED), folders.person(next(ids), image, UNPOSED) | NOBODY]
        people += [folders.person(next(ids), image, MANY, iscrowd=1) | NOBODY]
    people.append(folders.person(next(ids), 2, (5, 30, 20, 40)))
    file = folders.write(folder, [folders.photo(folder, i, suffix="png") for i in (1, 2)], people)
    return coco.load(file, folder, COCO17, bodies=True).records


def batches(records, labels=("boxes", "mask"), augment=None, steps=1) -> list[dict]:
    common = {"size": SIZE, "padding": 1.5, "skeleton": COCO17, "batch": 2, "view": "image", "stride": STRIDE}
    if augment is None:
        return list(pipeline.validation(records, lambda b: b, labels=labels, **common).as_numpy_iterator())
    data = pipeline.training(records, lambda b: b, labels=labels, augment=augment, seed=3, **common)
    return list(data.take(steps).as_numpy_iterator())


def test_a_batch_has_the_box_of_every_person_and_zeros_for_crowds_and_nobody(records):
    (batch,) = batches(records)
    assert batch["boxes"].shape == (2, 3, 4) and batch["boxes"].dtype == np.float32
    assert batch["boxes"].any(axis=-1).tolist() == [[True, True, False], [True, True, True]]


def test_a_box_of_the_whole_image_lies_where_the_letterbox_puts_it(records):
    (batch,) = batches(records)
    affine = geometry.letterbox((90, 120), SIZE)
    boxes = np.array([POSED, UNPOSED])
    low, high = (affine.apply(edge - 0.5) + 0.5 for edge in (boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))
    assert np.abs(batch["boxes"][0, :2] - np.concatenate([low, high - low], axis=1)).max() < 1e-3


def test_however_a_view_is_turned_a_box_holds_its_persons_keypoints(records):
    for batch in batches(records, augment=TURNED, steps=8):
        low, high = batch["boxes"][..., :2] - 0.5, batch["boxes"][..., :2] + batch["boxes"][..., 2:] - 0.5
        points = batch["keypoints"][:, 0, :, :2]
        assert (points >= low[:, :1] - 0.01).all() and (points <= high[:, :1] + 0.01).all()


def test_the_mask_covers_persons_with_and_without_keypoints_and_no_crowd(records):
    (batch,) = batches(records)
    record, affine = records[0], geometry.letterbox((90, 120), SIZE)
    seen = {}
    for name, box in (("posed", POSED), ("unposed", UNPOSED), ("crowd", MANY)):
        x, y = geometry.stride(STRIDE).apply(affine.apply([[box[0] + box[2] / 2, box[1] + box[3] / 2]]))[0]
        cell = round(float(y)), round(float(x))
        seen[name] = batch["mask"][0][cell], batch["ignore"][0][cell]
    assert seen == {"posed": (1, 0), "unposed": (1, 1), "crowd": (0, 1)}
    assert record.person_mask().sum() == POSED[2] * POSED[3] + UNPOSED[2] * UNPOSED[3]


def test_the_mask_turns_with_its_person(records):
    for batch in batches(records, augment=TURNED, steps=8):
        cells = np.round(geometry.stride(STRIDE).apply(batch["keypoints"][:, 0, :, :2])).astype(int)
        inside = ((cells > 0) & (cells < np.array(batch["mask"].shape[:0:-1]) - 1)).all(axis=-1)
        view = np.arange(2)[:, None].repeat(17, axis=1)[inside]
        assert batch["mask"][view, cells[inside][:, 1], cells[inside][:, 0]].mean() > 0.95


def test_what_is_not_asked_for_is_not_there(records):
    (batch,) = batches(records, labels=())
    assert not {"boxes", "mask"} & set(batch)


def test_a_format_without_outlines_is_refused_where_they_are_asked_for():
    data = defaults(
        ("data.format=mpii", "evaluate.metric=pckh", "data.train.annotations=a.json", "data.train.images=b")
    ).data
    with pytest.raises(ValueError, match=r"data\.format: mpii has no outlines"):
        load_part(data, MPII16, "train", bodies=True)
