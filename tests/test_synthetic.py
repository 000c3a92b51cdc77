"""The drawn people: the same from the same seed, labelled truly, and an ordinary COCO folder."""

import json
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tfpose.data import synthetic
from tfpose.data.drawn import figures, outlines
from tfpose.data.drawn.heads import faces_viewer
from tfpose.skeleton import COCO17

SIZE = (240, 320)
LEFT_SHOULDER, RIGHT_SHOULDER = COCO17.index("left_shoulder"), COCO17.index("right_shoulder")


@pytest.fixture(scope="module")
def people():
    """Everybody in sixty pictures."""
    return [person for index in range(60) for person in synthetic.picture(3, "train", index, SIZE).people]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("drawn") / "data", train=40, validation=5, seed=1)


@pytest.fixture(scope="module")
def coco(folder):
    return COCO(folder / "annotations" / "person_keypoints_train.json")


def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    again = synthetic.write(tmp_path / "again", train=4, validation=5, seed=1)
    for name in ("train/000000000004.jpg", "annotations/person_keypoints_validation.json"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_another_seed_or_split_gives_other_pictures():
    pictures = [synthetic.picture(*at, 2, SIZE).image for at in ((0, "train"), (1, "train"), (0, "validation"))]
    assert all((a != b).mean() > 0.5 for a, b in zip(pictures, pictures[1:] + pictures[:1]))


def test_labelled_keypoints_lie_inside_the_picture_and_absent_ones_at_zero(people):
    x, y, v = np.concatenate([person.keypoints for person in people]).T
    assert np.all((x >= 0) & (x <= SIZE[1] - 1) & (y >= 0) & (y <= SIZE[0] - 1))
    assert np.all(x[v == 0] == 0) and np.all(y[v == 0] == 0)


def test_visible_keypoints_lie_on_the_mask_of_their_person(people):
    for person in people:
        x, y, _ = person.keypoints[person.keypoints[:, 2] == 2].T
        assert person.mask[np.round(y).astype(int), np.round(x).astype(int)].all()


def test_hidden_and_absent_keypoints_appear_but_most_are_visible(people):
    shares = np.mean(
        [[person.keypoints[:, 2] == v for v in (0, 1, 2)] for person in people if person.role == "person"], (0, 2)
    )
    assert shares[0] > 0.03 and 0.03 < shares[1] < 0.2 and shares[2] > 0.65


def test_persons_crowds_and_masks_without_keypoints_appear(people):
    roles = Counter(person.role for person in people)
    assert roles["person"] > 60 and roles["mask"] > 0 and roles["crowd"] > 0
    assert all(not person.keypoints.any() for person in people if person.role != "person")


@pytest.mark.parametrize("kind", figures.KINDS)
def test_the_left_shoulder_of_who_faces_the_viewer_is_on_the_right(kind):
    angles = figures.draw_angles(np.random.default_rng(0), kind)
    for yaw, sign in ((0, 1), (180, -1)):
        points = figures.pose(angles, yaw=yaw, roll=0, pitch=5, height=200).points
        assert sign * (points["left_shoulder"][0] - points["right_shoulder"][0]) > 30


@pytest.mark.parametrize("yaw, seen", [(0, {"left", "right"}), (90, {"right"}), (-90, {"left"}), (180, set())])
def test_eyes_are_seen_from_their_own_side_only(yaw, seen):
    angles = figures.Angles("stand", *[(0.0,) * 4] * 4, neck=(0, 0, 0), spine=(0, 0, 0))
    figure = figures.pose(angles, yaw=yaw, roll=0, pitch=0, height=200)
    assert {side for side in figures.SIDES if faces_viewer(figure, f"{side}_eye")} == seen


def test_every_joint_stays_within_its_limits():
    rng = np.random.default_rng(0)
    for kind in figures.KINDS * 20:
        angles = figures.draw_angles(rng, kind)
        for limb, limits in (("arm", figures.ARM_LIMITS), ("leg", figures.LEG_LIMITS)):
            values = np.array([getattr(angles, f"{side}_{limb}") for side in figures.SIDES])
            low, high = np.transpose(limits)
            assert np.all((values >= low) & (values <= high))


def test_bones_keep_their_length_in_every_pose():
    rng = np.random.default_rng(0)
    poses = [figures.draw_angles(rng, kind) for kind in figures.KINDS]
    points = [figures.pose(a, yaw=40, roll=20, pitch=9, height=100).points for a in poses]
    lengths = [np.linalg.norm(p["left_knee"] - p["left_ankle"]) for p in points]
    np.testing.assert_allclose(lengths, 23.5)


def test_polygons_cover_exactly_their_mask_even_with_holes(coco):
    for annotation in coco.anns.values():
        assert coco.annToMask(annotation).sum() == annotation["area"]


def test_a_ring_becomes_polygons_without_its_hole():
    mask = np.zeros((20, 30), bool)
    mask[3:17, 4:24], mask[8:11, 9:15], mask[0, 29] = True, False, True
    loops = [np.reshape(loop, (-1, 2)) for loop in outlines.polygons(mask)]
    areas = [np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2 for x, y in (loop.T for loop in loops)]
    assert len(loops) == 3 and sum(areas) == mask.sum()


def test_run_lengths_count_columns_from_a_run_of_zeros():
    assert outlines.run_lengths(np.array([[1, 0], [1, 1]], bool)) == {"size": [2, 2], "counts": [0, 2, 1, 1]}
    assert outlines.run_lengths(np.array([[0, 1], [0, 0]], bool)) == {"size": [2, 2], "counts": [2, 1, 1]}


def test_boxes_hold_the_visible_keypoints(coco):
    for annotation in coco.anns.values():
        x, y, v = np.reshape(annotation["keypoints"], (-1, 3)).T
        left, top, w, h = annotation["bbox"]
        inside = (x >= left - 0.5) & (x <= left + w - 0.5) & (y >= top - 0.5) & (y <= top + h - 0.5)
        assert inside[v == 2].all() and annotation["num_keypoints"] == (v > 0).sum()


def test_the_file_is_an_ordinary_coco_keypoint_file(folder, coco):
    assert coco.dataset.keys() == {"info", "licenses", "images", "annotations", "categories"}
    assert coco.cats[1]["keypoints"][0] == "nose" and np.min(coco.cats[1]["skeleton"]) == 1
    for image in coco.imgs.values():
        assert Image.open(folder / "train" / image["file_name"]).size == (image["width"], image["height"])


def test_a_folder_that_holds_the_data_set_is_left_as_it_is(folder):
    before = (folder / "train" / "000000000001.jpg").stat().st_mtime_ns
    assert synthetic.write(folder, train=40, validation=5, seed=1) == folder
    assert (folder / "train" / "000000000001.jpg").stat().st_mtime_ns == before


def test_an_interrupted_folder_is_written_again(tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.write(tmp_path, train=1, validation=1, progress=interrupted)
    synthetic.write(tmp_path, train=1, validation=1)
    assert json.loads((tmp_path / "synthetic.json").read_text())["complete"]


def test_a_folder_with_something_else_in_it_is_refused(folder, tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected an empty folder"):
        synthetic.write(tmp_path, train=1, validation=1)
    with pytest.raises(ValueError, match=r"found .*'train': 40"):
        synthetic.write(folder, train=41, validation=5, seed=1)


def test_hundreds_of_pictures_are_drawn_in_a_minute():
    start = time.process_time()
    for index in range(20):
        synthetic.picture(0, "train", index, SIZE)
    assert 20 / (time.process_time() - start) * 60 > 200
