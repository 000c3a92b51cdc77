"""Drawing: colours are where they belong, and everything else stays."""

import numpy as np
import pytest

from tfpose import draw
from tfpose.poses import Poses, empty
from tfpose.skeleton import COCO17

GREY = np.full((120, 160, 3), 128, np.uint8)


def person(score=0.9):
    keypoints = np.zeros((1, 17, 3), np.float32)
    for name, point in {
        "left_hip": (110, 20),
        "left_knee": (110, 100),
        "right_hip": (50, 20),
        "right_knee": (50, 100),
    }.items():
        keypoints[0, COCO17.index(name)] = (*point, score)
    return Poses(keypoints, np.ones(1), np.array([[40, 10, 80, 100]], np.float32))


def test_left_is_warm_and_right_is_cool():
    picture = draw.draw_poses(GREY, person(), COCO17)
    assert tuple(picture[60, 110]) == draw.LEFT and tuple(picture[60, 50]) == draw.RIGHT
    assert tuple(picture[20, 80]) == draw.MIDDLE


def test_a_limb_between_the_sides_is_neutral():
    assert draw.colour("left_hip", "right_hip") == draw.MIDDLE == draw.colour("nose")
    assert draw.colour("neck", "left_shoulder") == draw.LEFT


def test_what_is_below_the_threshold_is_not_drawn_and_the_image_is_left_alone():
    before = GREY.copy()
    assert (draw.draw_poses(GREY, person(score=0.2), COCO17) == GREY).all()
    assert (draw.draw_poses(GREY, empty(17), COCO17) == GREY).all()
    draw.draw_poses(GREY, person(), COCO17)
    assert (before == GREY).all()


def test_lines_are_smooth():
    tilted = person()
    tilted.keypoints[0, COCO17.index("left_knee"), 0] = 90
    levels = np.unique(draw.draw_poses(GREY, tilted, COCO17)[40:80, 85:115, 2])
    assert len(levels) > 8


def test_lines_grow_with_the_person():
    large = np.full((1200, 1600, 3), 128, np.uint8)
    big = person()
    big.keypoints[..., :2] *= 10
    share = [np.mean(draw.draw_poses(i, p, COCO17) != 128) for i, p in ((GREY, person()), (large, big))]
    assert share[1] == pytest.approx(share[0], rel=0.6)


def test_a_box_is_drawn_on_its_own_pixels_only_when_asked():
    boxed = draw.draw_poses(GREY, person(score=0), COCO17, boxes=True)
    rows, columns = np.nonzero((boxed != GREY).any(axis=-1))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (40, 10, 119, 109)
    assert (draw.draw_poses(GREY, person(score=0), COCO17) == GREY).all()


def test_a_heatmap_lies_over_its_place():
    maps = np.zeros((30, 40, 17), np.float32)
    maps[7, 30, 4] = 1
    changed = np.abs(draw.draw_heatmaps(GREY, maps).astype(int) - GREY).sum(axis=-1)
    row, column = np.argwhere(changed == changed.max()).mean(axis=0)
    assert abs(row - (7.5 * 4 - 0.5)) <= 1 and abs(column - (30.5 * 4 - 0.5)) <= 1
    assert changed[:, :100].max() == 0


def test_a_sheet_has_a_place_for_every_image_and_keeps_its_aspect():
    white = [np.full((50, 100, 3), 255, np.uint8)] * 5
    sheet = draw.tile(white, 2, (60, 60), gap=4)
    assert sheet.shape == (3 * 64 + 4, 2 * 64 + 4, 3)
    assert (sheet == 255).all(axis=-1).sum() == 5 * 60 * 30


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        draw.tile([], 2, (60, 60))
