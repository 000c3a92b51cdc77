"""People are made of boxes and heatmaps in the graph as in NumPy, and so are the boxes, the best first."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from test_inboxes import GRID, TWO, outputs, people

from tfpose.decode import assign
from tfpose.decode.inboxes import InBoxes
from tfpose.export import decoded, in_graph_decoders, verify
from tfpose.export.in_graph_inboxes import People
from tfpose.skeleton import COCO17
from tfpose.spec import PoseSpec

NAMES = ("heatmaps", "boxes", "scores")
SPEC = PoseSpec("multiposenet", "image", (256, 384), COCO17, {"name": "boxes", "stride": 4, "most": 32})
DECODER = InBoxes(COCO17, stride=4, most=32)
CROWD = people((20, 30), (50, 34), (64, 60), (200, 60), (230, 40))


def maps(keypoints, noise: float = 0.0, levels: int = 0) -> dict:
    """What a network gives: perfect; noisy; rounded to whole parts of its range as an int8 file does."""
    rng, found = np.random.default_rng(0), {}
    for name, values in zip(NAMES, outputs(keypoints)):
        values = values + noise * rng.normal(size=values.shape)
        if levels:
            unit = np.ptp(values) / levels
            values = np.round(values / unit) * unit
        found[name] = values.astype(np.float32)[None]
    return found


def same(found: dict, expected) -> None:
    count = int(found["count"][0])
    assert count == len(expected)
    for name in ("keypoints", "scores", "boxes"):
        values = np.asarray(found[name])[0]
        np.testing.assert_allclose(values[:count], getattr(expected, name)[:count], atol=0.002, err_msg=name)
        assert not values[count:].any()


CASES = {
    "perfect": maps(TWO),
    "near": maps(CROWD),
    "noisy": maps(CROWD, noise=0.1),
    "integers": maps(CROWD, noise=0.02, levels=255),
    "nobody": maps(TWO[:0]),
    "noise": maps(TWO[:0], noise=6.0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_people_are_found_in_the_graph(name):
    graph = tf.function(in_graph_decoders.decoder(SPEC), autograph=False)
    expected = DECODER(CASES[name])[0]
    same(graph(CASES[name]), expected)
    assert len(expected) or name == "nobody"


@pytest.mark.parametrize("rule", assign.RULES)
def test_every_rule_is_that_of_numpy(rule):
    decoder = replace(DECODER, rule=rule)
    same(People(decoder)(CASES["near"]), decoder(CASES["near"])[0])


def test_the_mask_is_the_last_map():
    found = People(DECODER)(CASES["noisy"])
    np.testing.assert_array_equal(found["mask"], CASES["noisy"]["heatmaps"][..., -1])
    assert found["mask"].shape == (1, *GRID)


def test_the_file_has_built_in_operations_alone_and_finds_the_same_people(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    file = tmp_path / "decoder.tflite"
    file.write_bytes(decoded.decoder(SPEC, {name: values.shape for name, values in CASES["near"].items()}))
    assert verify.foreign(file) == []
    call = Interpreter(model_path=str(file)).get_signature_runner()
    for case in CASES.values():
        same(call(**case), DECODER(case)[0])
