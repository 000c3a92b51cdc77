"""A network's twin in tf_keras: it says the same, and gives its weights back."""

import functools
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops
from test_system_contract import ALIKE, OPTIONS

from tfpose.skeleton import COCO17
from tfpose.systems import base

twin = pytest.importorskip("tfpose.export.twin", reason="needs tf_keras; pip install 'tfpose[quantize]'")

VARIANTS = {
    **{name: options for name, options in OPTIONS.items() if name != "prn"},
    "rsn_prm_se": replace(OPTIONS["rsn"], prm=True, se=True),
    "mln_vgg19": replace(OPTIONS["mln"], trunk="vgg19"),
    "multiposenet_resnet50": replace(OPTIONS["multiposenet"], backbone="resnet50"),
}


def worn(network):
    """The network with weights as training leaves them, statistics of batch norms included."""
    chance = np.random.default_rng(1)
    for weight in network.weights:
        if weight.name in ("moving_mean", "beta", "bias"):
            weight.assign(chance.normal(0, 0.1, weight.shape))
        elif weight.name in ("moving_variance", "gamma"):
            weight.assign(chance.uniform(0.7, 1.3, weight.shape))
    return network


def named(x):
    return x if isinstance(x, dict) else {"": x}


def difference(first, second):
    """The largest difference of two networks' outputs, as a share of their range."""
    first, second = named(first), named(second)
    assert first.keys() == second.keys()
    pairs = [(np.asarray(first[name]), np.asarray(second[name])) for name in first]
    return max(np.abs(a - b).max() / np.ptp(a) for a, b in pairs)


@functools.cache
def built(name):
    keras.utils.set_random_seed(1)
    return worn(base.system(VARIANTS[name], COCO17).build())


def images(network, count=2):
    size = network.inputs[0].shape[1:]
    return np.random.default_rng(2).integers(0, 256, (count, *size), dtype=np.uint8)


LARGE = {"mln_vgg19", "multiposenet_resnet50"}
OTHERS = LARGE | {*ALIKE, "rsn"}  # the rest have every kind of layer


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in OTHERS)) for n in VARIANTS])
def test_a_twin_says_what_its_network_says_and_gives_its_weights_back(name):
    network = built(name)
    copy, seen = twin.twin(network), images(network)
    assert difference(network(seen, training=False), copy(seen, training=False)) < 1e-5
    assert {layer.name for layer in network.layers} <= {layer.name for layer in copy.layers}
    before = network.get_weights()
    network.set_weights([np.zeros_like(weight) for weight in before])
    twin.back(copy, network)
    for expected, found in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def functional(function, *shapes):
    inputs = [keras.Input(shape, name=f"input{i}") for i, shape in enumerate(shapes)]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], function(*inputs))


def test_operations_that_are_no_layers_have_twins():
    network = functional(
        lambda x: 2.0 * ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=1) - ops.tanh(x[:, :1, :, :2]), (4, 4, 4)
    )
    seen = np.random.default_rng(1).normal(size=(2, 4, 4, 4)).astype("float32")
    assert difference(network(seen), twin.twin(network)(seen)) < 1e-6


def test_a_layer_that_is_called_again_has_one_twin_with_the_same_weights():
    layer = layers.Conv2D(3, 1, name="shared")
    network = functional(lambda x: layer(layer(x)), (4, 4, 3))
    copy, seen = twin.twin(network), np.ones((1, 4, 4, 3), "float32")
    assert len(copy.weights) == 2
    assert difference(network(seen), copy(seen)) < 1e-6


def test_several_inputs_and_a_single_output_stay_what_they_are():
    network = functional(lambda a, b: a + layers.Dense(3, name="dense")(b), (3,), (5,))
    seen = [np.ones((2, 3), "float32"), np.ones((2, 5), "float32")]
    assert difference(network(seen), twin.twin(network)(seen)) < 1e-6


def test_what_stays_as_it_is_in_training_stays_so_in_the_twin():
    layer = layers.Conv2D(3, 1, name="still", trainable=False)
    assert not twin.twin(functional(layer, (4, 4, 3))).trainable_weights


class Strange(layers.Layer):
    """A layer with a weight that tf_keras does not have."""

    def build(self, input_shape):  # noqa: ARG002
        self.weight = self.add_weight(shape=(1,), name="weight")

    def call(self, x):
        return x * self.weight


def test_a_layer_with_weights_and_no_counterpart_is_refused():
    with pytest.raises(ValueError, match="odd: a Strange, which tf_keras does not have"):
        twin.twin(functional(Strange(name="odd"), (3,)))
