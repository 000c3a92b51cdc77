"""Skeletons are data: everything by name, and the same after a round trip."""

import numpy as np
import pytest
import yaml

from tfpose import skeleton as skeletons
from tfpose.skeleton import (
    COCO17,
    OPENPOSE18,
    SKELETONS,
    Skeleton,
    conversion,
    converted,
    from_dict,
    mirrored,
    skeleton,
)

EVERY = list(SKELETONS.values())


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_mirroring_keypoints_twice_changes_nothing(body):
    mirror = np.array(body.mirror)
    assert (mirror[mirror] == np.arange(body.count)).all()
    assert all(body.keypoints[m] == mirrored(k) for k, m in zip(body.keypoints, body.mirror))


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_mirroring_maps_limbs_to_limbs(body):
    limbs = {frozenset(limb) for limb in body.limbs}
    assert {frozenset(map(mirrored, limb)) for limb in body.limbs} == limbs


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_every_keypoint_is_at_the_end_of_a_limb_and_all_hang_together(body):
    joined = {body.keypoints[0]}
    for _ in body.keypoints:
        joined |= {name for limb in body.limbs if joined & set(limb) for name in limb}
    assert joined == set(body.keypoints)


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_a_skeleton_survives_yaml(body, tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text(yaml.safe_dump(body.as_dict()))
    assert skeleton(str(path)) == body and from_dict(body.as_dict()) == body


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_left_and_right_have_the_same_sigma(body):
    sigmas = np.array(body.sigmas)
    assert (sigmas == sigmas[list(body.mirror)]).all()


def test_the_coco_skeleton_is_that_of_the_official_evaluation():
    params = pytest.importorskip("pycocotools.cocoeval").Params(iouType="keypoints")
    assert COCO17.sigmas == pytest.approx(params.kpt_oks_sigmas)
    assert COCO17.keypoints[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert COCO17.keypoints[-2:] == ("left_ankle", "right_ankle") and COCO17.count == 17 and len(COCO17.limbs) == 19


def test_the_openpose_skeleton_has_19_limbs_in_the_published_order():
    assert OPENPOSE18.count == 18 and len(OPENPOSE18.limbs) == 19
    assert OPENPOSE18.pairs[0].tolist() == [1, 8] and OPENPOSE18.pairs[-1].tolist() == [15, 17]


def test_pairs_are_the_limbs_as_indices():
    assert [tuple(COCO17.keypoints[i] for i in pair) for pair in COCO17.pairs] == list(COCO17.limbs)


def test_a_skeleton_of_one_own_needs_no_limbs_and_no_sigmas():
    hand = from_dict({"name": "hand", "keypoints": ["left_tip", "right_tip"], "limbs": []})
    assert hand.pairs.shape == (0, 2) and hand.mirror == (1, 0) and hand.sigmas == (0.05, 0.05)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"keypoints": ["nose", "nose"]}, "named twice"),
        ({"keypoints": ["left_eye", "nose"]}, "no keypoint 'right_eye'"),
        ({"limbs": [["nose", "tail"]]}, "no keypoint 'tail'"),
        ({"sigmas": [0.1]}, "1 sigmas for 2"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_skeleton_says_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        from_dict({"name": "x", "keypoints": ["nose", "chin"], "limbs": []} | change)


def test_a_missing_field_and_an_unknown_name_are_named():
    with pytest.raises(ValueError, match="limbs"):
        from_dict({"name": "x", "keypoints": ["nose"]})
    with pytest.raises(ValueError, match="coco17"):
        skeleton("coco71")


def test_a_skeleton_can_be_a_key():
    assert {COCO17: 1}[Skeleton(COCO17.name, COCO17.keypoints, COCO17.limbs, COCO17.sigmas)] == 1
    assert skeletons.skeleton("coco17") is COCO17


@pytest.mark.parametrize("body", EVERY, ids=lambda s: s.name)
def test_the_mirror_image_of_a_limb_joins_the_mirrored_keypoints(body):
    for limb, image, turned in zip(body.limbs, body.limb_mirror, body.limb_turned):
        ends = body.limbs[image][::-1] if turned else body.limbs[image]
        assert ends == tuple(map(mirrored, limb))


def test_a_limb_without_a_mirror_image_is_named():
    body = Skeleton("bad", ("nose", "left_ear", "right_ear"), (("nose", "left_ear"),), (0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match="limb nose, left_ear has no mirror image; add nose, right_ear"):
        assert body.limb_mirror


def test_keypoints_keep_their_names_there_and_back():
    keypoints = np.random.default_rng(0).uniform(1, 100, (3, 17, 3))
    there = converted(keypoints, conversion(COCO17, OPENPOSE18))
    np.testing.assert_allclose(converted(there, conversion(OPENPOSE18, COCO17)), keypoints)


def test_a_neck_is_between_the_shoulders_and_known_where_both_are():
    keypoints = np.full((2, 17, 3), 2.0)
    keypoints[:, COCO17.index("left_shoulder")] = [[10, 20, 2], [10, 20, 0]]
    keypoints[:, COCO17.index("right_shoulder")] = [30, 40, 1]
    neck = converted(keypoints, conversion(COCO17, OPENPOSE18))[:, OPENPOSE18.index("neck")]
    assert neck.tolist() == [[20, 30, 1], [0, 0, 0]]


def test_a_keypoint_that_another_skeleton_cannot_give_is_named():
    with pytest.raises(ValueError, match="coco17: has no head_top, which lsp14 needs"):
        conversion(COCO17, skeleton("lsp14"))
