"""A network that says whose keypoint is whose says the same in the graph as in NumPy."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_in_graph_inboxes import CASES, SPEC, same

from tfpose.decode import decoder, owners
from tfpose.export import decoded, in_graph_decoders, verify
from tfpose.models import assignment, prn

GRIDS = {"residual": (14, 9), "assignment": (5, 4)}


def network(kind: str):
    """The network of this name, small, with weights drawn large enough to say something."""
    keras.utils.set_random_seed(1)
    if kind == "residual":
        model = prn.prn(grid=GRIDS[kind], nodes=16, hidden=2)
    else:
        model = assignment.assignment(grid=GRIDS[kind], nodes=16, bells=3, passes=2)
    model.set_weights([np.random.default_rng(2).normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def spec(kind: str, folder: Path):
    """The specification of a decoder that asks this network, written into a folder."""
    layout = {"network": kind, "margin": 0.3, "grid": GRIDS[kind], "keypoints": 17, "residual": True, "passes": 2}
    owners.save(folder / owners.FILE, layout, {w.path: np.asarray(w) for w in network(kind).weights})
    return replace(SPEC, decoder=SPEC.decoder | {"assign": str(folder / owners.FILE)})


@pytest.mark.parametrize("kind", GRIDS)
def test_the_same_people_are_found_with_a_network_in_the_graph(kind, tmp_path):
    asking = spec(kind, tmp_path)
    graph, numpy = (
        tf.function(in_graph_decoders.decoder(asking), autograph=False),
        decoder(asking.decoder, asking.skeleton),
    )
    for name in ("near", "noisy", "nobody", "noise"):
        same(graph(CASES[name]), numpy(CASES[name])[0])
    without = decoder(SPEC.decoder, SPEC.skeleton)(CASES["near"])[0]
    assert np.abs(without.keypoints - numpy(CASES["near"])[0].keypoints).max() > 1  # the network has a say


@pytest.mark.parametrize("kind", GRIDS)
def test_the_file_with_a_network_has_built_in_operations_alone(kind, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    asking, file, case = spec(kind, tmp_path), tmp_path / "decoder.tflite", CASES["near"]
    file.write_bytes(decoded.decoder(asking, {name: values.shape for name, values in case.items()}))
    assert verify.foreign(file) == []
    found = Interpreter(model_path=str(file)).get_signature_runner()(**case)
    same(found, decoder(asking.decoder, asking.skeleton)(case)[0])


def test_a_network_of_labels_alone_has_nothing_to_decode_in_a_graph():
    labels = replace(SPEC, decoder={"name": "owners", "network": "residual"})
    with pytest.raises(ValueError, match="decoder owners: sees labels"):
        in_graph_decoders.decoder(labels)
