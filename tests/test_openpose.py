"""OpenPose is what its paper says and MLN's table 2 prints: two branches, six stages, each with the maps before it."""

import functools

import keras
import numpy as np
import pytest
import receptive
import weightless

from tfpose.models import count
from tfpose.models.openpose import openpose

BODY = {"keypoints": 18, "limbs": 19}
SMALL = {"keypoints": 4, "limbs": 3, "trunk": "mobilenet", "width": 8}


@functools.cache
def small(size=(32, 48), **choices):
    return openpose(size=size, **(SMALL | choices))


@functools.cache
def published(size=(368, 432)):
    return weightless.built(lambda: openpose(size=size, **BODY))


def photos(size=(32, 48)):
    return np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)


def test_it_has_the_published_weights_and_cost():
    network = published()
    assert count.parameters(network) == (52_311_446, 52_298_816)
    assert round(count.macs(network) / 1e9, 3) == 159.575


def test_every_stage_gives_heatmaps_with_a_background_and_two_maps_a_limb_at_stride_8():
    outputs = published().output
    assert {k: v.shape[1:] for k, v in outputs.items() if k.startswith("heat")} == {
        f"heatmaps/{i}": (46, 54, 19) for i in range(6)
    }
    assert {k: v.shape[1:] for k, v in outputs.items() if k.startswith("pafs")} == {
        f"pafs/{i}": (46, 54, 38) for i in range(6)
    }
    assert {v.dtype for v in outputs.values()} == {"float32"}


def test_a_later_stage_sees_the_maps_before_it_and_the_context():
    network = published()
    inputs = network.get_layer("stage5_concat").input
    context = network.get_layer("context_conv2_relu").output
    assert inputs[0] is network.output["pafs/4"] and inputs[1] is network.output["heatmaps/4"]
    assert inputs[2] is context


def test_a_later_stage_looks_around_by_five_large_convolutions():
    network = published()
    before = network.get_layer("stage2_concat").output
    assert receptive.fields(before, network.output["pafs/2"]) == [1 + 5 * 6]


def test_first_weights_outside_the_trunk_are_small_and_biases_are_zero():
    network = small()
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D) and not layer.name.startswith("trunk"):
            kernel = np.asarray(layer.kernel)
            assert abs(kernel.std() - 0.01) < 4 * 0.01 / np.sqrt(2 * kernel.size), layer.name
            assert not np.any(layer.bias), layer.name


def test_batch_norm_in_the_heads_takes_the_place_of_their_biases_but_not_of_the_maps():
    network = small(norm=True, stages=2)
    biased = {layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D) and layer.use_bias}
    assert biased == {f"stage{i}_{maps}" for i in (1, 2) for maps in ("heatmaps", "pafs")}


@pytest.mark.parametrize("norm", [False, True])
def test_maps_begin_near_zero(norm):
    outputs = small(norm=norm, stages=2)(photos(), training=True)
    assert all(0 < float(keras.ops.std(maps)) < 0.1 for maps in outputs.values())


def test_maps_are_read_from_128_channels_however_narrow_the_head():
    names = ("stage2_limbs_conv6", "stage6_keypoints_conv6")
    assert {small().get_layer(name).output.shape[-1] for name in names} == {128}


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small()
    free.set_weights(fixed.get_weights())
    found, expected = (network(photos())["pafs/5"] for network in (free, fixed))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert free(photos((16, 64)))["heatmaps/5"].shape == (2, 2, 8, 5)


def test_a_size_that_8_does_not_divide_and_an_unknown_trunk_are_refused():
    with pytest.raises(ValueError, match=r"size is \(36, 48\), expected multiples of 8"):
        small((36, 48))
    with pytest.raises(ValueError, match="trunk is 'resnet', expected one of vgg19, mobilenet"):
        small(trunk="resnet")
