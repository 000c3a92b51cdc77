"""OKS-NMS: who stays does not depend on the order, nobody unlike all better ones is lost, and figures by hand."""

import numpy as np
import pytest

from tfpose.metrics.nms import Nms, best, crop_areas, lowered, similarities
from tfpose.poses import Poses
from tfpose.skeleton import COCO17
from tfpose.spec import PoseSpec

SPEC = PoseSpec("ppnet", "person", (128, 96), COCO17, {"name": "topdown", "stride": 4}, padding=1.25)
BOX = [50, 60, 40, 80]
THRESHOLDS = (0.3, 0.6, 0.9)


def crowd(seed, count=12):
    """People of three kinds, each a little off its kind: many pairs are alike, and scores come in fives."""
    draw = np.random.default_rng(seed)
    kinds = draw.uniform(60, 130, (3, 17, 2))
    points = kinds[draw.integers(0, 3, count)] + draw.normal(0, 4, (count, 1, 2)) + draw.normal(0, 1, (count, 17, 2))
    keypoints = np.concatenate([points, draw.random((count, 17, 1))], axis=-1).astype(np.float32)
    scores = draw.choice(np.float32([0.2, 0.4, 0.6, 0.8, 1.0]), count)
    return Poses(keypoints, scores, np.tile(np.float32(BOX), (count, 1)))


def chosen(people, order):
    return Poses(people.keypoints[order], people.scores[order], people.boxes[order])


def alike(people):
    return similarities(people.keypoints, crop_areas(people.boxes, SPEC), COCO17.sigmas)


def listed(people):
    """The poses and their scores in an order of their own."""
    return sorted((round(float(s), 6), k.ravel().tolist()) for k, s in zip(people.keypoints, people.scores))


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_who_stays_with_which_score_does_not_depend_on_the_order(kind):
    for seed in range(5):
        people, nms = crowd(seed), Nms(kind, 0.6)
        turned = chosen(people, np.random.default_rng(seed).permutation(len(people)))
        assert listed(nms(people, SPEC)) == listed(nms(turned, SPEC))


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_once_dropped_nothing_more_is_dropped(threshold):
    nms = Nms("hard", threshold)
    once = [nms(crowd(seed), SPEC) for seed in range(5)]
    assert sum(map(len, once)) < 5 * 12
    assert all(listed(nms(people, SPEC)) == listed(people) for people in once)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_nobody_unlike_all_better_ones_is_lost_and_no_two_that_stay_are_alike(threshold):
    for seed in range(5):
        people = crowd(seed)
        same, stay = alike(people), best(people, alike(people), threshold)
        for i in range(len(people)):
            better = (people.scores >= people.scores[i]) & (np.arange(len(people)) != i)
            assert i in stay or (same[i, better] > threshold).any()
        assert (same[np.ix_(stay, stay)] - np.eye(len(stay)) <= threshold).all()


def test_the_best_stays_and_its_twin_goes_unless_nms_is_off():
    people = crowd(0, count=2)
    twins = Poses(people.keypoints[[0, 0]], np.float32([0.3, 0.8]), people.boxes[[0, 0]])
    assert Nms("hard")(twins, SPEC).scores.tolist() == pytest.approx([0.8])
    assert Nms("none")(twins, SPEC) is twins


def test_a_pose_is_dropped_only_by_one_that_stays():
    same = np.array([[1, 0.95, 0.5], [0.95, 1, 0.95], [0.5, 0.95, 1]])
    people = Poses(np.zeros((3, 17, 3)), np.array([0.9, 0.8, 0.7]), np.zeros((3, 4)))
    assert best(people, same, 0.9).tolist() == [0, 2]


def test_soft_nms_lowers_scores_and_nothing_else():
    for seed in range(5):
        people, found = crowd(seed), Nms("soft", 0.6)(crowd(seed), SPEC)
        assert (found.keypoints == people.keypoints).all() and (found.scores <= people.scores + 1e-7).all()
        assert found.scores.max() == pytest.approx(people.scores.max()) and (found.scores < people.scores - 0.01).any()


def test_soft_nms_by_hand():
    same = np.array([[1, 0.6, 0], [0.6, 1, 0.3], [0, 0.3, 1]])
    people = Poses(np.zeros((3, 17, 3)), np.array([1.0, 0.9, 0.8]), np.zeros((3, 4)))
    # The first lowers the second below the third, which then lowers it again.
    expected = 0.9 * np.exp(-(0.6**2) / 0.9) * np.exp(-(0.3**2) / 0.9)
    assert lowered(people, same, 0.9) == pytest.approx([1, expected, 0.8])


def test_similarity_by_hand():
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[1, :, 0] = 5  # five pixels to the right, whatever the scores
    areas, sigma = np.array([3000.0, 5000.0]), np.array(COCO17.sigmas)
    expected = np.exp(-25 / (2 * 4000 * (2 * sigma) ** 2)).mean()
    assert similarities(keypoints, areas, sigma) == pytest.approx(np.array([[1, expected], [expected, 1]]))


def test_the_area_is_that_of_the_padded_box_in_the_views_aspect():
    tall, wide = [0, 0, 30, 80], [0, 0, 60, 20]
    assert crop_areas(np.array([tall, wide]), SPEC) == pytest.approx([100 * 75, 75 * 100])


def test_an_image_with_nobody_stays_so():
    nobody = Poses(np.zeros((0, 17, 3)), np.zeros(0), np.zeros((0, 4)))
    assert len(Nms("hard")(nobody, SPEC)) == len(Nms("soft")(nobody, SPEC)) == 0


def test_an_unknown_kind_names_the_choices():
    with pytest.raises(ValueError, match="none, hard, soft"):
        Nms("gentle")
