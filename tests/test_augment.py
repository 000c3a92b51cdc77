"""What chance may change is within the configured limits, and the same for the same seed."""

import numpy as np
import pytest
import tensorflow as tf

from tfpose.config import Augment
from tfpose.data import augment
from tfpose.skeleton import COCO17

MANY = 4000
STILL = Augment(rotation=0, rotation_chance=0, scale=(1, 1), mirror=0, half_body=0)


def people(count: int = MANY) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (P, 17, 3) and boxes (P, 4): upper halves in the upper half of the box, from the nose to the ankles."""
    lower = np.array([name.endswith(("hip", "knee", "ankle")) for name in COCO17.keypoints])
    points = np.random.default_rng(0).uniform((10, 20), (60, 70), (count, 17, 2)) + np.where(lower, 60, 0)[:, None] * [
        0,
        1,
    ]
    keypoints = np.concatenate([points, np.full((count, 17, 1), 2)], axis=2).astype(np.float32)
    return keypoints, np.tile(np.float32([10, 20, 50, 110]), (count, 1))


def draw(options: Augment, seed=(3, 4), known=None):
    keypoints, boxes = people()
    keypoints = keypoints if known is None else keypoints * np.float32(known)[:, None]
    draws = augment.draw(options, keypoints, boxes, 1.25, COCO17, tf.constant(seed))
    return augment.Draws(*(d.numpy() for d in draws))


def test_without_chance_everything_is_as_it_was():
    keypoints, boxes = people(5)
    draws, none = augment.draw(STILL, keypoints, boxes, 1.25, COCO17, tf.constant([1, 2])), augment.none(boxes, 1.25)
    for drawn, plain in zip(draws, none):
        assert np.array_equal(drawn, plain)


def test_the_same_seed_draws_the_same_and_another_something_else():
    first, again, other = (draw(Augment(brightness=0.2), seed) for seed in ((3, 4), (3, 4), (3, 8)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not any(np.array_equal(getattr(first, n), getattr(other, n)) for n in ("turn", "scale", "mirror", "colour"))


def test_turns_are_normal_clipped_and_rare_as_configured():
    turn = draw(Augment(rotation=45, rotation_limit=90, rotation_chance=0.6)).turn
    turned = turn[turn != 0]
    assert np.abs(turn).max() == 90 and abs(len(turned) / MANY - 0.6) < 0.03
    assert abs(turned.mean()) < 3 and abs((np.abs(turned) < 45).mean() - 0.683) < 0.03


def test_uniform_turns_fill_their_range():
    turn = draw(Augment(rotation=40, rotation_kind="uniform", rotation_chance=1)).turn
    assert np.abs(turn).max() <= 40 and abs((np.abs(turn) < 20).mean() - 0.5) < 0.03


def test_turning_around_reaches_every_angle():
    turn = draw(Augment(turn_around_chance=1)).turn
    assert np.histogram(turn, 8, (-180, 180))[0].min() > MANY / 8 * 0.8


def test_scales_of_the_box_are_clipped_about_one():
    scale = 1 / draw(Augment(scale=(0.65, 1.35))).scale
    assert scale.min() == pytest.approx(0.65) and scale.max() == pytest.approx(1.35)
    assert abs(np.median(scale) - 1) < 0.02


def test_uniform_scales_fill_a_range_that_is_not_about_one():
    scale = 1 / draw(Augment(scale=(0.7, 1.35), scale_kind="uniform")).scale
    assert np.histogram(scale, 5, (0.7, 1.35))[0].min() > MANY / 5 * 0.85


def test_boxes_grow_about_their_centres_by_up_to_their_fractions():
    boxes = draw(Augment(extension=(0.6, 0.8), half_body=0)).boxes
    growth = boxes[:, 2:] / [50, 110] - 1
    assert (growth >= 0).all() and np.allclose(growth.max(axis=0), (0.6, 0.8), atol=0.01)
    assert abs(np.corrcoef(growth.T)[0, 1]) < 0.06
    np.testing.assert_allclose(boxes[:, :2] + boxes[:, 2:] / 2, np.tile([35, 75], (MANY, 1)), atol=1e-3)


def test_shifts_are_within_their_fraction():
    shift = draw(Augment(shift=0.1)).shift
    assert np.abs(shift).max() <= 0.1 and (np.abs(shift).max(axis=0) > 0.095).all()
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.06


def test_half_of_the_people_are_mirrored_and_independently_of_their_turn():
    draws = draw(Augment(mirror=0.5, rotation_chance=1))
    assert abs(draws.mirror.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(draws.mirror, draws.turn)[0, 1]) < 0.06


def test_half_bodies_are_boxes_around_one_half_of_the_keypoints():
    draws, (keypoints, _) = draw(Augment(half_body=1)), people()
    lower = np.array([name.endswith(augment.LOWER) for name in COCO17.keypoints])
    for i in range(20):
        halves = [keypoints[i, part, :2] for part in (lower, ~lower)]
        bounds = [[*half.min(axis=0), *np.ptp(half, axis=0)] for half in halves]
        assert any(np.allclose(draws.boxes[i], b, atol=1e-3) for b in bounds)
    upper = (draws.boxes[:, 1] < 75).mean()
    assert abs(upper - 0.5) < 0.03 and (draws.padding == augment.HALF_BODY_PADDING).all()


def test_half_bodies_are_as_frequent_as_configured():
    draws = draw(Augment(half_body=0.3))
    changed = (draws.boxes != people()[1]).any(axis=1)
    assert abs(changed.mean() - 0.3) < 0.03 and np.array_equal(changed, draws.padding != 1.25)


@pytest.mark.parametrize("labelled, halved", [(8, False), (9, True)])
def test_people_with_few_keypoints_are_kept_whole(labelled, halved):
    draws = draw(Augment(half_body=1, half_body_keypoints=8), known=np.arange(17) < labelled)
    assert (draws.boxes != people()[1]).any() == halved


def test_a_half_without_keypoints_is_never_chosen():
    upper_only = [not name.endswith(augment.LOWER) for name in COCO17.keypoints]
    draws = draw(Augment(half_body=1), known=upper_only)
    assert (draws.boxes[:, 1] < 75).all() and np.abs(draws.boxes).max() < 1000


def test_a_colour_change_keeps_grey_grey():
    draws = draw(Augment(brightness=0.2, contrast=0.3, saturation=0.4))
    grey = draws.colour[:, :, :3].sum(axis=2) * 100 + draws.colour[:, :, 3]
    assert np.ptp(grey, axis=1).max() < 1e-2 and np.ptp(grey[:, 0]) > 50


def test_erased_rectangles_are_as_frequent_as_configured_and_of_every_allowed_area():
    left, top, right, bottom = draw(Augment(erase=0.3)).erased.T
    taken = right > 0
    area = ((right - left) * (bottom - top))[taken]
    assert abs(taken.mean() - 0.3) < 0.03 and not draw(Augment()).erased.any()
    assert min(left.min(), top.min()) >= 0 and max(right.max(), bottom.max()) <= 1 + 1e-6
    assert area.min() + 1e-6 >= 0.02 and area.max() <= 0.33 + 1e-6 and abs(area.mean() - 0.175) < 0.01
    assert np.histogram(((left + right) / 2)[taken], 3, (0, 1))[0].min() > taken.sum() / 6


def test_brightness_moves_every_colour_as_far_as_configured():
    colour = draw(Augment(brightness=0.2)).colour
    np.testing.assert_allclose(colour[:, :, :3], np.tile(np.eye(3), (MANY, 1, 1)), atol=1e-6)
    assert 49 < np.abs(colour[:, 0, 3]).max() <= 51.001
