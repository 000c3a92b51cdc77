"""COCO keypoint files: what becomes a record, and that everything else leaves a line."""

import gzip
import json
from dataclasses import replace

import folders
import numpy as np
import pytest

from tfpose.data import coco
from tfpose.skeleton import COCO17, LSP14


def load(tmp_path, images, annotations, **options):
    path = folders.write(tmp_path, images, annotations)
    return coco.load(path, tmp_path, COCO17, **{"on_bad": "skip"} | options)


@pytest.fixture
def image(tmp_path):
    return folders.photo(tmp_path, 7)


def the_problem(split):
    assert len(split.problems) == 1, split.problems
    return split.problems[0]


def test_a_person_becomes_a_row_of_its_image(tmp_path, image):
    entry = folders.person(3, 7)
    record = load(tmp_path, [image], [entry]).records[0]
    assert (record.image_id, record.width, record.height, record.path) == (7, 120, 90, str(tmp_path / "000007.jpg"))
    np.testing.assert_allclose(record.keypoints.ravel(), entry["keypoints"], rtol=1e-6)
    assert record.boxes.tolist() == [entry["bbox"]] and record.annotation_ids.tolist() == [3]


def test_crowds_and_persons_without_keypoints_are_ignored_not_trained_on(tmp_path, image):
    crowd = folders.person(1, 7, iscrowd=1, segmentation={"size": [90, 120], "counts": [0, 90, 90 * 119]})
    nobody = folders.person(2, 7, box=(100, 10, 5, 4), keypoints=[0] * 51)
    record = load(tmp_path, [image], [crowd, nobody]).records[0]
    mask = record.ignore_mask()
    assert len(record.boxes) == 0 and mask[:, 0].all() and mask[10:14, 100:105].all()
    assert mask.sum() == 90 + 20


def test_an_image_without_people_is_a_record(tmp_path, image):
    split = load(tmp_path, [image], [])
    assert split.records[0].keypoints.shape == (0, 17, 3) and not split.problems


def test_a_gzipped_file_gives_the_same(tmp_path, image):
    path = folders.write(tmp_path, [image], [folders.person(1, 7)])
    packed = tmp_path / "people.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain, unpacked = (coco.load(p, tmp_path, COCO17).records[0] for p in (path, packed))
    assert np.array_equal(plain.keypoints, unpacked.keypoints)


def test_an_area_that_is_missing_is_the_boxs(tmp_path, image):
    entry = folders.person(1, 7)
    del entry["area"]
    assert load(tmp_path, [image], [entry]).records[0].areas == [2400]


def test_keep_splits_the_images_in_two_parts_that_share_none(tmp_path):
    images = [folders.photo(tmp_path, i) for i in range(1, 6)]
    parts = [load(tmp_path, images, [], keep=(3, 1, inside)) for inside in (True, False)]
    assert [[r.image_id for r in part.records] for part in parts] == [[1, 4], [2, 3, 5]]


BROKEN = {
    "lacks bbox": {"bbox": None},
    "its id stands twice": {"id": 1},
    "of image 99, which the file does not list": {"image_id": 99},
    "of unknown category 5": {"category_id": 5},
    "3 keypoint numbers, expected 51": {"keypoints": [1, 2, 2]},
    "its keypoints are not a list of finite numbers": {"keypoints": [float("nan")] * 51},
    "its box is [1, 2, 3], expected four finite numbers": {"bbox": [1, 2, 3]},
    "its box is 'x', expected four finite numbers": {"bbox": "x"},
    "its box [5, 5, 0, 9] has no area": {"bbox": [5, 5, 0, 9]},
    "its area is 'big', expected a finite number": {"area": "big"},
    "expected whole numbers as id, image_id, category_id": {"id": "two"},
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_annotation_is_one_line_and_left_out(tmp_path, image, line):
    entry = folders.person(2, 7) | BROKEN[line]
    entry = {key: value for key, value in entry.items() if value is not None}
    split = load(tmp_path, [image], [folders.person(1, 7), entry])
    assert line in the_problem(split) and "people.json" in the_problem(split)
    assert split.records[0].annotation_ids.tolist() == [1]


@pytest.mark.parametrize("entry", [None, 3, "person", [], {}])
def test_entries_that_are_no_objects_are_lines_and_no_crash(tmp_path, image, entry):
    split = load(tmp_path, [image, entry], [folders.person(1, 7), entry])
    assert len(split.problems) == 2 and len(split.records) == 1


def test_an_image_id_that_stands_twice_is_a_line(tmp_path, image):
    assert "image id 7 twice" in the_problem(load(tmp_path, [image, image], []))


def test_a_missing_image_is_one_line_for_all_its_people(tmp_path, image):
    missing = image | {"id": 8, "file_name": "gone.jpg"}
    split = load(tmp_path, [image, missing], [folders.person(1, 7), folders.person(2, 8), folders.person(3, 8)])
    assert "gone.jpg: no such file" in the_problem(split) and len(split.records) == 1


def test_a_file_that_is_no_image_is_a_line(tmp_path, image):
    (tmp_path / "000007.jpg").write_text("no picture")
    assert "000007.jpg: not an image" in the_problem(load(tmp_path, [image], []))


def test_a_jpeg_that_was_cut_off_is_a_line(tmp_path, image):
    path = tmp_path / "000007.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut off" in the_problem(load(tmp_path, [image], []))


def test_an_image_of_another_size_is_a_line(tmp_path, image):
    assert "is 120x90, the annotations say 121x90" in the_problem(load(tmp_path, [image | {"width": 121}], []))


def test_a_size_of_zero_is_a_line(tmp_path, image):
    assert "above zero" in the_problem(load(tmp_path, [image | {"width": 0}], []))


def test_problems_are_refused_with_their_number_unless_they_are_to_be_skipped(tmp_path, image):
    broken = [folders.person(i, 99) for i in range(5)]
    with pytest.raises(ValueError, match=r"5 problem\(s\) in .*of image 99.*and 2 more.*bad_records=skip"):
        load(tmp_path, [image], broken, on_bad="refuse")


def test_keypoints_of_another_skeleton_are_refused_with_both(tmp_path, image):
    path = folders.write(tmp_path, [image], [], LSP14)
    with pytest.raises(
        ValueError, match=r"14 keypoints right_ankle.*expected the 17 of skeleton coco17.*data.skeleton"
    ):
        coco.load(path, tmp_path, COCO17)


def test_as_many_keypoints_in_another_order_are_refused(tmp_path, image):
    path = folders.write(tmp_path, [image], [], replace(COCO17, keypoints=COCO17.keypoints[::-1]))
    with pytest.raises(ValueError, match="expected the 17 of skeleton coco17"):
        coco.load(path, tmp_path, COCO17)


def test_other_categories_of_the_file_are_no_people_and_no_problem(tmp_path, image):
    path = folders.write(tmp_path, [image], [folders.person(1, 7), folders.person(2, 7, category_id=18)])
    content = json.loads(path.read_text())
    content["categories"].append({"id": 18, "name": "dog"})
    path.write_text(json.dumps(content))
    split = coco.load(path, tmp_path, COCO17)
    assert split.records[0].annotation_ids.tolist() == [1] and split.records[0].ignore == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": 3, "annotations": []}'])
def test_what_is_not_a_coco_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "people.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"people.json: (not JSON|expected COCO's form)"):
        coco.load(path, None, COCO17)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"people.json: no such annotation file"):
        coco.load(tmp_path / "people.json", None, COCO17)


@pytest.mark.parametrize("part, images, people", [("train2017", 178, 528), ("val2017", 108, 317)])
def test_real_coco_files_load_without_a_problem(real_data, part, images, people):
    folder = real_data / "coco"
    split = coco.load(folder / f"annotations/person_keypoints_{part}.json", folder / part, COCO17)
    assert len(split.records) == images and sum(len(r.boxes) for r in split.records) == people
