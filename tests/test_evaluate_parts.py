"""What a network of boxes and a mask is measured by: its parts, and its poses with the annotations' in their place."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tfpose import evaluate, evaluate_parts
from tfpose.data.coco import Record
from tfpose.decode.inboxes import InBoxes
from tfpose.metrics.segmentation import Overlap
from tfpose.predict_images import Parts
from tfpose.skeleton import COCO17

SIZE = (40, 60)
DECODER = InBoxes(COCO17, 4)


def mask(*box: int) -> np.ndarray:
    result = np.zeros(SIZE, bool)
    x, y, w, h = box
    result[y : y + h, x : x + w] = True
    return result


def test_a_mask_that_is_the_truth_overlaps_wholly_and_one_beside_it_not_at_all():
    for found, expected in ((mask(5, 5, 10, 10), 1.0), (mask(20, 20, 10, 10), 0.0), (mask(5, 5, 10, 5), 0.5)):
        overlap = Overlap()
        overlap.add(mask(5, 5, 10, 10), found, mask(0, 0, 0, 0))
        assert overlap.iou == expected


def test_pixels_count_over_all_images_and_unknown_ones_never():
    overlap = Overlap()
    overlap.add(mask(0, 0, 10, 10), mask(0, 0, 10, 10), mask(0, 0, 10, 5))
    overlap.add(mask(0, 0, 10, 10), mask(20, 20, 5, 10), mask(0, 0, 0, 0))
    assert (overlap.both, overlap.either) == (50, 200)
    assert Overlap().iou == -1


def person(x: float) -> np.ndarray:
    random = np.random.default_rng(int(x))
    points = random.uniform(1, 14, (17, 2)) * [1, 2.4] + [x, 2]
    return np.column_stack([points, np.full(17, 2)])


def record() -> Record:
    """Two people side by side, with outlines."""
    keypoints, boxes = np.stack([person(5), person(35)]), np.array([[5, 2, 15, 36], [35, 2, 15, 36]], np.float32)
    bodies = tuple(box.tolist() for box in boxes)
    return Record(1, "", SIZE[1], SIZE[0], keypoints, boxes, np.full(2, 540.0), np.array([1, 2]), bodies=bodies)


def truth() -> dict:
    made = record()
    people = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": b.tolist(), "area": 540.0}
        | {"keypoints": k.ravel().tolist(), "num_keypoints": 17}
        for i, k, b in zip((1, 2), made.keypoints, made.boxes)
    ]
    image = {"id": 1, "file_name": "", "height": SIZE[0], "width": SIZE[1]}
    return {"images": [image], "annotations": people, "categories": [{"id": 1, "name": "person", "keypoints": []}]}


NOTHING = Parts(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0), mask(0, 0, 0, 0))


def perfect() -> Parts:
    made = record()
    return Parts(evaluate_parts.annotated(made.keypoints), made.boxes, np.ones(2), made.person_mask())


class Finding:
    """A predictor that finds these parts, whatever it is shown."""

    spec = SimpleNamespace(view="image", skeleton=COCO17)
    has_parts, decode = True, DECODER

    def __init__(self, parts):
        self.found = parts

    def parts(self, images):  # noqa: ARG002
        return iter([self.found])


def figures(parts: Parts, **whose: str) -> dict:
    still = {"bar": lambda *_: []}  # no photo is read
    return evaluate.evaluate(Finding(parts), [record()], truth(), parts=whose, **still).figures


def test_perfect_parts_are_perfect_figures():
    found = figures(perfect())
    assert [found[name] for name in ("AP", "box AP", "box AP50", "mask IoU")] == pytest.approx([1, 1, 1, 1])


def test_who_finds_nothing_has_figures_of_zero_unless_the_annotations_stand_in():
    assert figures(NOTHING)["AP"] == figures(NOTHING)["box AP"] == figures(NOTHING)["mask IoU"] == 0
    assert figures(NOTHING, keypoints="annotations", boxes="annotations")["AP"] == pytest.approx(1)


def test_the_annotations_take_the_place_of_one_part_alone():
    no_boxes = replace(perfect(), boxes=NOTHING.boxes, scores=NOTHING.scores)
    no_peaks = replace(perfect(), candidates=NOTHING.candidates)
    assert figures(no_boxes, boxes="annotations")["AP"] == pytest.approx(1)
    assert figures(no_boxes, keypoints="annotations")["AP"] == 0
    assert figures(no_peaks, keypoints="annotations")["AP"] == pytest.approx(1)
    assert figures(no_peaks, boxes="annotations")["AP"] == 0
