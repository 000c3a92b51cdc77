"""In the view of an image the pixels, the keypoints and what is ignored lie in the same place."""

import folders
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpose import geometry
from tfpose.config import Augment
from tfpose.data import coco, images, masks, pipeline
from tfpose.skeleton import COCO17

SIZE, STRIDE = (64, 80), 8
AUGMENT = Augment(shift=0.1, half_body=0.0)  # without colour: black stays black
NOBODY = {"keypoints": [0] * 51, "num_keypoints": 0}
BOX = (60, 20, 30, 50)
WRIST = COCO17.index("left_wrist")


@pytest.fixture(scope="module")
def dots(tmp_path_factory):
    """A black photo of a red and a green dot, each the left wrist of a person."""
    folder = tmp_path_factory.mktemp("dots")
    entry, image, people = folders.photo(folder, 1, suffix="png"), np.zeros((90, 120, 3), np.uint8), []
    for colour, (x, y) in enumerate([(50, 40), (80, 50)]):
        image[y - 1 : y + 2, x - 1 : x + 2, colour] = 255
        keypoints = np.zeros((17, 3))
        keypoints[WRIST] = x, y, 2
        people.append(folders.person(colour + 1, 1, (x - 20, y - 20, 40, 40), keypoints=keypoints.ravel().tolist()))
    Image.fromarray(image).save(folder / entry["file_name"])
    return coco.load(folders.write(folder, [entry], people), folder, COCO17).records


@pytest.fixture(scope="module")
def shaded(tmp_path_factory):
    """Four photos that are white where something is to be ignored: a polygon, a box, run lengths and nothing."""
    folder = tmp_path_factory.mktemp("shaded")
    runs = {"size": [90, 120], "counts": [30 * 90, 50 * 90, 40 * 90]}  # the columns from 30 to 79
    forms = [[[10.5, 20, 95, 8, 70, 80]], list(BOX), runs, None]
    photos, people = [folders.photo(folder, i, suffix="png") for i in range(1, 5)], []
    for entry, form in zip(photos, forms):
        mask = np.zeros((90, 120), bool) if form is None else masks.decode(form, 90, 120)
        Image.fromarray(np.uint8(mask) * 255).save(folder / entry["file_name"])
        people.append(folders.person(entry["id"], entry["id"]))
        if form is not None:
            people.append(folders.person(entry["id"] + 10, entry["id"], BOX, segmentation=form, **NOBODY))
    return coco.load(folders.write(folder, photos, people), folder, COCO17).records


def batches(records, *, steps: int = 0, batch: int = 2, warp: str = "auto") -> list[dict]:
    """So many steps of training, or the validation of all."""
    common = {"size": SIZE, "padding": 1.5, "skeleton": COCO17, "batch": batch, "view": "image", "stride": STRIDE}
    if not steps:
        return list(pipeline.validation(records, lambda b: b, warp=warp, **common).as_numpy_iterator())
    data = pipeline.training(records, lambda b: b, augment=AUGMENT, seed=5, warp=warp, **common)
    return list(data.take(steps).as_numpy_iterator())


def centre(weight: np.ndarray) -> np.ndarray:
    """The centre of mass of an image (H, W), as a point."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("warp", ["graph", "opencv"])
def test_the_dots_of_a_photo_are_where_its_people_have_their_wrists(dots, warp):
    found = []
    for batch in batches(dots, steps=12, batch=1, warp=warp):
        for person, weight in zip(batch["keypoints"][0], np.moveaxis(batch["image"][0].astype(float), -1, 0)):
            x, y, _ = person[person[:, 2] > 0][0]
            if 9 < x < SIZE[1] - 10 and 9 < y < SIZE[0] - 10:
                assert np.hypot(*(centre(weight) - (x, y))) < 0.25
                found.append(person[WRIST, 2] > 0)
    assert len(found) > 12 and any(found) and not all(found)  # some are mirrored, and right wrists then


def test_a_keypoint_beside_the_view_keeps_its_place_there(dots):
    points = np.concatenate([b["keypoints"][0] for b in batches(dots, steps=30, batch=1)])
    points = points[points[..., 2] > 0, :2]
    assert len(points) == 60 and ((points < -1) | (points > SIZE[::-1])).any()


@pytest.mark.parametrize("steps", [6, 0], ids=["training", "validation"])
def test_what_is_ignored_lies_where_its_pixels_do(shaded, steps):
    views = batches(shaded, steps=steps)
    grey, ignore = (np.concatenate([b[name] for b in views]) for name in ("image", "ignore"))
    grey = grey[..., 0]
    middle = np.stack([grey[:, y::STRIDE, x::STRIDE] for x in (3, 4) for y in (3, 4)])  # around the cells' centres
    sure = (middle == 255).all(axis=0) | (middle == 0).all(axis=0)
    assert sure.mean() > 0.8 and 0.1 < ignore.mean() < 0.9
    assert np.array_equal(ignore[sure], (middle[0] == 255)[sure])


def test_what_is_ignored_is_the_mask_at_the_centres_of_the_cells(shaded):
    random = np.random.default_rng(2)
    for record in shaded:
        affine = geometry.crop((30, 20, 60, 40), SIZE, turn=random.uniform(-90, 90), scale=random.uniform(0.5, 1.5))
        mask = record.ignore_mask()
        matrix = tf.constant(affine.matrix[None], tf.float32)
        ends = images.run_ends([record.ignore_mask], "")
        found = images.covered(ends, tf.constant([mask.shape]), matrix, SIZE, STRIDE)[0].numpy()
        photo = np.repeat(np.uint8(mask)[..., None] * 255, 3, axis=2)
        cells = geometry.warp(photo, geometry.stride(STRIDE) @ affine, (8, 10))[..., 0]
        sure = (cells == 0) | (cells == 255)
        assert sure.mean() > 0.8 and np.array_equal(found[sure], cells[sure] / 255)


def test_the_cells_of_an_unchanged_photo_are_the_pixels_of_its_mask(shaded):
    sizes, same = tf.constant([[90, 120]] * len(shaded)), tf.eye(2, 3, [len(shaded)])
    found = images.covered(images.run_ends([r.ignore_mask for r in shaded], ""), sizes, same, (90, 120), 1)
    assert np.array_equal(found, [record.ignore_mask() for record in shaded])
