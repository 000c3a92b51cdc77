"""MultiPoseNet weighs and costs, block by block, what its paper's layers do, and learns where it is made small."""

import functools
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import weightless

from tfpose import losses
from tfpose.anchors import EACH, anchors
from tfpose.models import count
from tfpose.models import multiposenet as networks
from tfpose.models.multiposenet import multiposenet
from tfpose.runners import last_stage

LIGHT = {"backbone": "light", "width": 48, "head": 32, "depth": 2, "norm": True}
TINY = {"backbone": "light", "width": 16, "head": 16, "depth": 1, "norm": True, "keypoints": 3, "anchors": EACH}
SIZE = (64, 96)
ROOT = Path(__file__).resolve().parent.parent
# First weights are zeros there: JAX compiles a random draw for every shape, which takes half a minute.
JAX = """
import sys, jax, keras, numpy
assert keras.backend.backend() == "jax"
for kind in (keras.initializers.VarianceScaling, keras.initializers.RandomNormal):
    kind.__call__ = lambda self, shape, dtype=None: numpy.zeros(shape, "float32")
from tfpose.models.multiposenet import multiposenet
network = multiposenet(**eval(sys.argv[2]))
network.load_weights(sys.argv[1] + "/network.weights.h5")
outputs = jax.jit(network)(numpy.load(sys.argv[1] + "/photos.npy"))
numpy.savez(sys.argv[1] + "/outputs.npz", **{name: numpy.asarray(value) for name, value in outputs.items()})
"""
# Weights, and 10^9 multiply-accumulates of 480 x 480, by block.
PUBLISHED = {
    "keypoint pyramid": (3_344_384, 13.050),
    "keypoint subnet": (2_955_026, 25.514),
    "supervision": (18_504, 0.088),
    "person pyramid": (7_997_440, 3.924),
    "person head": (4_824_365, 23.171),
}
BLOCKS = {
    "keypoint_fpn": "keypoint pyramid",
    "keypoint_level": "supervision",
    "keypoint": "keypoint subnet",
    "detector_fpn": "person pyramid",
    "detector_head": "person head",
}


@functools.cache
def published(backbone="resnet50", **choices):
    choices = {"size": (480, 480), "anchors": EACH} | choices
    return weightless.built(lambda: multiposenet(backbone=backbone, **choices))


@functools.cache
def tiny(size=SIZE, **choices):
    keras.utils.set_random_seed(0)
    return multiposenet(size=size, **(TINY | choices))


def photos(size=SIZE, count=2):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def by_block(network):
    weights, costs = Counter(), Counter()
    for row in count.table(network):
        block = next((name for start, name in BLOCKS.items() if row.name.startswith(start)), "trunk")
        weights[block] += row.parameters
        costs[block] += row.macs
    return weights, costs


def maps(network):
    return {name for name in network.output if name.startswith("heatmaps")}


@pytest.mark.parametrize(("backbone", "trunk"), [("resnet50", 23_534_592), ("resnet101", 42_552_832)])
def test_every_block_has_the_published_weights_and_cost(backbone, trunk):
    weights, costs = by_block(published(backbone))
    assert weights.pop("trunk") == trunk
    costs.pop("trunk")
    assert {block: (weights[block], round(costs[block] / 1e9, 3)) for block in weights} == PUBLISHED


@pytest.mark.parametrize(("backbone", "weights"), [("resnet50", 42_674_311), ("resnet101", 61_692_551)])
def test_all_of_it_has_the_published_weights_and_the_biases_that_keras_adds_to_a_resnet(backbone, weights):
    # 42,647,751 and 61,639,879, and 26,560 and 52,672 biases of convolutions that batch norm follows.
    assert count.parameters(published(backbone))[0] == weights
    assert count.parameters(published(f"{backbone}_dilated"))[0] == weights


def test_it_gives_five_stages_of_heatmaps_and_a_box_and_a_score_an_anchor():
    shapes = {name: x.shape[1:] for name, x in published().output.items()}
    assert shapes == {
        **{f"heatmaps/{i}": (120, 120, 18) for i in range(5)},
        **{"boxes": (43_245, 4), "scores": (43_245, 1)},
    }
    assert {x.dtype for x in published().output.values()} == {"float32"}
    assert published(size=(384, 576)).output["boxes"].shape[1] == 41_445


@pytest.mark.parametrize("backbone", ["resnet50_dilated", "light"])
def test_its_anchors_are_those_that_are_encoded(backbone):
    network = published(backbone, size=(480, 352))  # 7.5 x 5.5 cells at stride 64
    assert network.output["boxes"].shape[1] == len(anchors((480, 352)))


def test_the_light_one_weighs_about_a_million_in_channels_of_sixteens():
    network = published(**LIGHT, size=(256, 256))
    assert count.parameters(network)[0] == 1_129_607
    assert round(count.macs(network) / 1e9, 3) == 0.908
    assert not any(layer.output.shape[-1] % 16 for layer in network.layers if "bn" in layer.name)


def test_a_stage_before_the_last_is_one_level_of_the_pyramid_coarse_to_fine():
    network = published()
    layers = [network.get_layer(f"keypoint_level{i}_heatmaps") for i in (5, 4, 3, 2)]
    assert [layer.output.shape[1] for layer in layers] == [15, 30, 60, 120]
    assert layers[-1].output is network.output["heatmaps/3"]
    ups = [network.get_layer(f"keypoint_level{i}_heatmaps_up").output for i in (5, 4, 3)]
    assert all(up is network.output[f"heatmaps/{i}"] for i, up in enumerate(ups))


def test_without_supervision_between_there_is_one_stage_and_nothing_else_changes():
    network = published(intermediate=False)
    assert maps(network) == {"heatmaps/0"}
    assert count.parameters(published())[0] - count.parameters(network)[0] == PUBLISHED["supervision"][0]


def test_without_concatenation_heatmaps_are_those_of_the_finest_level():
    network = published(concat=False)
    missing = 3 * (295_040 + 147_584) + 3 * 9 * 128 * 256
    assert count.parameters(published())[0] - count.parameters(network)[0] == missing
    assert network.get_layer("keypoint_smooth").input is network.get_layer("keypoint_d2_b_relu").output
    assert network.output["heatmaps/4"].shape[1:] == (120, 120, 18)


def test_the_parts_are_the_same_layers_and_have_none_of_the_other():
    network = tiny()
    keypoint, detector = networks.keypoint_part(network), networks.detector_part(network)
    names = [{layer.name for layer in part.layers if layer.weights} for part in (keypoint, detector)]
    assert names[0] | names[1] == {layer.name for layer in network.layers if layer.weights}
    assert names[0] & names[1] == {layer.name for layer in networks.trunk(network) if layer.weights}
    assert all(a is network.get_layer(a.name) for part in (keypoint, detector) for a in part.layers)


def test_what_ships_is_the_last_stage_with_boxes_and_scores():
    network = tiny()
    expected, found = last_stage(network(photos())), networks.deployed(network)(photos())
    assert set(found) == {"heatmaps", "boxes", "scores"} == set(expected)
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
    parts = networks.keypoint_part(tiny()), networks.detector_part(tiny())
    assert [set(networks.deployed(part).output) for part in parts] == [{"heatmaps"}, {"boxes", "scores"}]
    assert not any("_level" in layer.name and "keypoint" in layer.name for layer in networks.deployed(network).layers)


def test_an_anchor_is_somebodys_with_chance_one_in_a_hundred_before_anything_is_learnt():
    outputs = tiny(norm=False)(photos())
    np.testing.assert_allclose(keras.ops.sigmoid(outputs["scores"]), 0.01, rtol=0.2)
    assert float(keras.ops.max(keras.ops.abs(outputs["boxes"]))) < 0.5


def test_the_towers_are_the_same_at_every_level_but_for_their_statistics():
    kernels = [w.path for w in tiny().trainable_weights if "detector_head" in w.path and "kernel" in w.path]
    assert len(kernels) == 4  # two towers of one convolution and the last one
    assert sum("detector_head_boxes_bn1_level" in w.path and "gamma" in w.path for w in tiny().trainable_weights) == 5


def test_rows_of_the_head_are_in_the_order_of_the_anchors():
    network = tiny(norm=False)
    grid = network.get_layer("detector_head_boxes_rows3").input
    cells = np.asarray(keras.Model(network.input, grid)(photos()))
    rows = np.asarray(network(photos())["boxes"])[:, : cells.shape[1] * cells.shape[2] * EACH]
    row, column, anchor = 5, 7, 4
    here = (row * cells.shape[2] + column) * EACH + anchor
    np.testing.assert_allclose(rows[:, here], cells[:, row, column, 4 * anchor : 4 * anchor + 4], rtol=1e-5)
    x, y, w, h = anchors(SIZE)[here]
    assert (x + w / 2, y + h / 2) == pytest.approx(((column + 0.5) * 8, (row + 0.5) * 8))


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = tiny((None, None)), tiny()
    free.set_weights(fixed.get_weights())
    for name, expected in fixed(photos()).items():
        np.testing.assert_allclose(free(photos())[name], expected, rtol=1e-3, atol=1e-5)


def test_an_image_it_cannot_halve_five_times_and_an_unknown_trunk_are_refused():
    with pytest.raises(ValueError, match=r"size is \(64, 80\), expected multiples of 32"):
        tiny((64, 80))
    with pytest.raises(ValueError, match="backbone is 'vgg19', expected one of resnet50, "):
        tiny(backbone="vgg19")


def teach(network, steps):
    """The cost of one batch before each of a few steps, and the weights without any gradient."""
    rng = np.random.default_rng(1)
    codes, states = rng.normal(size=(2, len(anchors(SIZE)), 4)), rng.integers(-1, 2, (2, len(anchors(SIZE)), 1))
    heatmaps = rng.random((2, *(side // 4 for side in SIZE), 4))
    optimizer, costs = keras.optimizers.SGD(0.02), []
    for _ in range(steps):  # uncompiled: so few are over before a graph would be made
        with tf.GradientTape() as tape:
            outputs = network(photos(), training=True)
            cost = losses.focal(states, outputs["scores"]) + losses.smooth_l1(codes, outputs["boxes"], states)
            cost += sum(losses.heatmap_mse(heatmaps, outputs[name]) for name in maps(network))
        slopes = tape.gradient(cost, network.trainable_weights)
        optimizer.apply_gradients(zip(slopes, network.trainable_weights))
        costs.append(float(cost))
    return costs, [w.path for w, slope in zip(network.trainable_weights, slopes) if slope is None]


def test_a_light_one_learns_in_a_few_steps_and_every_weight_is_taught():
    costs, untaught = teach(multiposenet(size=SIZE, **TINY), 5)
    assert costs == sorted(costs, reverse=True) and untaught == []


@pytest.mark.slow
def test_the_same_weights_give_the_same_outputs_under_jax(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: the other backend that networks are written for")
    network = tiny()
    network.save_weights(tmp_path / "network.weights.h5")
    np.save(tmp_path / "photos.npy", photos())
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", JAX, str(tmp_path), repr(TINY | {"size": SIZE})], env=environment, check=True)
    found = np.load(tmp_path / "outputs.npz")
    for name, expected in network(photos()).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-4 * np.abs(expected).max())
