"""The decoder inside a file finds the people that the NumPy one finds, with operations that LiteRT has built in."""

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfpose import decode, geometry, runners
from tfpose.decode.pafs import Pafs
from tfpose.encode import heatmaps, pafs
from tfpose.export import in_graph_decoders, verify
from tfpose.export.in_graph import InGraph
from tfpose.predict import read_image
from tfpose.skeleton import COCO17, OPENPOSE18

PEERS = Path(__file__).resolve().parent.parent.parent / "shared" / "peers"
GRID, STRIDE = (32, 40), 8
# The channel of x of each limb in the published maps.
PUBLISHED = {
    **{"1-2": 12, "1-5": 20, "2-3": 14, "3-4": 16, "5-6": 22, "6-7": 24, "1-8": 0, "8-9": 2, "9-10": 4, "1-11": 6},
    **{"11-12": 8, "12-13": 10, "1-0": 28, "0-14": 30, "14-16": 34, "0-15": 32, "15-17": 36, "2-16": 18, "5-17": 26},
}


def people(count: int, body, seed: int) -> np.ndarray:
    """Keypoints (P, K, 3) of people in a row, a fifth of them not there."""
    rng = np.random.default_rng(seed)
    columns = (np.arange(count)[:, None] + 0.5) * GRID[1] * STRIDE / count
    x = columns + rng.uniform(-0.35, 0.35, (count, body.count)) * GRID[1] * STRIDE / count
    y = rng.uniform(8, GRID[0] * STRIDE - 9, (count, body.count))
    known = rng.uniform(size=x.shape) > 0.2
    return np.stack([x * known, y * known, 2 * known], axis=-1).astype(np.float32)


def maps(count: int, body, seed: int = 0, noise: float = 0.0) -> dict:
    keypoints = tf.constant(people(count, body, seed)[None])
    rng = np.random.default_rng(seed)
    found = {
        "heatmaps": heatmaps.people(keypoints, GRID, STRIDE, 1.0),
        "pafs": pafs.pafs(keypoints, body.pairs, GRID, STRIDE, 1.0),
    }
    return {k: (v + rng.normal(0, noise, v.shape)).numpy().astype(np.float32) for k, v in found.items()}


def same(found: dict, expected, people: int) -> None:
    count = int(np.asarray(found["count"])[0])
    assert count == min(len(expected), people)
    order = np.argsort(-expected.scores, kind="stable")[:count]
    assert np.abs(np.asarray(found["scores"])[0, :count] - expected.scores[order]).max(initial=0) < 1e-4
    assert np.abs(np.asarray(found["keypoints"])[0, :count] - expected.keypoints[order]).max(initial=0) < 0.01
    assert not np.any(np.asarray(found["keypoints"])[0, count:])


def lite(decoder: InGraph, shapes: dict) -> bytes:
    names = sorted(shapes)

    @tf.function(input_signature=[tf.TensorSpec(shapes[name], tf.float32, name=name) for name in names])
    def decode(*values):
        return decoder(dict(zip(names, values)))

    module = tf.Module()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([decode.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


@functools.cache
def both(body=OPENPOSE18, people: int = 20, **options):
    """A decoder as a graph, which is traced once for maps of a size and finds so many `people`, and in NumPy."""
    decoder = Pafs(body, STRIDE, **options)
    return tf.function(InGraph(decoder, people=people), autograph=False), decoder


@pytest.mark.parametrize("body", [OPENPOSE18, COCO17], ids=lambda b: b.name)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_same_people_are_found_in_the_graph(body, count):
    outputs, (graph, decoder) = maps(count, body, seed=count), both(body)
    same(graph(outputs), decoder(outputs)[0], 20)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_people_are_found_in_noise(seed):
    outputs, (graph, decoder) = maps(4, OPENPOSE18, seed=seed, noise=0.02), both(threshold=0.1, most=32)
    same(graph(outputs), decoder(outputs)[0], 20)


def test_equal_cells_are_one_peak_in_both():
    outputs = maps(2, OPENPOSE18)
    coarse, (graph, decoder) = {name: np.round(values * 8) / 8 for name, values in outputs.items()}, both()
    same(graph(coarse), decoder(coarse)[0], 20)


def test_of_more_people_than_there_is_room_for_the_best_stay():
    outputs, (graph, decoder) = maps(5, OPENPOSE18), both(people=3)
    same(graph(outputs), decoder(outputs)[0], 3)


def test_the_file_has_built_in_operations_alone_and_finds_the_same_people(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    outputs, decoder = maps(4, OPENPOSE18), both()[1]
    file = tmp_path / "decoder.tflite"
    file.write_bytes(lite(InGraph(decoder), {name: values.shape for name, values in outputs.items()}))
    assert verify.foreign(file) == []
    call = Interpreter(model_path=str(file)).get_signature_runner()
    same(call(**outputs), decoder(outputs)[0], 20)


def test_real_maps_give_the_same_people():
    if not PEERS.is_dir():
        pytest.skip("no shared/peers beside the checkout: real maps are not there")
    arrays = np.load(PEERS / "paf_maps.npz")
    photos = [name.split("_")[1] for name in arrays if name.startswith("heatmaps")]
    decoder = both()[1]
    graph = tf.function(InGraph(decoder, people=40, peaks=64, limbs=2048), autograph=False)
    first = np.array([PUBLISHED[f"{a}-{b}"] for a, b in OPENPOSE18.pairs])
    channels = np.stack([first, first + 1], axis=1).ravel()
    for photo in photos[:4]:
        found = {k: arrays[f"{k}_{photo}"][None].astype(np.float32) for k in ("heatmaps", "pafs")}
        found["pafs"] = found["pafs"][..., channels]
        same(graph(found), decoder(found)[0], 40)


@pytest.mark.slow
def test_a_trained_network_gives_the_same_people():
    run = Path(__file__).resolve().parent.parent / "runs" / "mln_coco"
    photos = sorted((PEERS.parent / "data" / "coco" / "val2017").glob("*.jpg"))[:2]
    if not (run / "network.keras").is_file() or not photos:
        pytest.skip("no runs/mln_coco or no photos of COCO: train first")
    spec, network = runners.load(run)
    graph, decoder = tf.function(in_graph_decoders.decoder(spec)), decode.decoder(spec.decoder, spec.skeleton)
    for photo in map(read_image, photos):
        affine = geometry.letterbox(photo.shape[:2], spec.size)
        outputs = network(geometry.warp(photo, affine, spec.size)[None])
        same(graph(outputs), decoder(outputs)[0], 20)


def test_another_sampling_is_refused():
    with pytest.raises(ValueError, match="found sampling 'bilinear'"):
        InGraph(Pafs(OPENPOSE18, STRIDE, sampling="bilinear"))
