"""The Pose Residual Network has the weights of its paper and gives distributions; its scores and baselines by hand."""

import keras
import numpy as np
import pytest
from weightless import built

from tfpose.decode import assign, prn
from tfpose.models.prn import prn as network

# The paper's first model, those of its table 3, and the second layer that ports of the public code have.
PUBLISHED = [
    ({}, 70_224_352),
    ({"nodes": 50}, 3_461_522),
    ({"nodes": 512}, 35_129_312),
    ({"nodes": 512, "hidden": 2}, 35_391_968),
    ({"hidden": 2}, 71_273_952),
]
SMALL = {"grid": (8, 6), "keypoints": 3, "nodes": 16}
BOX = np.float32([[100, 200, 60, 80]])


def maps(seed=0, count=2):
    return np.random.default_rng(seed).random((count, 8, 6, 3), np.float32)


def values(net, inputs):
    return keras.ops.convert_to_numpy(net(inputs, training=False)["poses"])


@pytest.mark.parametrize(("choices", "weights"), PUBLISHED, ids=[str(row[0]) for row in PUBLISHED])
def test_a_network_has_the_weights_of_its_sizes(choices, weights):
    assert built(lambda: network(**choices)).count_params() == weights


def test_every_keypoint_is_somewhere_in_the_box():
    assert np.allclose(values(network(**SMALL), maps()).sum(axis=(1, 2)), 1, atol=1e-5)


def test_without_correction_the_residual_network_ranks_cells_as_its_input():
    net = network(**SMALL)
    for weight in net.weights:
        weight.assign(keras.ops.zeros_like(weight))
    weights = np.exp(maps())
    assert np.allclose(values(net, maps()), weights / weights.sum(axis=(1, 2), keepdims=True), atol=1e-6)


def test_without_the_residual_the_input_reaches_the_output_through_the_hidden_layers_alone():
    net = network(**SMALL, residual=False)
    net.get_layer("hidden1").kernel.assign(keras.ops.zeros_like(net.get_layer("hidden1").kernel))
    assert np.allclose(values(net, maps(0)), values(net, maps(1)))


@pytest.mark.parametrize("choices", [{"hidden": 1}, {"hidden": 2}])
def test_dropout_is_of_training_alone(choices):
    net = network(**SMALL, **choices)
    assert np.allclose(values(net, maps()), values(net, maps()))
    assert not np.allclose(net(maps(), training=True)["poses"], values(net, maps()))


def test_no_hidden_layer_is_refused():
    with pytest.raises(ValueError, match="0 hidden layers"):
        network(hidden=0)


def test_a_window_sums_what_lies_around_a_place_and_stops_at_the_border():
    ones = np.ones((1, 8, 6, 3))
    places = np.array([[[0.5, 0.5], [0.0, 0.0], [1.5, 1.5]]])
    assert prn.windows(ones, np.array([0, 1, 2]), places, side=3).tolist() == [[9, 4, 4]]


def test_windows_are_the_sums_of_their_cells():
    draw = np.random.default_rng(0)
    places, kinds, found = draw.random((2, 20, 2)), draw.integers(0, 3, 20), maps()
    x, y = (places[..., 0] * 6).astype(int), (places[..., 1] * 8).astype(int)
    near = (np.abs(np.arange(8)[:, None] - y[..., None, None]) <= 2) & (np.abs(np.arange(6) - x[..., None, None]) <= 2)
    expected = np.einsum("bnyx,byxn->bn", near, found[..., kinds])
    assert np.allclose(prn.windows(found, kinds, places, side=5), expected)


def test_a_prior_of_each_kind_sums_to_one_and_is_highest_where_keypoints_were():
    prior = prn.prior(np.full((50, 2), 0.3), np.zeros(50, int), (28, 18), 2)
    assert np.allclose(prior.sum(axis=(0, 1)), 1)
    assert np.unravel_index(prior[..., 0].argmax(), (28, 18)) == (8, 5)


def test_a_map_is_sampled_exactly_where_it_is_linear():
    rows, columns = np.mgrid[:8, :6]
    plane = np.stack([2.0 * columns + rows, -columns], axis=-1)
    place = np.array([[0.4, 0.7], [0.4, 0.7], [-1.0, 0.7]])
    x, y = 0.4 * 6 - 0.5, 0.7 * 8 - 0.5
    assert np.allclose(prn.sampled(plane, np.array([0, 1, 0]), place), [2 * x + y, -x, y])


def test_candidates_outside_the_enlarged_box_score_nothing_in_any_method():
    candidates = np.array([[0, 85, 240, 1], [0, 100 - 0.3 * 60, 240, 1]])
    for score in (
        prn.max_scores(candidates, BOX, 0.26),
        prn.unary_scores(np.ones((4, 4, 1)), candidates, BOX, 0.26),
        prn.network_scores(np.ones((1, 8, 6, 1)), candidates, BOX, 0.26),
    ):
        assert score[0, 0] > 0 == score[0, 1]


def test_a_keypoints_score_counts_in_every_method():
    sure = np.array([[0, 120, 240, 1.0]])
    unsure = sure * [1, 1, 1, 0.5]
    prior, ones = np.ones((4, 4, 1)), np.ones((1, 8, 6, 1))
    for score in (
        lambda c: prn.max_scores(c, BOX, 0.2),
        lambda c: prn.unary_scores(prior, c, BOX, 0.2),
        lambda c: prn.network_scores(ones, c, BOX, 0.2),
    ):
        assert np.allclose(score(unsure), score(sure) / 2)


def test_shares_sum_to_one_where_a_box_has_the_candidate():
    assert np.allclose(prn.shares(np.array([[3.0, 0], [1, 0]])), [[0.75, 0], [0.25, 0]])


def test_a_pixels_centre_lies_half_a_pixel_inside_the_boxs_edge():
    place = assign.places(np.array([[0, 100, 279, 1]]), BOX, 0)
    assert np.allclose(place, [[[0.5 / 60, 79.5 / 80]]])
