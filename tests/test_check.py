"""The report on a data set says what is in it, and what looks wrong."""

from dataclasses import replace

import folders
import numpy as np
import pytest
from PIL import Image

from tfpose.data import check, coco
from tfpose.skeleton import COCO17


def split_of(tmp_path, images, annotations):
    return coco.load(folders.write(tmp_path, images, annotations), tmp_path, COCO17, on_bad="skip")


def facing(identity: int, *, swapped: bool = False) -> dict:
    """A person who faces the camera: left on the right of the picture, shoulders above hips."""
    entry = folders.person(identity, 1)
    keypoints = np.array(entry["keypoints"]).reshape(17, 3)
    for part, row in (("shoulder", 30), ("hip", 60)):
        for side, column in (("left", 60), ("right", 40)):
            keypoints[COCO17.index(f"{side}_{part}"), :2] = (column, row)
    keypoints = keypoints[list(COCO17.mirror)] if swapped else keypoints
    return entry | {"keypoints": keypoints.ravel().tolist()}


@pytest.fixture
def split(tmp_path):
    images = [folders.photo(tmp_path, i) for i in (1, 2, 3)]
    outside = folders.person(3, 2, box=(100, 20, 40, 60))
    hidden = folders.person(2, 1)
    hidden["keypoints"][2], hidden["keypoints"][5] = 1, 0
    crowd = folders.person(4, 3, iscrowd=1, bbox=[0, 0, 60, 90])
    return split_of(tmp_path, images, [folders.person(1, 1), hidden, outside, crowd, {"id": 5}])


def test_images_and_people_are_counted(split):
    report = check.check(split, COCO17)
    assert (report.images, report.people, report.crowds) == (3, 3, {0: 1, 1: 1, 2: 1})


def test_visibility_is_counted_by_keypoint(split):
    report = check.check(split, COCO17)
    assert report.visibility[0].tolist() == [0, 1, 2] and report.visibility[1].tolist() == [1, 0, 2]
    assert (report.visibility.sum(axis=1) == 3).all() and not report.odd_visibility


def test_boxes_and_keypoints_outside_their_image_are_counted(split):
    report = check.check(split, COCO17)
    beyond = int((split.records[1].keypoints[0, :, 0] > 119.5).sum())
    assert report.boxes_outside == 1 and report.keypoints_outside == beyond > 0


def test_what_is_ignored_is_a_share_of_the_images(split):
    report = check.check(split, COCO17)
    assert report.masks == 3 and report.ignored == pytest.approx(0.5 / 3)


def test_a_visibility_that_means_nothing_is_warned_of(tmp_path):
    entry = folders.person(1, 1)
    entry["keypoints"][2] = 3
    report = check.check(split_of(tmp_path, [folders.photo(tmp_path, 1)], [entry]), COCO17)
    assert "1 keypoints have a visibility other than" in report.table()


@pytest.mark.parametrize("swapped", [False, True])
def test_people_with_left_and_right_swapped_are_warned_of(tmp_path, swapped):
    people = [facing(i, swapped=swapped) for i in range(1, 30)]
    report = check.check(split_of(tmp_path, [folders.photo(tmp_path, 1)], people), COCO17)
    assert ("left and right may be swapped" in report.table()) == swapped


def test_a_few_people_are_no_reason_to_warn(tmp_path):
    people = [facing(i, swapped=True) for i in range(1, 5)]
    assert not check.check(split_of(tmp_path, [folders.photo(tmp_path, 1)], people), COCO17).warnings


def test_the_table_shows_every_keypoint_every_pair_and_the_problems(split):
    table = check.check(split, COCO17).table()
    assert all(name in table for name in COCO17.keypoints)
    assert "left_knee, right_knee" in table and "problems: 1" in table and "lacks image_id" in table


def test_the_table_shows_ten_problems_and_counts_the_others(split):
    table = check.check(replace(split, problems=tuple(f"line {i}" for i in range(13))), COCO17).table()
    assert "line 9" in table and "line 10" not in table and "and 3 more" in table


def test_a_broken_mask_is_a_problem_and_no_crash(tmp_path):
    crowd = folders.person(1, 1, iscrowd=1, segmentation={"size": [1, 1], "counts": [1]})
    split = split_of(tmp_path, [folders.photo(tmp_path, 1)], [crowd])
    assert "image 1: " in check.check(split, COCO17).problems[0]
    check.contact_sheet(split, COCO17, tmp_path / "sheet.png")


def test_a_split_without_anything_has_a_table():
    assert "people              0" in check.check(coco.Split(()), COCO17).table()


def test_the_contact_sheet_is_the_same_for_the_same_seed(split, tmp_path):
    sheets = [tmp_path / f"{i}.png" for i in range(2)]
    for path in sheets:
        check.contact_sheet(split, COCO17, path, count=2, seed=5)
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


def test_what_is_ignored_is_tinted_and_a_person_is_drawn(split):
    plain = np.asarray(Image.open(split.records[2].path).convert("RGB")).astype(int)
    tinted = check.drawn(split.records[2], COCO17).astype(int)
    assert np.array_equal(tinted[:, 60:], plain[:, 60:])
    np.testing.assert_allclose(tinted[:, :60], (plain[:, :60] + check.TINT) / 2, atol=1.01)
    person = np.asarray(Image.open(split.records[0].path).convert("RGB"))
    assert not np.array_equal(check.drawn(split.records[0], COCO17), person)


def test_a_split_without_photos_has_no_contact_sheet(tmp_path):
    with pytest.raises(ValueError, match="no photos to draw on"):
        check.contact_sheet(coco.Split(()), COCO17, tmp_path / "sheet.png")
