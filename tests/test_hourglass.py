"""Hourglass is what PPNet's tables print, and every stage sees what the one before saw and said."""

import keras
import numpy as np
import pytest
import weightless

from tfpose.models import count
from tfpose.models.hourglass import hourglass

SMALL = {"keypoints": 5, "depth": 2, "width": 8}


def small(size=(32, 48), **choices):
    return hourglass(size=size, **SMALL, **choices)


def photos(count=2, size=(32, 48)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def inside(network, *names):
    """What the named layers of a network give for the photos."""
    outputs = keras.Model(network.input, [network.get_layer(name).output for name in names])(photos())
    return [np.asarray(x) for x in outputs]


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_every_stage_gives_float32_maps_at_a_quarter_of_the_size():
    network = small((64, 32), stages=3)
    assert (network.input.name, network.input.dtype) == ("image", "uint8")
    assert {k: (v.shape, v.dtype) for k, v in network.output.items()} == {
        f"heatmaps/{s}": ((None, 16, 8, 5), "float32") for s in range(3)
    }


def test_maps_begin_near_zero_so_that_adam_is_not_slowed():
    maps = small()(photos(), training=True)
    assert all(0 < float(keras.ops.std(m)) < 0.05 for m in maps.values())


def test_each_further_stage_weighs_and_costs_the_same():
    def cost(stages):
        network = weightless.built(lambda: small(stages=stages))
        return np.array([count.parameters(network)[0], count.macs(network)])

    first, second, third = cost(1), cost(2), cost(3)
    np.testing.assert_array_equal(third - second, second - first)


def test_the_grid_is_halved_as_often_as_depth_says():
    network = hourglass(size=(128, 64), keypoints=5, depth=4, width=4, stages=1)
    name = "stage1_grid4_grid3_grid2_grid1"
    assert network.get_layer(f"{name}_bottom_add").output.shape[1:] == (2, 1, 8)
    assert network.get_layer(f"{name}_add").output.shape[1:] == (4, 2, 8)


def test_the_next_stage_sees_this_ones_input_features_and_maps():
    network = small()
    names = ("stage1_feedback_add", "stem_unit3_add", "stage1_feedback_features", "stage1_feedback_heatmaps")
    total, *terms = inside(network, *names)
    np.testing.assert_allclose(total, sum(terms), rtol=1e-4, atol=1e-5)
    assert network.get_layer("stage1_feedback_heatmaps").input is network.output["heatmaps/0"]
    assert network.get_layer("stage2_grid2_pool").input is network.get_layer("stage1_feedback_add").output


def test_a_unit_whose_path_says_nothing_gives_its_input():
    network = small(stages=1)
    network.get_layer("stem_unit3_conv3").set_weights([np.zeros((1, 1, 8, 16)), np.zeros(16)])
    before, after = inside(network, "stem_unit2_add", "stem_unit3_add")
    np.testing.assert_array_equal(after, before)


def test_what_an_hourglass_gives_is_what_it_saw_beside_plus_every_coarser_cell_twice_down_and_across():
    beside, up, total = inside(small(stages=1), "stage1_grid2_beside_add", "stage1_grid2_up_add", "stage1_grid2_add")
    np.testing.assert_allclose(total, beside + up.repeat(2, axis=1).repeat(2, axis=2), rtol=1e-5, atol=1e-5)


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small()
    fixed.set_weights(free.get_weights())
    expected, found = fixed(photos()), free(photos())
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)
    assert free(photos(1, (16, 64)))["heatmaps/1"].shape == (1, 4, 16, 5)


def test_maps_stay_float32_when_the_rest_is_bfloat16(mixed_bfloat16):  # noqa: ARG001 a setting
    network = small()
    assert network.get_layer("stage2_unit_conv1").compute_dtype == "bfloat16"
    assert all(maps.dtype == "float32" and np.isfinite(maps).all() for maps in network(photos()).values())


def test_the_large_size_is_refused_as_in_the_paper():
    with pytest.raises(ValueError, match=r"hourglass: size is \(384, 288\), expected multiples of 64"):
        hourglass(size=(384, 288), keypoints=17)
