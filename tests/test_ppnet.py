"""PPNet is what its paper prints: weights, multiply-accumulates, wiring; and a plain network that travels."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpose.models import blocks, count
from tfpose.models.blocks import last_stage
from tfpose.models.ppnet import ppnet

COCO = (256, 192)
FOUR = {"branches": 4, "strides": (2, 2, 2)}

# The variants of the paper's discussion, which it draws and does not print: choices, trainable weights, 2^30
# multiply-accumulates. Those of its tables are configurations, and tested as such.
DISCUSSED = [
    ({"modules": 1, "depth": 8}, 12_244_209, 4.737),
    ({"depth": 4}, 12_419_586, 4.842),
    ({"modules": 4, "depth": 4}, 23_556_132, 8.005),
    ({"modules": 8}, 24_257_640, 8.425),
    (FOUR, 47_218_434, 5.648),
    (FOUR | {"modules": 4}, 92_005_540, 9.103),
    ({"width": 48}, 14_230_386, 5.491),
    ({"width": 48, "depth": 3}, 20_293_362, 7.152),
]
# Every kind of layer and connection, in a second.
SMALL = {"keypoints": 5, "depth": 1, "width": 8, "stem_width": 8, "stem_blocks": 2, "stem_out": 16, "init_std": None}


def small(size=(64, 48), **choices):
    return ppnet(size=size, **(SMALL | choices))


def photos(count=2, size=(64, 48)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def values(network, images):
    return {name: keras.ops.convert_to_numpy(maps) for name, maps in network(images, training=False).items()}


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.slow
@pytest.mark.parametrize(("choices", "weights", "gi"), DISCUSSED, ids=[str(row[0]) for row in DISCUSSED])
def test_a_discussed_network_has_its_weights_and_its_cost(choices, weights, gi):
    network = ppnet(size=COCO, keypoints=17, **choices)
    assert count.parameters(network)[0] == weights
    assert round(count.macs(network) / 2**30, 3) == gi


def test_outputs_are_float32_maps_at_a_quarter_of_the_size_one_per_module():
    network = ppnet(size=(256, 192), keypoints=17, modules=3, depth=1, width=8)
    assert network.input.name == "image" and network.input.dtype == "uint8"
    assert {k: (v.shape, v.dtype) for k, v in network.output.items()} == {
        f"heatmaps/{m}": ((None, 64, 48, 17), "float32") for m in range(3)
    }


@pytest.mark.parametrize("strides", [(2, 2), (3, 2), (2, 3)])
def test_every_branch_is_coarser_by_its_stride(strides):
    network = small((96, 48), strides=strides)
    heights = [network.get_layer(f"module2_branch{i}_block1_relu").output.shape[1] for i in (1, 2, 3)]
    assert heights == [24, 24 // strides[0], 24 // strides[0] // strides[1]]


@pytest.mark.parametrize("skip", ["input", "branch"])
@pytest.mark.parametrize("unit", ["block", "bottleneck"])
def test_every_weight_gets_a_gradient(skip, unit):
    keras.utils.set_random_seed(1)
    network = small(skip=skip, unit=unit)
    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_mean((maps - 1) ** 2) for maps in network(photos(), training=True).values())
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
    idle = [w.path for w, g in zip(network.trainable_weights, gradients) if g is None or not np.abs(g).max() > 0]
    assert idle == []


@pytest.mark.parametrize(
    ("skip", "added"), [("input", "input_branch2_conv1_relu"), ("branch", "module1_branch2_block2_relu")]
)
def test_the_next_module_sees_this_one_plus_what_skip_says(skip, added):
    network = small(skip=skip)
    names = ("module1_skip2", "module1_fuse2_relu", added)
    total, fused, skipped = keras.Model(network.input, [network.get_layer(n).output for n in names])(photos())
    np.testing.assert_allclose(total, fused + skipped, rtol=1e-5)


def test_the_finest_branch_goes_on_as_features_and_heatmaps_mapped_back():
    network = small()
    names = ("module1_skip1", "module1_feedback_features", "module1_feedback_heatmaps", "input_branch1_conv_relu")
    total, *terms = keras.Model(network.input, [network.get_layer(n).output for n in names])(photos())
    np.testing.assert_allclose(total, sum(terms), rtol=1e-4, atol=1e-5)
    assert network.get_layer("module1_feedback_heatmaps").input is network.output["heatmaps/0"]


def test_the_deployed_network_is_the_last_module_alone_with_the_same_weights():
    network = small(modules=3)
    shipped = last_stage(network)
    np.testing.assert_array_equal(values(shipped, photos())["heatmaps"], values(network, photos())["heatmaps/2"])
    assert list(shipped.output) == ["heatmaps"]
    assert {id(w) for w in shipped.weights} <= {id(w) for w in network.weights}


def test_the_deployed_network_computes_nothing_that_it_does_not_use():
    shipped = last_stage(small())
    used = {id(kt._keras_history.operation) for op in shipped.operations for kt in _inputs(op)}
    assert [op.name for op in shipped.operations if id(op) not in used] == ["module2_heatmaps"]


def _inputs(operation):
    return [] if isinstance(operation, keras.layers.InputLayer) else keras.tree.flatten(operation.input)


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small((64, 48))
    fixed.set_weights(free.get_weights())
    expected = values(fixed, photos())
    for name, maps in values(free, photos()).items():
        np.testing.assert_allclose(maps, expected[name], rtol=1e-4, atol=1e-5)
    assert values(free, photos(1, (96, 32)))["heatmaps/1"].shape == (1, 24, 8, 5)


def test_a_saved_network_holds_keras_layers_only_and_gives_the_same(tmp_path):
    network = small()
    network.save(tmp_path / "network.keras")
    with zipfile.ZipFile(tmp_path / "network.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    assert {layer["module"] for layer in layers} == {"keras.layers"}
    loaded = keras.models.load_model(tmp_path / "network.keras")
    expected = values(network, photos())
    for name, maps in values(loaded, photos()).items():
        np.testing.assert_array_equal(maps, expected[name])


def test_outputs_stay_float32_when_the_rest_is_bfloat16(mixed_bfloat16):  # noqa: ARG001 a setting
    network = small()
    assert network.get_layer("module1_branch1_block1_conv1").compute_dtype == "bfloat16"
    assert network.get_layer("normalise").output.dtype == "float32"
    assert all(maps.dtype == np.float32 and np.isfinite(maps).all() for maps in values(network, photos()).values())


@pytest.mark.slow
def test_the_same_weights_give_the_same_maps_under_jax(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    network = small()
    network.save(tmp_path / "network.keras")
    np.save(tmp_path / "photos.npy", photos())
    program = (
        "import sys, numpy, keras; assert keras.backend.backend() == 'jax';"
        "network = keras.models.load_model(sys.argv[1] + '/network.keras');"
        "maps = network.predict(numpy.load(sys.argv[1] + '/photos.npy'), verbose=0);"
        "numpy.savez(sys.argv[1] + '/maps.npz', **{name: numpy.asarray(value) for name, value in maps.items()})"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True
    )
    for module, expected in enumerate(values(network, photos()).values()):
        found = np.load(tmp_path / "maps.npz")[f"heatmaps/{module}"]
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_weights_are_drawn_with_the_deviation_asked_for_each_layer_its_own():
    kernels = [w.numpy() for w in ppnet(size=(64, 48), keypoints=5, depth=1).trainable_weights if w.name == "kernel"]
    assert all(abs(kernel.std() / 0.001 - 1) < 0.15 for kernel in kernels if kernel.size > 1000)
    same_shape = [kernel for kernel in kernels if kernel.shape == (3, 3, 64, 64)]
    assert len({kernel.tobytes() for kernel in same_shape}) == len(same_shape)


def test_normalised_photos_have_the_mean_and_deviation_of_imagenet():
    image = keras.Input((2, 2, 3), dtype="uint8")
    normalise = keras.Model(image, blocks.normalise(image))
    pixels = photos(1, (2, 2))
    np.testing.assert_allclose(
        normalise(pixels), (pixels / 255 - blocks.IMAGENET_MEAN) / blocks.IMAGENET_STD, atol=1e-5
    )


@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (3, 1), (3, 2), (3, 3), (7, 2)])
def test_a_convolution_is_centred_on_every_stride_th_cell(kernel, stride):
    image = keras.Input((12, 18, 1))
    network = keras.Model(image, blocks.conv(image, 1, kernel, stride=stride, name="conv"))
    centre = np.zeros((kernel, kernel, 1, 1))
    centre[kernel // 2, kernel // 2] = 1
    network.set_weights([centre])
    x = np.random.default_rng(0).random((1, 12, 18, 1), dtype=np.float32)
    np.testing.assert_array_equal(network(x), x[:, ::stride, ::stride])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"size": (250, 192)}, "multiples of 16"),
        ({"unit": "dense"}, "block, bottleneck"),
        ({"skip": "none"}, "input, branch"),
        ({"branches": 4}, "expected 3 strides"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(choices, message):
    with pytest.raises(ValueError, match=message):
        small(**choices)
