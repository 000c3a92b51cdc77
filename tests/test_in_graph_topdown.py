"""One person's decoder in the graph finds the keypoints that the NumPy one finds, whatever the refinement."""

import numpy as np
import pytest
import tensorflow as tf

from tfpose.decode.topdown import TopDown
from tfpose.export import decoded, in_graph_topdown, verify
from tfpose.export.in_graph_topdown import InView
from tfpose.predict import person_scores
from tfpose.skeleton import COCO17
from tfpose.spec import PoseSpec

GRID, STRIDE, VIEWS = (20, 16), 4, 3
OPTIONS = [
    *({"refine": name} for name in in_graph_topdown.REFINEMENTS),
    {"refine": "dark", "blur": 11},
    {"refine": "quarter", "smooth": 5},
    {"refine": "dark", "blur": 7, "smooth": 3},
]
each = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(str(v) for v in o.values()))


def hills(seed: int = 0) -> np.ndarray:
    """A Gaussian a map, its top anywhere on the grid and a little beyond."""
    rng = np.random.default_rng(seed)
    x, y = np.moveaxis(rng.uniform(-0.6, np.array(GRID[::-1]) - 0.4, (VIEWS, 17, 2)), -1, 0)
    rows, columns = np.arange(GRID[0]) - y[..., None], np.arange(GRID[1]) - x[..., None]
    maps = np.exp(-(rows[..., :, None] ** 2 + columns[..., None, :] ** 2) / 8)
    return np.moveaxis(maps, 1, -1).astype(np.float32)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(VIEWS, *GRID, 17)).astype(np.float32)


MAPS = {
    "perfect": hills(),
    "noisy": hills() + 0.05 * noise(),
    "coarse": np.round(hills() * 40) / 40,  # as an int8 file has them, with many that are equal
    "empty": np.zeros_like(hills()),
    "noise": noise(),
}


@each
@pytest.mark.parametrize("name", MAPS)
def test_the_same_keypoints_are_found_in_the_graph(options, name):
    decoder, outputs = TopDown(STRIDE, **options), {"heatmaps": MAPS[name]}
    found, expected = InView(decoder)(outputs), decoder(outputs)
    assert np.abs(found["keypoints"][:, 0] - expected).max() < 0.002
    np.testing.assert_allclose(found["scores"][:, 0], person_scores(expected), atol=1e-6)
    assert found["count"].numpy().tolist() == [1] * VIEWS


def test_a_graph_takes_any_number_of_views():
    decoder = TopDown(STRIDE, "dark", blur=11)
    graph = tf.function(InView(decoder), input_signature=[{"heatmaps": tf.TensorSpec((None, *GRID, 17))}])
    for maps in (hills(), hills()[:1]):
        np.testing.assert_allclose(graph({"heatmaps": maps})["keypoints"][:, 0], decoder({"heatmaps": maps}), atol=1e-3)


@each
def test_the_file_has_built_in_operations_alone_and_finds_the_same_keypoints(options, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    spec = PoseSpec("ppnet", "person", GRID, COCO17, {"name": "topdown", "stride": STRIDE} | options)
    file, maps = tmp_path / "decoder.tflite", MAPS["noisy"][:1]
    file.write_bytes(decoded.decoder(spec, {"heatmaps": maps.shape}))
    assert verify.foreign(file) == []
    found = Interpreter(model_path=str(file)).get_signature_runner()(heatmaps=maps)
    expected = TopDown(STRIDE, **options)({"heatmaps": maps})
    assert np.abs(found["keypoints"][:, 0] - expected).max() < 0.002
