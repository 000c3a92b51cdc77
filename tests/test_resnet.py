"""ResNet's trunk has the weights that its classifiers are known for, and the four levels that pose networks take."""

import keras
import numpy as np
import pytest
import weightless

from tfpose.models import count
from tfpose.models.resnet import resnet

# Trainable weights as everywhere in PyTorch: 25,557,032, 44,549,160 and 60,192,808 with the classifier's 2,049,000.
KNOWN = {(3, 4, 6, 3): 23_508_032, (3, 4, 23, 3): 42_500_160, (3, 8, 36, 3): 58_143_808}


def trunk(size, depths, width):
    image = keras.Input((*size, 3))
    return keras.Model(image, resnet(image, depths, width))


@pytest.mark.parametrize(("depths", "weights"), KNOWN.items())
def test_a_trunk_weighs_what_the_classifier_does_without_its_last_layer(depths, weights):
    assert count.parameters(weightless.built(lambda: trunk((64, 64), depths, 64)))[0] == weights


def test_resnet_50_costs_what_it_is_known_for():
    # 4.09 x 10^9 multiply-accumulates at 224 x 224, less the classifier's 2,048,000: the stride is in the 3x3.
    network = weightless.built(lambda: trunk((224, 224), (3, 4, 6, 3), 64))
    assert count.macs(network) == 4_087_136_256


def test_each_level_is_twice_as_coarse_and_wide_as_the_one_before():
    shapes = [level.shape[1:] for level in trunk((128, 96), (1, 1, 1, 1), 8).output]
    assert shapes == [(32, 24, 32), (16, 12, 64), (8, 6, 128), (4, 3, 256)]


def test_a_block_that_keeps_grid_and_channels_projects_nothing():
    names = {layer.name for layer in trunk((64, 64), (2, 2, 2, 2), 8).layers}
    projections = {name for name in names if name.endswith("_project")}
    assert projections == {f"resnet_level{n}_block1_project" for n in (1, 2, 3, 4)}


def test_zeros_around_the_pooled_grid_change_nothing():
    network = trunk((32, 48), (1, 1, 1, 1), 8)
    layers = [network.get_layer(f"resnet_{name}").output for name in ("stem_relu", "pool")]
    photo = np.random.default_rng(0).normal(size=(1, 32, 48, 3)).astype(np.float32)
    stem, pooled = (np.asarray(x) for x in keras.Model(network.input, layers)(photo))
    around = np.pad(stem, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(pooled, windows.max((-1, -2)))
