"""Quantization-aware twins: a network that computes as its int8 file will, to learn what that needs; and that file.

Every tensor that an int8 kernel writes has a range. A batch norm after a convolution, and a relu after either, are
parts of it in the file: what is between them is rounded nowhere, and has none.
"""

import tempfile
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tfpose.export import converter, rounding, saved_model
from tfpose.export.kernels import CHANNELS, FIXED, NORM, RANGED, SAME, Graph, kind
from tfpose.export.toolkit import quantization as toolkit
from tfpose.export.twin import configuration, layer, twin
from tfpose.progress import progress

Ranges = dict[str, tuple[float, float]]
BATCH = 8
NARROWEST = 1e-4


def aware(network: keras.Model, found: Ranges, *, kernels: bool = True) -> tf_keras.Model:
    """The twin of a network that rounds as its int8 file will, within the ranges found, which follow in training.

    `kernels` off leaves kernels as they are, for the converter, which rounds them alike. Kernels, biases, and what
    batch norms multiply by and add are trainable; the statistics of batch norms stay.
    """
    graph = Graph(network)

    def made(operation):
        output = graph.output(operation)
        if kind(operation) == "Add":
            return _sum(operation.name, graph.terms(operation), output)
        return _rounded(substitute(operation, graph), CHANNELS.get(kind(operation)) if kernels else None, output)

    copy = rounding.apply(twin(network, made))
    for name, ends in _ends(copy).items():
        low, high = found[name]
        # What is always zero would have a scale of zero, which LiteRT does not run.
        for variable, value in zip(ends, (low, high) if high - low > NARROWEST else (0.0, 1.0)):
            variable.assign(value)
    return copy


def _rounded(plain: tf_keras.layers.Layer, axis: int | None, output: str) -> tf_keras.layers.Layer:
    if axis is None and not output:
        return plain
    return toolkit.quantize_annotate_layer(plain, rounding.Integers(axis, output))


def _sum(name: str, count: int, output: str) -> Callable:
    """The sum of so many terms as the kernels compute it: two at a time, each sum within a range of its own."""
    names = [*_partial(name, count), name]
    sums = [_rounded(tf_keras.layers.Add(name=n), None, output if n == name else "moving") for n in names]

    def add(terms):
        total, *others = terms
        for own, term in zip(sums, others, strict=True):
            total = own([total, term])
        return total

    return add


def _partial(name: str, count: int) -> list[str]:
    """What the sums are called that a sum of so many terms begins with."""
    return [f"{name}_of{i}" for i in range(2, count)]


def remarks(network: keras.Model) -> list[str]:
    """What the toolkit has no rule for, in words: how it is rounded here, and what stays float."""
    graph, known = Graph(network), toolkit.default_8bit.Default8BitQuantizeRegistry()
    lines = {}
    for operation in dict.fromkeys(node.operation for node in graph.nodes):
        name = kind(operation)
        if name not in RANGED | SAME | FIXED:
            rule = "stays float"
        elif name in ("Rescaling", NORM) and not graph.folded(operation):
            rule = "becomes a 1x1 depthwise convolution"
        elif name not in SAME | {NORM} and not known.supports(layer(operation)):
            rule = "has a range of its own"
        else:
            continue
        lines.setdefault(f"{name} {rule}", []).append(operation.name)
    return [f"{line}: {', '.join(names[:3])}{_rest(len(names) - 3)}" for line, names in lines.items()]


def _rest(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def learned(copy: tf_keras.Model) -> Ranges:
    """The ranges that a twin has now, by the names of layers."""
    return {name: (float(low), float(high)) for name, (low, high) in _ends(copy).items()}


def _ends(copy: tf_keras.Model) -> dict:
    weights = {layer.name: {w.name.split("/")[-1].split(":")[0]: w for w in layer.weights} for layer in copy.layers}
    return {name: (own["output_min"], own["output_max"]) for name, own in weights.items() if "output_min" in own}


def ranges(network: keras.Model, views: Iterable[np.ndarray]) -> Ranges:
    """The least and the largest value of every tensor that an int8 kernel writes, on views (each (H, W, 3) uint8)."""
    probe = keras.Model(network.input, _written(network))

    @tf.function(autograph=False)
    def ends(batch):
        return {name: _least_and_largest(tensors) for name, tensors in probe(batch, training=False).items()}

    views = list(views)
    batches = progress(range(0, len(views), BATCH), -(-len(views) // BATCH), "ranges")
    each = [ends(np.stack(views[i : i + BATCH])) for i in batches]
    return {name: (min(float(e[name][0]) for e in each), max(float(e[name][1]) for e in each)) for name in each[0]}


def _written(network: keras.Model) -> dict[str, list]:
    """Every tensor that has a range that moves, by the name of the layer; several where that is called again."""
    graph, tensors = Graph(network), {}
    for node in graph.nodes:
        name = node.operation.name
        if graph.output(node.operation) == "moving":
            tensors.setdefault(name, []).extend(node.outputs)
        if kind(node.operation) == "Add":
            total, *others = node.input_tensors
            for partial, term in zip(_partial(name, len(node.input_tensors)), others):
                total = total + term
                tensors[partial] = [total]
    return tensors


def _least_and_largest(tensors: list) -> tuple:
    # Zero is in every range, so that padding is exact.
    low, high = (tf.stack([found(x) for x in tensors]) for found in (tf.reduce_min, tf.reduce_max))
    return tf.minimum(tf.reduce_min(low), 0.0), tf.maximum(tf.reduce_max(high), 0.0)


def substitute(operation: keras.Operation, graph: Graph) -> tf_keras.layers.Layer:
    """The layer that computes what an operation of a network does in the way that a kernel does."""
    if kind(operation) == "Rescaling":
        return rounding.Normalised(**configuration(operation, tf_keras.layers.Rescaling))
    if kind(operation) == NORM:
        norm = rounding.Folded if graph.folded(operation) else rounding.Standing
        return norm(**configuration(operation, tf_keras.layers.BatchNormalization))
    return layer(operation)


def convert(network: keras.Model, found: Ranges) -> bytes:
    """The int8 .tflite file of a network, with these ranges: uint8 images in, its named outputs in float32."""
    network = saved_model.frozen(network, batch=1, dtype="float32")
    copy = aware(network, found, kernels=False)

    @tf.function(
        input_signature=[tf.TensorSpec(network.inputs[0].shape, tf.float32, name=saved_model.INPUT)], autograph=False
    )
    def maps(images):
        return copy(images, training=False)

    module = tf.Module()
    module.weights = copy.variables
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=maps.get_concrete_function())
        saved = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        saved.inference_input_type = tf.uint8
        return converter.run(saved, "dynamic")  # what has learnt its rounding is made integer by the same option
