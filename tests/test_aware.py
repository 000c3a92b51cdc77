"""A quantization-aware twin computes as its network, but for the rounding, and as its int8 file; and it learns."""

import functools

import keras
import numpy as np
import pytest
import zoo
from keras import layers
from test_twin import LARGE, VARIANTS, built, difference, twin

from tfpose import runners
from tfpose.export import verify
from tfpose.litert import LiteRT
from tfpose.skeleton import COCO17
from tfpose.systems import base

aware = pytest.importorskip("tfpose.export.aware", reason="needs the toolkit; pip install 'tfpose[quantize]'")
from tfpose.export.finetune import finetune  # noqa: E402 (needs it too)
from tfpose.export.kernels import Graph  # noqa: E402


@functools.cache
def network():
    return zoo.network()


@functools.cache
def ranges():
    return aware.ranges(network(), zoo.views())


@functools.cache
def copy():
    return aware.aware(network(), ranges())


@functools.cache
def file():
    return aware.convert(network(), ranges())


def operations(content):
    """(operation, type of what it writes) of each of a file's operations."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    types = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    each = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(operation.OpcodeIndex()).BuiltinCode() for operation in each]
    return [(names[c], types[graph.Tensors(o.Outputs(0)).Type()]) for c, o in zip(codes, each)]


def integer(content, outputs):
    """Whether a file computes in integers alone: its input requantized at most, its outputs made float at last."""
    found = operations(content)
    floats = [name for name, kind in found if kind not in ("INT8", "UINT8")]
    return floats == ["DEQUANTIZE"] * outputs


def test_without_rounding_the_twin_says_what_its_network_says():
    graph, seen = Graph(network()), zoo.views()
    plain = twin.twin(network(), lambda operation: aware.substitute(operation, graph))
    assert difference(network()(seen, training=False), plain(seen, training=True)) < 1e-5


def test_the_twin_is_near_its_network():
    seen = zoo.views()
    assert 1e-4 < difference(network()(seen, training=False), copy()(seen, training=False)) < 0.05


@pytest.mark.slow
def test_the_file_computes_in_integers_alone():
    assert integer(file(), outputs=2)
    # The image, and the part that is summed in a range of its own before it is put beside another one.
    assert [name for name, _ in operations(file())].count("QUANTIZE") == 2


def test_the_file_says_what_the_twin_says():
    seen, found = zoo.views(), LiteRT(file())
    assert found.kind == "int8"
    expected = copy()(seen, training=False)
    for name, maps in found(seen).items():
        steps = np.abs(maps - np.asarray(expected[name])) / (np.ptp(maps) / 255)
        assert np.mean(steps > 1.5) < 0.02


def test_a_range_holds_every_value_and_zero():
    seen = zoo.views()
    low, high = ranges()["maps"]
    maps = np.asarray(network()(seen, training=False)["heatmaps"])
    assert (low, high) == (pytest.approx(min(maps.min(), 0), rel=1e-4), pytest.approx(max(maps.max(), 0), rel=1e-4))
    assert all(low <= 0 <= high for low, high in ranges().values())


def test_what_is_always_zero_has_a_range_all_the_same():
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 256, name="normalise")(image)
    x = layers.Conv2D(4, 3, bias_initializer=keras.initializers.Constant(-1e4), name="dead")(x)
    x = layers.Conv2D(2, 1, name="maps")(layers.Activation("relu", name="dead_relu")(x))
    dead, seen = keras.Model(image, {"maps": x}), np.zeros((2, 8, 8, 3), np.uint8)
    found = aware.ranges(dead, seen)
    assert found["dead_relu"] == (0, 0)
    assert aware.learned(aware.aware(dead, found))["dead_relu"] == (0, 1)


def test_what_one_kernel_computes_has_one_range():
    inside = {"stem", "stem_bn", "depthwise", "depthwise_bn", "low", "low_bn", "up", "standing_bn", "four", "head"}
    assert not inside & ranges().keys()
    assert {
        "normalise",
        "stem_relu",
        "skip",
        "standing_relu",
        "up_bn",
        "four_of2",
        "four_of3",
        "all",
    } <= ranges().keys()
    assert "gate" not in ranges()  # a sigmoid's is LiteRT's


def test_training_moves_kernels_and_ranges_but_no_statistics():
    taught = aware.aware(network(), ranges())
    seen = zoo.views()

    def loss(targets, outputs):
        return {name: keras.ops.mean(keras.ops.square(outputs[name] - targets[name])) for name in targets}

    targets = {name: np.asarray(maps) * 0.9 for name, maps in network()(seen, training=False).items()}
    losses = finetune(taught, loss, [({"image": seen}, targets)] * 12, steps=12, rate=3e-3)
    assert losses[-1] < 0.8 * losses[0]
    after = zoo.network()
    twin.back(taught, after)
    moved = {w.path: not np.array_equal(w, b) for w, b in zip(after.weights, network().get_weights(), strict=True)}
    assert all(moved[path] != ("moving" in path) for path in moved)
    assert aware.learned(taught)["maps"] != ranges()["maps"]


def test_what_the_toolkit_has_no_rule_for_is_named():
    remarks = " | ".join(aware.remarks(network()))
    assert "Multiply has a range of its own: gated" in remarks
    assert "Rescaling becomes a 1x1 depthwise convolution: normalise" in remarks
    assert "BatchNormalization becomes a 1x1 depthwise convolution: standing_bn" in remarks
    assert "stem" not in remarks  # a batch norm after its convolution has none by the toolkit's rules either


def test_a_layer_of_an_unknown_kind_stays_float_and_is_named():
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = layers.Conv2D(4, 3, name="first")(layers.Rescaling(1 / 256, name="normalise")(image))
    x = layers.Conv2D(2, 1, name="last")(layers.PReLU(shared_axes=[1, 2], name="odd")(x))
    strange = keras.Model(image, {"maps": x})
    assert aware.remarks(strange)[-1] == "PReLU stays float: odd"
    seen = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    found = aware.aware(strange, aware.ranges(strange, seen))(seen, training=False)
    assert difference(strange(seen, training=False), found) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] * (n in LARGE)) for n in VARIANTS])
def test_every_system_has_a_file_in_integers_that_says_what_its_network_says(name):
    system, whole = base.system(VARIANTS[name], COCO17), built(name)
    size = whole.inputs[0].shape[1:3]
    cells = np.random.default_rng(6).integers(0, 256, (8, size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    seen = cells.repeat(8, axis=1).repeat(8, axis=2)
    found = aware.ranges(whole, seen)
    expected = runners.last_stage(whole(seen, training=False))
    content = aware.convert(system.deployed(whole), aware.learned(aware.aware(whole, found)))
    assert integer(content, outputs=len(expected))
    for output, maps in LiteRT(content)(seen).items():
        largest, mean = verify.difference(np.asarray(expected[output]), maps)
        assert largest < verify.LIMITS["int8"].largest and mean < verify.LIMITS["int8"].mean
