"""Costs are counted from the graph: each kernel times the cells that it meets, once per call."""

import math

import keras
import pytest
from keras import layers

from tfpose.models import count


def network(*stack, shape=(8, 6, 4)):
    image = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(5, 3, padding="same"), 8 * 6 * 9 * 4 * 5),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 4 * 3 * 9 * 4 * 5),
        (layers.Conv2D(6, 3, padding="same", groups=2), 8 * 6 * 9 * 2 * 6),
        (layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), 8 * 6 * 9 * 4 * 2),
        (layers.Conv2DTranspose(5, 4, strides=2, padding="same"), 8 * 6 * 16 * 4 * 5),
        (layers.Dense(7), 8 * 6 * 4 * 7),
        (layers.BatchNormalization(), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_costs_its_kernel_at_every_cell_that_it_meets(layer, expected):
    assert count.macs(network(layer)) == expected


def test_a_layer_called_twice_costs_twice_and_weighs_once():
    shared = layers.Conv2D(4, 3, padding="same")
    model = network(shared, shared)
    assert count.macs(model) == 2 * 8 * 6 * 9 * 4 * 4
    assert count.parameters(model) == (9 * 16 + 4, 9 * 16)
    assert [row.parameters for row in count.table(model)] == [0, 9 * 16 + 4, 0]


def test_calls_by_another_network_are_not_counted():
    shared = layers.Conv2D(4, 3, padding="same")
    model = network(shared)
    network(shared, shape=(80, 60, 4))
    assert count.macs(model) == 8 * 6 * 9 * 4 * 4


def test_a_network_cut_short_costs_less():
    model = network(layers.Conv2D(4, 1), layers.Conv2D(9, 1))
    assert count.macs(keras.Model(model.input, model.layers[1].output)) == 8 * 6 * 16


def test_frozen_weights_are_kernels_and_not_trainable():
    model = network(layers.Conv2D(4, 1), layers.BatchNormalization())
    model.layers[1].trainable = False
    assert count.parameters(model) == (8, 16)


def test_the_columns_of_the_table_add_up():
    model = network(layers.ZeroPadding2D(1), layers.Conv2D(5, 3), layers.BatchNormalization(), layers.Dense(2))
    rows = count.table(model)
    assert [row.name for row in rows] == [layer.name for layer in model.layers]
    assert sum(row.macs for row in rows) == count.macs(model)
    assert sum(row.parameters for row in rows) == sum(math.prod(w.shape) for w in model.trainable_weights)
    assert rows[2] == count.Row(model.layers[2].name, "Conv2D", (8, 6, 5), 9 * 4 * 5 + 5, 8 * 6 * 9 * 4 * 5)


def test_plain_operations_are_rows_without_cost():
    image = keras.Input((4, 4, 2))
    rows = count.table(keras.Model(image, keras.ops.concatenate([image, image], axis=-1)))
    assert (rows[-1].shape, rows[-1].parameters, rows[-1].macs) == ((4, 4, 4), 0, 0)


def test_a_grid_of_any_size_is_refused():
    with pytest.raises(ValueError, match="fixed size"):
        count.macs(network(layers.Conv2D(4, 1), shape=(None, None, 4)))


@pytest.mark.parametrize("layer", [layers.SeparableConv2D(4, 3), network(layers.Conv2D(4, 1))], ids=["kind", "nested"])
def test_kernels_that_are_not_known_are_refused(layer):
    with pytest.raises(ValueError, match="with kernels"):
        count.macs(network(layer))


def test_counting_transposed_convolutions_by_their_output_is_stride_squared_times_too_much():
    image = keras.Input((8, 6, 16))
    model = keras.Model(image, layers.Conv2DTranspose(5, 4, strides=2, padding="same")(image))
    assert count.macs(model, scattered_by_output=True) == 4 * count.macs(model)
