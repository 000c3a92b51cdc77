"""Poses: to COCO's result format and back, and from frame to frame."""

import json

import numpy as np
import pytest

from tfpose import geometry, poses
from tfpose.poses import Poses


def people(count=3, keypoints=17):
    draw = np.random.default_rng(0)
    points = draw.uniform(0, 200, (count, keypoints, 2))
    scores = draw.uniform(0, 1, (count, keypoints, 1))
    low = points.min(axis=1)
    boxes = np.concatenate([low, points.max(axis=1) - low], axis=-1)
    return Poses(np.concatenate([points, scores], axis=-1).astype(np.float32), draw.uniform(0, 1, count), boxes)


def test_coco_results_come_back_to_a_hundredth_of_a_pixel():
    again = poses.from_coco(json.loads(json.dumps(people().to_coco(7))), 17)
    assert np.abs(again.keypoints[..., :2] - people().keypoints[..., :2]).max() <= 0.0051
    assert again.keypoints[..., 2] == pytest.approx(people().keypoints[..., 2], abs=1e-4)
    assert again.scores == pytest.approx(people().scores) and again.boxes == pytest.approx(people().boxes, abs=0.0051)


def test_a_result_carries_its_image_and_category():
    assert {(r["image_id"], r["category_id"]) for r in people().to_coco(np.int64(7), 3)} == {(7, 3)}


def test_nobody_is_an_empty_list_both_ways():
    assert poses.empty(17).to_coco(7) == [] and len(poses.from_coco([], 17)) == 0


def test_results_of_another_skeleton_are_refused():
    with pytest.raises(ValueError, match="17 keypoints; the skeleton has 14"):
        poses.from_coco(people().to_coco(7), 14)


def test_a_result_without_a_box_gets_the_bounds_of_what_was_found():
    result = {"image_id": 1, "category_id": 1, "score": 1.0, "keypoints": [0, 0, 0, 10, 20, 1, 40, 25, 1]}
    assert poses.from_coco([result], 3).boxes.tolist() == [[10, 20, 30, 5]]


def test_people_mapped_there_and_back_are_the_same():
    affine = geometry.letterbox((240, 320), (128, 96))
    again = people().mapped(affine).mapped(affine.inverse)
    assert again.keypoints == pytest.approx(people().keypoints, abs=1e-3)
    assert again.boxes == pytest.approx(people().boxes, abs=1e-3)


def test_mapped_scores_stay():
    mapped = people().mapped(geometry.mirroring(200))
    assert (mapped.keypoints[..., 2] == people().keypoints[..., 2]).all() and (mapped.scores == people().scores).all()


def test_a_box_of_the_whole_image_is_mapped_onto_the_whole_view():
    whole = poses.mapped_boxes([[0, 0, 320, 240]], geometry.resizing(0.5, 0.25))
    assert whole == pytest.approx(np.array([[0, 0, 160, 60]]))
    assert poses.mapped_boxes([[0, 0, 100, 240]], geometry.mirroring(320)) == pytest.approx(
        np.array([[220, 0, 100, 240]])
    )


def test_people_of_unequal_number_are_no_poses():
    with pytest.raises(AssertionError):
        Poses(np.zeros((2, 17, 3)), np.zeros(1), np.zeros((2, 4)))
