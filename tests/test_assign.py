"""Rules that share candidates out are optimal, exclusive and blind to order; so is the network that scores them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfpose.decode import assign
from tfpose.models.assignment import assignment, hats

KINDS = 3
SMALL = {"keypoints": KINDS, "grid": (4, 3), "nodes": 16, "bells": 2, "passes": 2}


def gains(seed, rows, columns):
    """Gains of which some are 0 and many are equal."""
    draw = np.random.default_rng(seed)
    return np.round(draw.random((rows, columns)) * (draw.random((rows, columns)) < 0.7), draw.integers(1, 9))


def total(gains, columns):
    return sum(gains[row, column] for row, column in enumerate(columns) if column >= 0)


def best(gains):
    """The largest sum there is: every row's choice tried out, -1 for none."""
    choices = itertools.product(range(-1, gains.shape[1]), repeat=len(gains))
    return max(total(gains, c) for c in choices if len(set(c) - {-1}) == sum(i >= 0 for i in c))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (3, 5), (5, 3), (4, 4)])
def test_no_assignment_is_worth_more_than_the_one_found(seed, shape):
    values = gains(seed, *shape)
    assert total(values, assign.matched(values)) == pytest.approx(best(values))


@pytest.mark.parametrize("seed", range(40))
def test_large_assignments_are_worth_what_scipy_finds(seed):
    optimize = pytest.importorskip("scipy.optimize")
    shape = np.random.default_rng(seed).integers(1, (31, 65))
    values = gains(seed, *shape)
    found = assign.matched(values)
    assert total(values, found) == pytest.approx(values[optimize.linear_sum_assignment(values, maximize=True)].sum())
    assert len(set(found[found >= 0])) == (found >= 0).sum()


def test_a_row_goes_without_where_every_column_is_worth_nothing():
    assert assign.matched(np.array([[0.0, 0], [0, 2], [0, 3]])).tolist() == [-1, -1, 1]
    assert assign.matched(np.zeros((2, 0))).tolist() == [-1, -1]


def scores(seed, boxes=4, candidates=15):
    draw = np.random.default_rng(seed)
    return draw.random((boxes, candidates)), draw.integers(0, KINDS, candidates)


@pytest.mark.parametrize("name", assign.RULES)
def test_a_box_gets_candidates_of_the_kind_that_score_in_it(name):
    values, kinds = scores(0)
    values[:, ::2] = 0
    chosen = assign.RULES[name](values, kinds, KINDS)
    for box, kind in zip(*np.nonzero(chosen >= 0)):
        assert kinds[chosen[box, kind]] == kind
        assert values[box, chosen[box, kind]] > 0


@pytest.mark.parametrize("name", ["mutual", "assigned"])
def test_no_candidate_belongs_to_two_boxes(name):
    for values, kinds in (scores(1), (np.ones((4, 15)), scores(1)[1])):
        chosen = assign.RULES[name](values, kinds, KINDS)
        assert len(set(chosen[chosen >= 0])) == (chosen >= 0).sum() > 0


@pytest.mark.parametrize("name", assign.RULES)
def test_a_rule_does_not_look_at_the_order_of_boxes_and_candidates(name):
    (values, kinds), draw = scores(2), np.random.default_rng(2)
    boxes, order = draw.permutation(4), draw.permutation(15)
    chosen = assign.RULES[name](values[boxes][:, order], kinds[order], KINDS)
    expected = assign.RULES[name](values, kinds, KINDS)[boxes]
    assert np.array_equal(np.where(chosen < 0, -1, order[chosen]), expected)


def test_two_boxes_that_like_the_same_candidate_are_told_apart_by_their_second_best():
    values, kinds = np.array([[0.9, 0.8], [0.7, 0.01]]), np.zeros(2, int)
    assert assign.peak(values, kinds, 1).tolist() == [[0], [0]]
    assert assign.mutual(values, kinds, 1).tolist() == [[0], [-1]]
    assert assign.assigned(values, kinds, 1).tolist() == [[1], [0]]


def test_a_pose_is_ranked_by_its_mean_share_and_an_empty_box_gives_none():
    candidates = np.array([[0, 10, 20, 1.0], [2, 30, 40, 0.5]])
    shares = np.array([[0.8, 0.4], [0.2, 0.6]])
    people = assign.poses(np.array([[0, -1, 1], [-1, -1, -1]]), candidates, shares, np.ones((2, 4)))
    assert people.scores == pytest.approx([0.6])
    assert np.allclose(people.keypoints[0], [[10, 20, 0.8], [0, 0, 0], [30, 40, 0.2]])


def test_an_image_without_boxes_or_candidates_has_no_poses():
    for boxes, count in ((0, 5), (3, 0)):
        values = np.ones((boxes, count))
        chosen = assign.assigned(values, np.zeros(count, int), KINDS)
        assert len(assign.poses(chosen, np.ones((count, 4)), values, np.ones((boxes, 4)))) == 0


def image(seed, boxes=3, candidates=7):
    draw = np.random.default_rng(seed)
    found = np.column_stack([draw.integers(0, KINDS, candidates), draw.uniform(0, 100, (candidates, 2))])
    frames = np.column_stack([draw.uniform(0, 40, (boxes, 2)), draw.uniform(30, 80, (boxes, 2))])
    return np.column_stack([found, np.ones(candidates)]), frames


NETWORK = assignment(**SMALL)
for weight in NETWORK.weights:  # nobody's logits start at 0, where a mistake would not be seen
    weight.assign(keras.random.normal(weight.shape, stddev=0.3, seed=len(weight.shape)))


def called(candidates, boxes, network=NETWORK, extra=0):
    inputs = assign.network_inputs(candidates, boxes, 0.3, KINDS)
    for name, axes in {"places": (1, 2), "kinds": (1,), "inside": (1, 2), "shapes": (1,)}.items():
        width = [(0, extra if axis in axes else 0) for axis in range(inputs[name].ndim)]
        inputs[name] = np.pad(inputs[name], width)
    return inputs, {k: keras.ops.convert_to_numpy(v) for k, v in network(inputs, training=False).items()}


def scored(candidates, boxes, extra=0):
    inputs, outputs = called(candidates, boxes, extra=extra)
    last = (outputs[f"{side}/1"][0, : len(boxes), : len(candidates)] for side in ("boxes", "candidates"))
    inside = inputs["inside"][0, : len(boxes), : len(candidates)]
    return assign.network_scores(*last, candidates[:, 0].astype(int), inside)


def test_the_network_is_small_and_passes_share_its_weights():
    assert assignment().count_params() == assignment(passes=1).count_params() <= 4_000_000


def test_the_network_does_not_look_at_the_order_of_boxes_and_candidates():
    candidates, boxes = image(0)
    for one, other in zip(scored(candidates, boxes), scored(candidates[::-1], boxes[::-1])):
        assert np.allclose(one, other[::-1, ::-1], atol=1e-5)


def test_rows_that_are_not_used_change_nothing():
    for one, other in zip(scored(*image(1)), scored(*image(1), extra=4)):
        assert np.allclose(one, other, atol=1e-5)


def test_the_network_does_not_see_where_the_image_lies_and_how_large_it_is():
    candidates, boxes = image(2)
    moved = candidates * [1, 2, 2, 1] + [0, 7.5, 3.5, 0], boxes * 2 + [7, 3, 0, 0]
    for one, other in zip(scored(candidates, boxes), scored(*moved)):
        assert np.allclose(one, other, atol=1e-4)


def test_shares_of_boxes_and_of_nobody_sum_to_one():
    candidates, boxes = image(3)
    scores, shares = scored(candidates, boxes)
    inside = assign.inside(assign.places(candidates, boxes, 0.3))
    assert np.array_equal(shares > 0, inside) and (shares.sum(axis=0) < 1).all()
    assert np.array_equal(scores > 0, inside)


def test_an_image_without_candidates_has_finite_logits():
    _, outputs = called(np.zeros((0, 4)), image(4)[1], extra=1)
    assert all(np.isfinite(values).all() for values in outputs.values())


def test_a_candidate_is_shared_among_its_nearest_cells_so_that_their_mean_is_its_place():
    places = np.random.default_rng(5).uniform(0.2, 0.8, (9, 2)).astype(np.float32)
    cells = keras.ops.convert_to_numpy(hats(places, (4, 3))).reshape(9, 4, 3)
    assert np.allclose(cells.sum(axis=(1, 2)), 1, atol=1e-6) and (np.count_nonzero(cells, axis=(1, 2)) <= 4).all()
    rows, columns = (np.arange(4) + 0.5) / 4, (np.arange(3) + 0.5) / 3
    mean = np.stack([cells.sum(axis=1) @ columns, cells.sum(axis=2) @ rows], axis=-1)
    assert np.allclose(mean, places, atol=1e-6)


def test_every_weight_gets_a_gradient():
    with tf.GradientTape() as tape:
        outputs = NETWORK(assign.network_inputs(*image(6), 0.3, KINDS))
        loss = sum(tf.reduce_sum(values[values > -1000] ** 2) for values in outputs.values())
    assert all(np.abs(g).max() > 0 for g in tape.gradient(loss, NETWORK.trainable_variables))


def test_a_fixed_size_becomes_a_tflite_file_of_built_in_operations_that_agrees(tmp_path):
    inputs, expected = called(*image(7))
    sizes = {name: keras.InputSpec(shape=values.shape, dtype="float32", name=name) for name, values in inputs.items()}
    NETWORK.export(tmp_path, input_signature=[sizes], verbose=False)
    interpreter = Interpreter(model_content=tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert())
    found = interpreter.get_signature_runner()(**inputs)
    assert all(np.allclose(found[name], expected[name], atol=1e-3) for name in expected)
