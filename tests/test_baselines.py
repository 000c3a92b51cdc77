"""SimpleBaseline, Hourglass and HRNet are wired as published: grids, supervision, fusion; and any size that divides."""

import functools

import keras
import numpy as np
import pytest

from tfpose.models import blocks
from tfpose.models.hourglass import hourglass, sandglass
from tfpose.models.hrnet import hrnet
from tfpose.models.resnet import resnet
from tfpose.models.simplebaseline import simplebaseline, upward

BUILDERS = {
    "simplebaseline": functools.partial(simplebaseline, keypoints=5, depths=(1, 1, 1, 1), width=4, filters=8),
    "hourglass": functools.partial(hourglass, keypoints=5, stages=2, depth=2, width=4),
    "hrnet": functools.partial(hrnet, keypoints=5, width=4, modules=(1, 1, 1), depth=1),
}
ALL = pytest.mark.parametrize("name", BUILDERS)


@functools.cache
def network(name):
    """One small network of any size."""
    return BUILDERS[name](size=(None, None))


@ALL
@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_one_network_takes_every_size_that_divides_and_gives_a_quarter_of_it(name, size):
    outputs = network(name)(np.zeros((2, *size, 3), np.uint8))
    assert {tuple(maps.shape) for maps in outputs.values()} == {(2, size[0] // 4, size[1] // 4, 5)}


@ALL
def test_another_size_is_refused_with_what_divides(name):
    with pytest.raises(ValueError, match=rf"{name}: size is \(60, 64\), expected multiples of (16|32)"):
        BUILDERS[name](size=(60, 64))


@ALL
def test_heatmaps_begin_near_zero_so_that_adam_is_not_slowed(name):
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert all(float(keras.ops.std(maps)) < 0.05 for maps in network(name)(image, training=True).values())


def test_a_resnets_levels_halve_their_grid_and_double_their_channels():
    image = keras.Input((64, 96, 3))
    shapes = [tuple(level.shape[1:]) for level in resnet(image, (1, 2, 1, 1), 8)]
    assert shapes == [(16, 24, 32), (8, 12, 64), (4, 6, 128), (2, 3, 256)]


def test_a_transposed_convolution_keeps_the_middle_in_the_middle():
    x = keras.Input((4, 6, 3))
    layer = keras.Model(x, upward(x, 2, name="up"))
    kernel = layer.layers[1].kernel
    kernel.assign(kernel + kernel[::-1, ::-1])
    image = np.random.default_rng(1).normal(size=(1, 4, 6, 3)).astype(np.float32)
    turned = np.asarray(layer(image[:, ::-1, ::-1]))[:, ::-1, ::-1]
    np.testing.assert_allclose(layer(image), turned, atol=1e-5)


def test_an_hourglass_sees_every_grid_down_to_the_coarsest():
    x = keras.Input((32, 32, 8))
    pooled = [t.shape[1] for t in _outputs(keras.Model(x, sandglass(x, 4, 4, "hg")), "pool")]
    assert pooled == [16, 8, 4, 2]


def test_every_stage_of_an_hourglass_sees_the_heatmaps_of_the_one_before():
    model, image = BUILDERS["hourglass"](size=(64, 64)), np.zeros((1, 64, 64, 3), np.uint8)
    before = np.asarray(model(image)["heatmaps/1"])
    model.get_layer("stage1_heatmaps").bias.assign_add(np.ones(5))
    assert np.abs(np.asarray(model(image)["heatmaps/1"]) - before).max() > 1e-6


def test_the_last_module_of_hrnet_computes_the_finest_branch_alone():
    names = {layer.name for layer in network("hrnet").layers}
    assert "stage4_module1_fuse1_add" in names and "stage4_module1_fuse2_add" not in names
    assert {"stage3_module1_fuse1_add", "stage3_module1_fuse3_add"} <= names


@ALL
def test_what_ships_is_the_last_stage(name):
    assert blocks.last_stage(network(name)).output.keys() == {"heatmaps"}


def _outputs(model, word):
    return [layer.output for layer in model.layers if layer.name.endswith(word)]
