"""Pyramids have the published weights, and hand what is seen coarsely to finer levels, never the other way round."""

import keras
import numpy as np
import pytest
import weightless

from tfpose.models import count
from tfpose.models.fpn import coarser, fpn

CHANNELS, STRIDES, SIZE = (4, 8, 16, 16), (4, 8, 16, 32), (64, 96)


def grids(size, channels, strides):
    return [(size[0] // s, size[1] // s, c) for s, c in zip(strides, channels)]


def pyramid(size=SIZE, channels=CHANNELS, strides=STRIDES, width=8, norm=False):
    levels = [keras.Input(shape) for shape in grids(size, channels, strides)]
    return keras.Model(levels, fpn(levels, strides, width, norm=norm, name="fpn"))


def features(strides=STRIDES, only=None):
    rng = np.random.default_rng(0)
    shapes = grids(SIZE, CHANNELS, strides)
    return [rng.normal(size=(1, *s)).astype("float32") * (only in (None, i)) for i, s in enumerate(shapes)]


def test_the_published_pyramid_has_the_published_weights():
    network = weightless.built(lambda: pyramid((480, 480), (256, 512, 1024, 2048), width=256))
    found = {row.name: row.parameters for row in count.table(network)}
    assert [found[f"fpn_lateral{i}"] for i in (2, 3, 4, 5)] == [65_792, 131_328, 262_400, 524_544]
    assert [found[f"fpn_smooth{i}"] for i in (2, 3, 4, 5)] == 4 * [590_080]
    assert [x.shape[1:] for x in network.output] == [(side, side, 256) for side in (120, 60, 30, 15)]


def test_levels_6_and_7_have_the_published_weights_and_half_the_cells_each():
    coarsest = keras.Input((15, 15, 2048))
    network = weightless.built(lambda: keras.Model(coarsest, coarser(coarsest, 256, norm=False, name="fpn")))
    assert [x.shape[1:] for x in network.output] == [(8, 8, 256), (4, 4, 256)]
    assert count.parameters(network)[0] == 4_718_848 + 590_080


@pytest.mark.parametrize("level", range(4))
def test_a_level_is_seen_in_itself_and_in_finer_ones_alone(level):
    network = pyramid()
    seen = [bool(np.any(x)) for x in network(features(only=level))]  # biases begin at zero
    assert seen == [i <= level for i in range(4)]


def test_a_level_is_its_own_features_and_each_coarser_cell_twice_down_and_across():
    network = pyramid()
    inner = keras.Model(network.input, [network.get_layer(n).output for n in ("fpn_lateral3", "fpn_add4", "fpn_add3")])
    own, above, merged = (np.asarray(x) for x in inner(features()))
    np.testing.assert_allclose(merged, own + above.repeat(2, axis=1).repeat(2, axis=2), rtol=1e-5, atol=1e-5)


def test_levels_of_one_stride_are_added_as_they_are():
    strides = (4, 8, 16, 16)
    network = pyramid(strides=strides)
    assert [x.shape[1:3] for x in network.output] == [(16, 24), (8, 12), (4, 6), (4, 6)]
    names = {layer.name for layer in network.layers if isinstance(layer, keras.layers.UpSampling2D)}
    assert names == {"fpn_up2", "fpn_up3"}


def test_batch_norm_takes_the_place_of_every_bias():
    convolutions = [layer for layer in pyramid(norm=True).layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 8 and not any(layer.use_bias for layer in convolutions)
