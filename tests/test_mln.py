"""MLN is what its paper prints, in two layouts: detection, transfer to the other branch, refinement with context."""

import functools

import keras
import numpy as np
import pytest
import receptive
import weightless

from tfpose.models import count
from tfpose.models.mln import mln

BODY = {"keypoints": 18, "limbs": 19}
SMALL = {"keypoints": 4, "limbs": 3, "trunk": "mobilenet", "width": 8}
EACH = pytest.mark.parametrize("block", ["concat", "squeeze"])


@functools.cache
def small(size=(32, 48), **choices):
    return mln(size=size, **(SMALL | choices))


@functools.cache
def published(block, size=(368, 432)):
    return weightless.built(lambda: mln(size=size, block=block, **BODY))


def output(network, name):
    return network.get_layer(name).output


def photos(size=(32, 48)):
    return np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)


@EACH
def test_both_layouts_have_the_published_weights(block):
    assert count.parameters(published(block))[1] == 21_278_912


@EACH
@pytest.mark.parametrize(("size", "gmac"), [((368, 432), 82.521), ((368, 656), 125.310), ((368, 368), 70.296)])
def test_both_layouts_have_the_published_cost(block, size, gmac):
    assert round(count.macs(published(block, size)) / 1e9, 3) == gmac


@EACH
def test_weights_and_biases_fill_the_published_file(block):
    assert round(4 * count.parameters(published(block))[0] / 1e6, 1) == 85.2


def test_heatmaps_have_a_background_and_fields_two_maps_a_limb_at_stride_8():
    shapes = {k: (v.shape[1:], v.dtype) for k, v in published("concat").output.items()}
    heatmaps, pafs = ((46, 54, 19), "float32"), ((46, 54, 38), "float32")
    assert shapes == {"heatmaps/0": heatmaps, "pafs/0": pafs, "heatmaps/1": heatmaps, "pafs/1": pafs}


@EACH
def test_a_transfer_sees_a_hundred_pixels_to_every_side(block):
    network = published(block)
    sent = network.get_layer("merge_keypoints_concat").input[1]
    cells = receptive.fields(output(network, "transfer_limbs_concat"), sent)[-1]
    assert 8 * (cells - 1) / 2 == 96  # section 2.2: "100 pixels"


@EACH
def test_a_block_gathers_what_one_two_and_three_convolutions_see(block):
    network = published(block)
    assert receptive.fields(output(network, "context_conv2_relu"), output(network, "detect_limbs_conv3_relu")) == [7]
    result = network.get_layer("transfer_limbs_block2_conv1").input
    assert receptive.fields(output(network, "transfer_limbs_concat"), result) == [3, 5, 7]


@EACH
@pytest.mark.parametrize(("branch", "other"), [("keypoints", "limbs"), ("limbs", "keypoints")])
def test_a_branch_is_merged_with_what_the_other_one_sends(block, branch, other):
    network = published(block)
    own, sent = network.get_layer(f"merge_{branch}_concat").input
    last = {"concat": "concat", "squeeze": "squeeze_relu"}[block]
    assert own is output(network, f"detect_{branch}_conv{3 if block == 'concat' else 4}_relu")
    assert sent is output(network, f"transfer_{other}_block4_{last}")


@EACH
def test_a_refinement_starts_from_the_detected_maps_and_the_context(block):
    network = published(block)
    pafs, heatmaps, context = network.get_layer("refine_concat").input
    assert pafs is network.output["pafs/0"] and heatmaps is network.output["heatmaps/0"]
    assert context is output(network, "context_conv2_relu")


@pytest.mark.parametrize(("block", "dense"), [("concat", 5), ("squeeze", 7)])
def test_a_refinement_has_its_number_of_blocks(block, dense):
    names = {layer.name for layer in published(block).layers}
    found = {name for name in names if name.startswith("refine_limbs_block") and name.endswith("_concat")}
    assert found == {f"refine_limbs_block{i}_concat" for i in range(1, dense + 1)}


@EACH
def test_first_weights_outside_the_trunk_are_small_and_biases_are_zero(block):
    for layer in small(block=block).layers:
        if isinstance(layer, keras.layers.Conv2D) and not layer.name.startswith("trunk"):
            kernel = np.asarray(layer.kernel)
            assert abs(kernel.std() - 0.01) < 4 * 0.01 / np.sqrt(2 * kernel.size), layer.name
            assert not np.any(layer.bias), layer.name


def test_batch_norm_in_the_heads_takes_the_place_of_their_biases_but_not_of_the_maps():
    convolutions = [layer for layer in small(norm=True).layers if isinstance(layer, keras.layers.Conv2D)]
    biased = {layer.name for layer in convolutions if layer.use_bias}
    assert biased == {f"{stage}_{maps}" for stage in ("detect", "refine") for maps in ("heatmaps", "pafs")}


@pytest.mark.parametrize("norm", [False, True])
def test_maps_begin_near_zero(norm):
    outputs = small(norm=norm)(photos(), training=True)
    assert all(0 < float(keras.ops.std(maps)) < 0.1 for maps in outputs.values())


def test_maps_are_read_from_128_channels_however_narrow_the_head():
    assert {small().get_layer(name).output.shape[-1] for name in ("merge_limbs_conv", "refine_keypoints_conv")} == {128}


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small()
    free.set_weights(fixed.get_weights())
    found, expected = (network(photos())["pafs/1"] for network in (free, fixed))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert free(photos((16, 64)))["heatmaps/1"].shape == (2, 2, 8, 5)


def test_an_unknown_block_and_a_size_that_8_does_not_divide_are_refused():
    with pytest.raises(ValueError, match="mln: block is 'dense', expected one of concat, squeeze"):
        small(block="dense")
    with pytest.raises(ValueError, match=r"size is \(36, 48\), expected multiples of 8"):
        small((36, 48))
