"""HRNet is what PPNet's tables print: branches that are born from the coarsest, and meet after every module."""

import keras
import numpy as np
import pytest
import weightless

from tfpose.models import count
from tfpose.models.hrnet import hrnet

SMALL = {"keypoints": 5, "width": 4, "modules": (1, 2), "depth": 1}


def small(size=(32, 48), **choices):
    return hrnet(size=size, **(SMALL | choices))


def photos(count=2, size=(32, 48)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def inside(network, *names):
    """What the named layers of a network give for the photos."""
    outputs = keras.Model(network.input, [network.get_layer(name).output for name in names])(photos())
    return [np.asarray(x) for x in outputs]


def test_maps_are_a_quarter_of_the_photo_and_float32():
    network = small((64, 48))
    assert (network.input.name, network.input.dtype) == ("image", "uint8")
    assert {k: (v.shape, v.dtype) for k, v in network.output.items()} == {"heatmaps/0": ((None, 16, 12, 5), "float32")}


def test_maps_begin_near_zero_so_that_adam_is_not_slowed():
    maps = small()(photos(), training=True)
    assert all(0 < float(keras.ops.std(m)) < 0.05 for m in maps.values())


def test_each_branch_is_twice_as_coarse_and_wide_as_the_one_before():
    network = small((128, 64), modules=(1, 1, 1))
    shapes = [network.get_layer(f"stage4_module1_branch{i}_block1_relu").output.shape[1:] for i in (1, 2, 3, 4)]
    assert shapes == [(32, 16, 4), (16, 8, 8), (8, 4, 16), (4, 2, 32)]


def test_a_branch_has_as_many_blocks_in_every_module():
    names = {layer.name for layer in small(depth=3).layers}
    blocks = {name for name in names if "_module" in name and name.endswith("_add") and "_block" in name}
    expected = [(s, m, i) for s, m, last in ((2, 1, 2), (3, 1, 3), (3, 2, 3)) for i in range(1, last + 1)]
    assert blocks == {f"stage{s}_module{m}_branch{i}_block{b}_add" for s, m, i in expected for b in (1, 2, 3)}


def test_a_new_branch_starts_from_the_coarsest_one():
    network = small()
    coarsest = network.get_layer("stage2_module1_fuse2_relu").output
    assert network.get_layer("stage3_start3_pad").input is coarsest


def test_a_module_adds_up_all_branches_on_every_grid():
    network = small()
    terms = ("from1_conv2_bn", "from2_conv1_bn")
    same = network.get_layer("stage3_module1_branch3_block1_relu").name
    total, *parts = inside(network, "stage3_module1_fuse3_add", same, *(f"stage3_module1_fuse3_{t}" for t in terms))
    np.testing.assert_allclose(total, sum(parts), rtol=1e-4, atol=1e-5)


def test_the_last_module_gives_the_finest_branch_alone():
    names = {layer.name for layer in small().layers if "_fuse" in layer.name}
    assert {name[:20] for name in names if name.startswith("stage3_module2")} == {"stage3_module2_fuse1"}
    assert {name[:20] for name in names if name.startswith("stage3_module1")} == {
        f"stage3_module1_fuse{i}" for i in (1, 2, 3)
    }


@pytest.mark.parametrize("width", [32, 48])
def test_a_keypoint_more_weighs_one_filter_and_its_bias_more(width):
    def weights(keypoints):
        return count.parameters(weightless.built(lambda: small(width=width, keypoints=keypoints)))[0]

    assert weights(17) - weights(16) == width + 1


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small()
    fixed.set_weights(free.get_weights())
    found, expected = (network(photos())["heatmaps/0"] for network in (free, fixed))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert free(photos(1, (16, 64)))["heatmaps/0"].shape == (1, 4, 16, 5)


def test_a_size_that_the_coarsest_branch_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"hrnet: size is \(256, 200\), expected multiples of 32"):
        hrnet(size=(256, 200), keypoints=17)
