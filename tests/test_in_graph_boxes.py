"""A detector's boxes and crops in the graph are those of NumPy, with operations that LiteRT has built in."""

import numpy as np
import pytest
import tensorflow as tf
from test_boxes import ANCHORS, GRID, SIZE, noise, people

from tfpose.decode import boxes as decoding
from tfpose.export import in_graph_boxes, verify


@pytest.mark.parametrize("mean", [-30.0, -5.0, -1.0])
def test_the_graph_finds_the_same_boxes(mean):
    codes, logits = noise(3, mean)
    boxes, scores = decoding.detections(codes, logits, ANCHORS, SIZE, most=20)
    graph = tf.function(lambda c, s: in_graph_boxes.detections(c, s, ANCHORS, SIZE, most=20))
    others, theirs, count = (part.numpy() for part in graph(codes, logits))
    assert count == len(boxes) and not others[count:].any() and not theirs[count:].any()
    np.testing.assert_allclose(others[:count], boxes, atol=1e-3)
    np.testing.assert_allclose(theirs[:count], scores, atol=1e-6)


def test_the_graph_gives_the_same_crops():
    maps = np.random.default_rng(0).random((*GRID, 3)).astype(np.float32)
    boxes = np.concatenate([people(5), np.zeros((2, 4), np.float32)])
    ours, theirs = (crops(maps, boxes, (56, 36), 4) for crops in (decoding.crops, in_graph_boxes.crops))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_boxes_and_crops_in_a_file_are_built_in_operations(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    inputs = {"codes": (len(ANCHORS), 4), "logits": (len(ANCHORS), 1), "maps": (*GRID, 3)}

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=name) for name, shape in inputs.items()])
    def decode(codes, logits, maps):
        boxes, scores, count = in_graph_boxes.detections(codes, logits, ANCHORS, SIZE, most=20)
        return {
            "boxes": boxes,
            "scores": scores,
            "count": count,
            "crops": in_graph_boxes.crops(maps, boxes, (14, 9), 4),
        }

    converter = tf.lite.TFLiteConverter.from_concrete_functions([decode.get_concrete_function()], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    file = tmp_path / "boxes.tflite"
    file.write_bytes(converter.convert())
    assert verify.foreign(file) == []
    codes, logits = noise(3)
    maps = np.random.default_rng(0).random((*GRID, 3)).astype(np.float32)
    result = Interpreter(model_path=str(file)).get_signature_runner()(codes=codes, logits=logits, maps=maps)
    boxes, _ = decoding.detections(codes, logits, ANCHORS, SIZE, most=20)
    np.testing.assert_allclose(result["boxes"][: result["count"]], boxes, atol=1e-2)
    np.testing.assert_allclose(result["crops"][: len(boxes)], decoding.crops(maps, boxes, (14, 9), 4), atol=1e-3)
