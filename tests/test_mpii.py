"""MPII's json form: the same records as COCO's."""

import json

import folders
import numpy as np
import pytest

from tfpose.data import mpii
from tfpose.skeleton import MPII16

JOINTS = [[10.0 + i, 20.0 + i] for i in range(16)]


def entry(image="000001.jpg", **changes) -> dict:
    whole = {"image": image, "joints": JOINTS, "joints_vis": [1] * 16, "center": [50, 40], "scale": 0.3}
    return whole | changes


def load(tmp_path, entries, **options):
    for i in (1, 2, 3):
        folders.photo(tmp_path, i)
    (tmp_path / "people.json").write_text(json.dumps(entries))
    return mpii.load(tmp_path / "people.json", tmp_path, MPII16, **{"on_bad": "skip"} | options)


def test_a_box_is_the_square_of_two_hundred_scales_about_the_centre(tmp_path):
    record = load(tmp_path, [entry()]).records[0]
    np.testing.assert_allclose(record.boxes, [[20, 10, 60, 60]], rtol=1e-6)
    np.testing.assert_allclose(record.areas, [3600], rtol=1e-6)


def test_the_people_of_an_image_stand_in_one_record_and_keep_their_place_in_the_file(tmp_path):
    records = load(tmp_path, [entry("000002.jpg"), entry(), entry("000002.jpg")]).records
    assert [r.annotation_ids.tolist() for r in records] == [[2], [1, 3]]
    assert (records[0].width, records[0].height) == (120, 90)


def test_a_joint_that_is_not_visible_is_absent_and_zero(tmp_path):
    keypoints = load(tmp_path, [entry(joints_vis=[0] + [1] * 15)]).records[0].keypoints[0]
    assert keypoints[0].tolist() == [0, 0, 0] and keypoints[1].tolist() == [11, 21, 2]


def test_a_person_without_joints_is_ignored_not_trained_on(tmp_path):
    record = load(tmp_path, [entry(joints_vis=[0] * 16)]).records[0]
    assert len(record.boxes) == 0 and record.ignore_mask().sum() == 60 * 60


BROKEN = {
    "expected an object": 3,
    "lacks joints": {"image": "000001.jpg", "joints_vis": [], "center": [], "scale": 1},
    "expected 16 joints": entry(joints=JOINTS[:3]),
    "not finite numbers": entry(center=[1, None]),
    "its box has no area": entry(scale=-1),
    "expected a file name": entry(image=5),
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_entry_is_one_line_and_left_out(tmp_path, line):
    split = load(tmp_path, [entry(), BROKEN[line]])
    assert len(split.problems) == 1 and "entry 2" in split.problems[0] and line in split.problems[0]
    assert split.records[0].annotation_ids.tolist() == [1]


def test_a_missing_photo_is_a_line_or_refused(tmp_path):
    entries = [entry(), entry("gone.jpg")]
    split = load(tmp_path, entries)
    assert len(split.records) == 1 and "gone.jpg: no such file" in split.problems[0]
    with pytest.raises(ValueError, match=r"gone.jpg: no such file"):
        load(tmp_path, entries, on_bad="refuse")


def test_a_missing_photo_does_not_renumber_the_others(tmp_path):
    entries = [entry("000001.jpg"), entry("000001-gone.jpg"), entry("000002.jpg")]
    assert [r.image_id for r in load(tmp_path, entries).records] == [2, 3]


def test_a_file_of_another_form_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a list of people; found dict"):
        load(tmp_path, {"images": []})


def test_real_mpii_photos_load(real_data):
    split = mpii.load(real_data / "mpii/test_mpii.json", real_data / "mpii", MPII16)
    assert len(split.records) == 5 and not split.problems


def test_mpii_and_coco_forms_of_the_same_people_agree(real_data):
    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    shared = [name for name in MPII16.keypoints if name in COCO17.keypoints]
    found = []
    for load_form, kind, body in ((mpii.load, "mpii16", MPII16), (coco.load, "coco17", COCO17)):
        split = load_form(real_data / f"lspet/lspet_{kind}_train.json.gz", None, body)
        keypoints = np.concatenate([r.keypoints for r in split.records])
        found.append(keypoints[:, [body.index(name) for name in shared]])
    np.testing.assert_allclose(*found, atol=1e-3)
