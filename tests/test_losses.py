"""Losses are laws: nothing for the truth, nothing for what is not known, and the same on one device as on several."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpose.losses import HARDEST, hardest_mse, heatmap_mse, maps_sse


def maps(seed, shape=(2, 4, 3, 5)):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_perfect_heatmaps_cost_nothing():
    assert float(heatmap_mse(maps(0), maps(0), np.ones((2, 5)))) == 0


def test_the_cost_is_half_the_squared_error_over_cells_and_keypoints():
    target, output = np.zeros((1, 1, 2, 2)), np.array([[[[1.0, 5.0], [3.0, 7.0]]]])
    weight = np.array([[1.0, 0.0]])
    assert float(heatmap_mse(target, output, weight)) == pytest.approx(0.5 * (1 + 9) / 4)


def test_an_unknown_keypoint_gets_no_gradient():
    weight = np.ones((2, 5), "float32")
    weight[1, 3] = 0
    output = tf.Variable(maps(0))
    with tf.GradientTape() as tape:
        loss = heatmap_mse(maps(1), output, weight)
    gradient = tape.gradient(loss, output).numpy()
    assert not gradient[1, :, :, 3].any()
    assert gradient[0].all() and np.delete(gradient[1], 3, axis=-1).all()


def test_weights_may_have_grid_axes():
    weight = np.random.default_rng(2).random((2, 5))
    flat, gridded = (heatmap_mse(maps(0), maps(1), w) for w in (weight, weight[:, None, None, :]))
    assert float(flat) == float(gridded)


def test_a_batch_in_two_halves_costs_their_mean_whatever_is_unknown():
    weight = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 0, 0]], "float32")
    halves = [heatmap_mse(maps(0)[i : i + 1], maps(1)[i : i + 1], weight[i : i + 1]) for i in range(2)]
    assert float(heatmap_mse(maps(0), maps(1), weight)) == pytest.approx(float(sum(halves)) / 2)


def test_sixteen_bit_heatmaps_are_judged_in_float32():
    output = keras.ops.cast(maps(0), "bfloat16")
    loss = heatmap_mse(maps(1), output, np.ones((2, 5)))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    exact = 0.5 * np.mean((keras.ops.convert_to_numpy(keras.ops.cast(output, "float32")) - maps(1)) ** 2)
    assert float(loss) == pytest.approx(exact, rel=1e-6)


def test_without_weights_every_heatmap_counts():
    every = np.ones((2, 5), "float32")
    assert float(heatmap_mse(maps(0), maps(1))) == pytest.approx(float(heatmap_mse(maps(0), maps(1), every)))


MANY = (2, 4, 3, 17)


def by_hand(target, output, weight):
    errors = weight * np.mean((output - target) ** 2, axis=(1, 2))
    return np.mean([np.mean(np.sort(row)[-HARDEST:]) for row in errors]) / 2


@pytest.mark.parametrize("known", [17, 8, 3, 0])
def test_the_hardest_keypoints_are_the_eight_worst_known_ones_of_each_person(known):
    weight = np.zeros((2, 17), "float32")
    weight[:, :known] = 1
    target, output = maps(0, MANY), maps(1, MANY)
    assert float(hardest_mse(target, output, weight)) == pytest.approx(by_hand(target, output, weight), rel=1e-6)


def test_an_easy_or_unknown_keypoint_gets_no_gradient_from_the_hardest():
    weight = np.ones((2, 17), "float32")
    weight[0, 16] = 0
    output = tf.Variable(np.ones(MANY, "float32") * np.arange(17, dtype="float32"))
    with tf.GradientTape() as tape:
        loss = hardest_mse(np.zeros(MANY), output, weight)
    taught = tape.gradient(loss, output).numpy().any(axis=(1, 2))
    assert taught.tolist() == [[8 <= k < 16 for k in range(17)], [k >= 9 for k in range(17)]]


def test_the_hardest_of_fewer_than_eight_keypoints_are_all_of_them():
    weight = np.ones((2, 5), "float32")
    assert float(hardest_mse(maps(0), maps(1), weight)) == pytest.approx(float(heatmap_mse(maps(0), maps(1), weight)))


def test_the_hardest_of_a_batch_in_two_halves_cost_their_mean():
    weight = np.random.default_rng(3).integers(0, 2, (2, 17)).astype("float32")
    target, output = maps(0, MANY), maps(1, MANY)
    halves = [hardest_mse(target[i : i + 1], output[i : i + 1], weight[i : i + 1]) for i in range(2)]
    assert float(hardest_mse(target, output, weight)) == pytest.approx(float(sum(halves)) / 2)


def known(seed=2):
    return np.random.default_rng(seed).integers(0, 2, (2, 4, 3, 1)).astype("float32")


def test_maps_cost_half_the_sum_of_their_squared_errors_a_view():
    expected = (known() * (maps(0) - maps(1)).astype("float64") ** 2).sum() / (2 * 2)
    assert float(maps_sse(maps(0), maps(1), known())) == pytest.approx(expected, rel=1e-6)
    assert float(maps_sse(maps(0), maps(0), known())) == 0


def test_the_gradient_of_a_view_is_its_error_whatever_the_size_of_the_maps():
    for shape in ((1, 2, 2, 3), (1, 8, 6, 9)):
        target, output = np.zeros(shape, "float32"), tf.Variable(maps(3, shape))
        with tf.GradientTape() as tape:
            loss = maps_sse(target, output, np.ones((*shape[:3], 1)))
        np.testing.assert_allclose(tape.gradient(loss, output), output, rtol=1e-6)


def test_a_cell_that_is_not_known_gets_no_gradient():
    output = tf.Variable(maps(0))
    with tf.GradientTape() as tape:
        loss = maps_sse(maps(1), output, known())
    assert np.array_equal(tape.gradient(loss, output).numpy().any(axis=-1), known()[..., 0] > 0)


def test_maps_of_which_nothing_is_known_cost_nothing():
    assert float(maps_sse(maps(0), maps(1), np.zeros((2, 4, 3, 1)))) == 0


def test_the_maps_of_a_batch_in_two_halves_cost_their_mean():
    halves = [maps_sse(maps(0)[i : i + 1], maps(1)[i : i + 1], known()[i : i + 1]) for i in range(2)]
    assert float(maps_sse(maps(0), maps(1), known())) == pytest.approx(float(sum(halves)) / 2, rel=1e-6)


def test_sixteen_bit_maps_are_summed_in_float32():
    loss = maps_sse(maps(1), keras.ops.cast(maps(0), "bfloat16"), known())
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
