"""Integers in a file: ranges that are those of the values, layers that stay float, and who costs what."""

import functools

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tfpose.config import Export
from tfpose.export import flatbuffer, layers, origins, ranges, tflite, verify
from tfpose.litert import LiteRT


@functools.cache
def small():
    """A residual unit and maps; what `second` reads in its first channel, always 0, it multiplies by 1,000."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, name="normalise")(image)
    x = keras.layers.ReLU(name="first_relu")(keras.layers.Conv2D(16, 3, padding="same", name="first")(x))
    x = keras.layers.Add(name="sum")([x, keras.layers.Conv2D(16, 3, padding="same", name="second")(x)])
    network = keras.Model(image, {"heatmaps": keras.layers.Conv2D(2, 1, name="maps")(x)})
    first, second = network.get_layer("first"), network.get_layer("second")
    first.bias.assign([-1000] + [0.5] * 15)
    second.kernel.assign(np.concatenate([np.full((3, 3, 1, 16), 1000), np.array(second.kernel)[:, :, 1:]], axis=2))
    return network


@functools.cache
def even():
    """The same without that channel."""
    return keras.models.clone_model(small())


@functools.cache
def floats():
    """The small network's float file."""
    return tflite.converted(small(), "float32", "float32")


def views(count=8):
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def values(layer):
    """What a layer of the small network gives for the views."""
    part = keras.Model(small().inputs, small().get_layer(layer).output)
    return np.asarray(part(views(), training=False))


def tensor(layer):
    """The number of the tensor that a layer's operation writes."""
    model = flatbuffer.read(floats())
    found = origins.origins(model, small())
    (operation,) = [o for o, own in zip(flatbuffer.operations(model), found) if layer in own]
    return operation.outputs[0]


def wrong(content):
    """How wrong a file's maps are, as `layers.Cost` says it."""
    truth = np.asarray(small()(views(), training=False)["heatmaps"])
    return layers.error({"heatmaps": truth}, LiteRT(content)(views()))


def test_an_operation_is_known_by_its_convolution_and_by_what_was_folded_into_it():
    found = origins.origins(flatbuffer.read(floats()), small())
    assert found == [("first", "first_relu"), ("second",), ("sum",), ("maps",)]


@pytest.mark.parametrize("layer", ["first_relu", "second", "sum"])
def test_ranges_are_those_of_the_values_also_of_what_is_overwritten_in_place(layer):
    low, high = ranges.find(floats(), views())[tensor(layer)]
    truth = values(layer)
    assert low == pytest.approx(truth.min(), abs=1e-4) and high == pytest.approx(truth.max(), rel=1e-5)


def test_a_percentile_leaves_out_that_share_at_each_end():
    truth = values("sum")
    low, high = ranges.find(floats(), views(), 99.0)[tensor("sum")]
    assert (truth > high).mean() == pytest.approx(0.01, abs=1e-4)
    assert (truth < low).mean() == pytest.approx(0.01, abs=1e-4)


def test_a_percentile_cuts_neither_images_nor_outputs():
    found = ranges.find(floats(), views(), 90.0)
    truth = values("maps")
    assert found[tensor("maps")] == pytest.approx((truth.min(), truth.max()), rel=1e-4)
    assert (0.0, 255.0) in found.values()


def test_calibration_without_views_says_so():
    with pytest.raises(ValueError, match="no view to find ranges on"):
        ranges.find(floats(), [])


@pytest.mark.parametrize("kind", tflite.KINDS)
def test_a_file_is_read_as_its_kind_and_gives_float_maps_of_every_view(kind):
    file = LiteRT(tflite.convert(small(), kind, views()))
    maps = file(views(2))["heatmaps"]
    assert (file.kind, maps.shape, maps.dtype) == (kind, (2, 16, 16, 2), np.float32)


@pytest.mark.parametrize("kind", ["dynamic", "int8", "int16"])
def test_where_kernels_are_even_integers_are_near_keras(kind):
    truth = np.asarray(even()(views(), training=False)["heatmaps"])
    found = LiteRT(tflite.convert(even(), kind, views()))(views())
    assert layers.error({"heatmaps": truth}, found) < 0.05


def test_a_layer_that_is_called_on_two_levels_is_right_on_both_in_16_bits():
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, name="normalise")(image)
    head = keras.layers.Conv2D(2, 1, name="head", bias_initializer=keras.initializers.Constant(3.0))
    levels = [head(keras.layers.Rescaling(scale)(x)) for scale in (1.0, 100.0)]
    network = keras.Model(image, {"heatmaps": levels[0], "more": levels[1]})
    found, truth = LiteRT(tflite.convert(network, "int16", views()))(views()), network(views())
    assert all(verify.difference(np.asarray(truth[name]), found[name])[0] < 0.01 for name in truth)


def test_the_layer_that_costs_most_comes_first():
    costs = layers.measure(small(), views())
    worst, next_worst = costs.layers[:2]
    assert worst.layer == "second" and worst.alone > 3 * next_worst.alone and worst.without < costs.all / 3
    assert layers.table(costs).splitlines()[8].startswith("| second | ")


def test_a_layer_that_is_kept_is_float_in_the_file_and_the_error_falls():
    rounded = tflite.convert(small(), "int8", views())
    kept = tflite.convert(small(), "int8", views(), keep_float=["second"])
    assert types(rounded) == ["INT8", "INT8", "INT8"] and types(kept) == ["INT8", "FLOAT32", "INT8"]
    assert wrong(kept) < wrong(rounded) / 3


def types(content):
    """The types of the kernels of a file's convolutions."""
    names, model = {code: name for name, code in vars(schema.TensorType).items()}, flatbuffer.read(content)
    kernels = [o.inputs[1] for o in flatbuffer.operations(model) if o.name == "CONV_2D"]
    return [names[model.subgraphs[0].tensors[i].type] for i in kernels]


def test_a_layer_that_there_is_not_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"keep_float: no layer 'frist'; the nearest are first"):
        tflite.convert(small(), "int8", views(), keep_float=["frist"])


def test_layers_cannot_be_kept_where_there_is_no_int8_file():
    with pytest.raises(ValueError, match=r"export\.keep_float: found maps, but there is no int8"):
        Export(files=("float32",), keep_float=("maps",))


def test_a_percentile_that_cuts_off_too_much_is_refused():
    with pytest.raises(ValueError, match=r"export\.percentile: found 50"):
        Export(percentile=50)
