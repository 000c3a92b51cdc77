"""Networks of zeros and of few values: what training leaves of their kernels, and what that saves in a file."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

lean = pytest.importorskip("tfpose.export.lean", reason="needs the toolkit; pip install 'tfpose[quantize]'")
from tfpose.export.finetune import finetune  # noqa: E402 (needs it too)

STEPS = 30
KERNELS = ("first", "second", "up")


def network():
    """A small network with a convolution of every kind."""
    keras.utils.set_random_seed(2)
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    x = layers.Conv2D(24, 3, padding="same", name="first")(layers.Rescaling(1 / 128, -1.0, name="normalise")(image))
    x = layers.BatchNormalization(momentum=0.9, name="first_bn")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(layers.Activation("relu", name="first_relu")(x))
    x = layers.Conv2D(24, 3, 2, padding="same", activation="relu", name="second")(x)
    return keras.Model(image, {"maps": layers.Conv2DTranspose(4, 4, 2, padding="same", name="up")(x)})


@functools.cache
def lessons():
    """Images, and of each its brightness, smoothed by nothing: something that is easily learnt."""
    images = np.random.default_rng(3).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    return images, {"maps": np.repeat(images.mean(axis=-1, keepdims=True) / 256, 4, axis=-1).astype("float32")}


def loss(targets, outputs):
    return {"maps": keras.ops.mean(keras.ops.square(targets["maps"] - outputs["maps"]))}


def train(copy, callback, losses=None):
    images, targets = lessons()
    found = finetune(copy, loss, [({"image": images}, targets)] * STEPS, steps=STEPS, rate=1e-3, callback=callback)
    if losses is not None:
        losses.extend(found)


def kernels(network):
    return {name: network.get_layer(name).get_weights()[0] for name in KERNELS}


@functools.cache
def pruned():
    result, losses = network(), []
    lean.prune(result, 0.75, STEPS, lambda copy, callback: train(copy, callback, losses))
    return result, losses


@functools.cache
def clustered():
    result = network()
    lean.cluster(result, 8, train)
    return result


def test_the_share_that_was_asked_for_is_zero_in_every_kernel():
    for kernel in kernels(pruned()[0]).values():
        assert np.mean(kernel == 0) == pytest.approx(0.75, abs=0.5 / kernel.size)


def test_what_is_left_goes_on_learning():
    before, (after, losses) = kernels(network()), pruned()
    for name, kernel in kernels(after).items():
        assert np.abs(kernel - before[name])[kernel != 0].max() > 1e-4
    assert min(losses[-5:]) < losses[0]


def test_depthwise_kernels_keep_all_their_values():
    assert np.all(pruned()[0].get_layer("depthwise").get_weights()[0] != 0)


def test_a_clustered_kernel_has_as_many_values_as_were_asked_for():
    for kernel in kernels(clustered()).values():
        assert 2 < len(np.unique(kernel)) <= 8


def test_the_files_of_both_compress(tmp_path):
    sizes = {}
    for name, found in (("plain", network()), ("pruned", pruned()[0]), ("clustered", clustered())):
        found.save(tmp_path / f"{name}.keras")
        sizes[name] = lean.zipped(tmp_path / f"{name}.keras")
    assert sizes["pruned"] < 0.8 * sizes["plain"] and sizes["clustered"] < 0.8 * sizes["plain"]


def test_a_loss_that_is_not_finite_stops_the_training():
    def broken(targets, outputs):
        return {"maps": loss(targets, outputs)["maps"] * np.float32("nan")}

    from tfpose.export.twin import twin

    images, targets = lessons()
    with pytest.raises(ArithmeticError, match=r"the loss is nan at step 1; lower quantize\.learning_rate"):
        finetune(twin(network()), broken, [({"image": images}, targets)], steps=1, rate=1e-3)
