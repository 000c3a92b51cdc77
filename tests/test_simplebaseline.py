"""SimpleBaseline is what PPNet's tables print, and its transposed convolutions keep the grids on each other."""

import keras
import numpy as np
import pytest
import weightless

from tfpose.models import count, simplebaseline

SMALL = {"keypoints": 5, "depths": (1, 1, 1, 1), "width": 4, "filters": 8}


def small(size):
    return simplebaseline.simplebaseline(size=size, **SMALL)


def photos(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def upward(filters=1, channels=1):
    """One transposed convolution from a grid of 6 x 5, batch norm aside."""
    x = keras.Input((6, 5, channels))
    network = keras.Model(x, simplebaseline.upward(x, filters, name="up"))
    return keras.Model(x, network.get_layer("up_conv").output)


def test_maps_are_a_quarter_of_the_photo_and_float32():
    network = simplebaseline.simplebaseline(size=(128, 96), **SMALL)
    assert (network.input.name, network.input.dtype) == ("image", "uint8")
    assert {k: (v.shape, v.dtype) for k, v in network.output.items()} == {"heatmaps/0": ((None, 32, 24, 5), "float32")}


def test_maps_begin_near_zero_so_that_adam_is_not_slowed():
    maps = small((64, 32))(photos(2, (64, 32)), training=True)
    assert all(0 < float(keras.ops.std(m)) < 0.05 for m in maps.values())


def test_counted_by_output_the_transposed_convolutions_cost_four_times_as_much():
    network = weightless.built(lambda: simplebaseline.simplebaseline(size=(256, 192), keypoints=17))
    computed, printed = count.macs(network), count.macs(network, scattered_by_output=True)
    upwards = sum(row.macs for row in count.table(network) if row.kind == "Conv2DTranspose")
    assert printed - computed == 3 * upwards > 0.7 * computed


@pytest.mark.parametrize("cell", [(0, 0), (2, 3), (5, 4)])
def test_a_cell_is_spread_about_its_own_centre(cell):
    network = upward()
    kernel = np.arange(1, 17, dtype=np.float32).reshape(4, 4, 1, 1)
    network.set_weights([kernel])
    impulse = np.zeros((1, 6, 5, 1), np.float32)
    impulse[0, *cell, 0] = 1
    # Cell i is at 2i + 0.5 on the fine grid, so its four cells are 2i - 1 .. 2i + 2, as with PyTorch's padding of 1.
    expected = np.zeros((14, 12), np.float32)
    row, column = (2 * i for i in cell)
    expected[row : row + 4, column : column + 4] = kernel[..., 0, 0]
    np.testing.assert_array_equal(np.asarray(network(impulse))[0, ..., 0], expected[1:-1, 1:-1])


def test_mirrored_kernels_make_of_mirrored_cells_mirrored_maps():
    network = upward(filters=3, channels=2)
    x = np.random.default_rng(0).normal(size=(1, 6, 5, 2)).astype(np.float32)
    straight = np.asarray(network(x))
    network.set_weights([network.get_weights()[0][:, ::-1]])
    np.testing.assert_allclose(np.asarray(network(x[:, :, ::-1]))[:, :, ::-1], straight, atol=1e-5)


def test_the_transposed_convolutions_are_drawn_each_for_itself():
    kernels = [w.numpy() for w in small((32, 32)).trainable_weights if w.path.endswith("_conv/kernel")]
    alike = [k for k in kernels if k.shape == (4, 4, 8, 8)]
    assert len(alike) == 2 and not np.array_equal(*alike)


def test_any_size_gives_what_the_fixed_size_gives():
    free, fixed = small((None, None)), small((64, 32))
    fixed.set_weights(free.get_weights())
    found, expected = (network(photos(2, (64, 32)))["heatmaps/0"] for network in (free, fixed))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert free(photos(1, (96, 64)))["heatmaps/0"].shape == (1, 24, 16, 5)


def test_a_size_that_the_stride_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"simplebaseline: size is \(256, 200\), expected multiples of 32"):
        small((256, 200))
