"""Candidates are shared out in the graph exactly as in NumPy, also where several answers are equally good."""

import numpy as np
import pytest
import tensorflow as tf

from tfpose.decode import assign
from tfpose.export import in_graph_assign, verify

KINDS, BOXES, PEAKS = 4, 6, 8


def scores(seed: int) -> tuple[np.ndarray, int]:
    """Scores of some boxes: of boxes that look at the same candidates; of candidates that score alike; of anything."""
    draw = np.random.default_rng(seed)
    values = draw.random((KINDS, 1 if seed % 3 else BOXES, PEAKS))
    if seed % 3 == 1:
        values = np.round(values * 4) / 4
    count = int(draw.integers(0, BOXES + 1))
    looked = draw.random((KINDS, BOXES, PEAKS)) < draw.choice([0.2, 0.6, 1.0])
    looked[:, count:] = False
    return (values * looked).astype(np.float32), count


def expected(rule: str, values: np.ndarray, count: int) -> np.ndarray:
    """What NumPy gives to each of the boxes, (KINDS, BOXES)."""
    chosen = np.full((KINDS, BOXES), -1)
    for kind in range(KINDS):
        chosen[kind, :count] = assign.RULES[rule](values[kind, :count], np.zeros(PEAKS, int), 1)[:, 0]
    return chosen


@pytest.mark.parametrize("rule", assign.RULES)
def test_boxes_get_in_the_graph_what_they_get_in_numpy(rule):
    shapes = tf.TensorSpec((KINDS, BOXES, PEAKS)), tf.TensorSpec((), tf.int32)
    graph = tf.function(in_graph_assign.RULES[rule], input_signature=shapes, autograph=False)
    for seed in range(90):
        values, count = scores(seed)
        np.testing.assert_array_equal(graph(values, count), expected(rule, values, count), err_msg=str(seed))


def test_a_file_of_the_rule_without_sharing_has_built_in_operations_alone(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    @tf.function(input_signature=[tf.TensorSpec((KINDS, BOXES, PEAKS)), tf.TensorSpec((), tf.int32)], autograph=False)
    def assigned(values, count):
        return {"chosen": in_graph_assign.assigned(values, count)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([assigned.get_concrete_function()], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    file = tmp_path / "assigned.tflite"
    file.write_bytes(converter.convert())
    assert verify.foreign(file) == []
    call = Interpreter(model_path=str(file)).get_signature_runner()
    for seed in range(30):
        values, count = scores(seed)
        chosen = call(values=values, count=np.int32(count))["chosen"]
        np.testing.assert_array_equal(chosen, expected("assigned", values, count), err_msg=str(seed))
