"""The detector's losses: nothing for the truth or for what is ignored, finite without people, a mean over views."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpose.losses import focal, smooth_l1

SHAPE = (2, 60, 1)


def states(seed=0, shape=SHAPE, chances=(0.2, 0.6, 0.2)):
    return np.random.default_rng(seed).choice([-1.0, 0.0, 1.0], shape, p=chances).astype("float32")


def values(seed=1, channels=1, scale=2.0):
    return np.random.default_rng(seed).normal(0, scale, (*SHAPE[:2], channels)).astype("float32")


def gradient(loss, start):
    variable = tf.Variable(start)
    with tf.GradientTape() as tape:
        cost = loss(variable)
    return tape.gradient(cost, variable).numpy()


def test_a_detector_that_is_right_and_sure_costs_nothing():
    assert float(focal(states(), np.where(states() > 0, 40, -40))) < 1e-12
    assert float(smooth_l1(values(channels=4), values(channels=4), states())) == 0


def test_the_focal_loss_is_the_papers_formula():
    target, logits = np.maximum(states(), 0), values()
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    right = np.where(target == 1, p, 1 - p)
    costs = -np.where(target == 1, 0.25, 0.75) * (1 - right) ** 2 * np.log(right)
    expected = np.mean(costs.sum(axis=(1, 2)) / target.sum(axis=(1, 2)))
    assert float(focal(target, logits)) == pytest.approx(expected, rel=1e-5)


def test_keras_cv_has_the_same_focal_loss():
    losses = pytest.importorskip(
        "keras_cv", reason="keras-cv is not installed: the peer that the loss is held to"
    ).losses
    target, logits = np.maximum(states(), 0), values()
    theirs = np.asarray(losses.FocalLoss(from_logits=True, reduction="none")(target, logits)).sum(axis=1)
    assert float(focal(target, logits)) == pytest.approx(np.mean(theirs / target.sum(axis=(1, 2))), rel=1e-5)


def test_the_smooth_distance_is_quadratic_below_a_ninth_and_linear_beyond():
    errors = np.array([0, 0.05, 1 / 9, 1.0], "float32").reshape(1, 1, 4)
    costs = [0, 0.5 * 9 * 0.05**2, 0.5 / 9, 1 - 0.5 / 9]
    assert float(smooth_l1(errors, np.zeros_like(errors), np.ones((1, 1, 1)))) == pytest.approx(sum(costs), rel=1e-5)
    assert np.abs(gradient(lambda x: smooth_l1(errors, x, np.ones((1, 1, 1))), np.full_like(errors, 9))).max() == 1


def test_ignored_anchors_get_no_gradient_and_background_has_no_box():
    target = states()
    assert np.array_equal(gradient(lambda x: focal(target, x), values()) != 0, target >= 0)
    taught = gradient(lambda x: smooth_l1(values(2, 4), x, target), values(3, 4)).any(axis=-1, keepdims=True)
    assert np.array_equal(taught, target == 1)


@pytest.mark.parametrize("everything", [0.0, -1.0])
def test_views_without_people_cost_something_finite(everything):
    target = np.full(SHAPE, everything, "float32")
    cost = float(focal(target, values()))
    assert np.isfinite(cost) and (cost > 0) == (everything == 0)
    assert float(smooth_l1(values(2, 4), values(3, 4), target)) == 0
    assert np.isfinite(gradient(lambda x: focal(target, x), values())).all()


def test_a_very_sure_mistake_still_costs_and_is_corrected():
    target = np.array([[[1.0], [0.0]]], "float32")
    slopes = gradient(lambda x: focal(target, x), np.array([[[-200.0], [200.0]]], "float32"))[0, :, 0]
    np.testing.assert_allclose(slopes, [-0.25, 0.75], rtol=1e-5)


def test_two_views_cost_their_mean_however_many_people_each_has():
    target, logits, codes, found = states(), values(), values(2, 4), values(3, 4)
    for loss in (lambda i: focal(target[i], logits[i]), lambda i: smooth_l1(codes[i], found[i], target[i])):
        halves = [float(loss(slice(i, i + 1))) for i in (0, 1)]
        assert float(loss(slice(0, 2))) == pytest.approx(np.mean(halves), rel=1e-5)


def test_sixteen_bit_outputs_are_judged_in_float32():
    half = keras.ops.cast(values(), "bfloat16")
    losses = focal(states(), half), smooth_l1(values(2), half, states())
    assert {keras.backend.standardize_dtype(loss.dtype) for loss in losses} == {"float32"}
