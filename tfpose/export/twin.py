"""A network's twin: the same network in Keras 2 (`tf_keras`), for tools that know that one alone, and the way back.

TensorFlow's model optimization toolkit prunes, clusters and trains with quantization in `tf_keras` models only. A twin
has the same layers under the same names, wired alike, with the same weights.
"""

import inspect
from collections.abc import Callable

import keras
import tf_keras

# Of a layer's configuration what says how it began, what it computed in, or what only one of the two Keras knows.
BEGINNINGS = ("_initializer", "_regularizer", "_constraint")
EVERY_LAYER = {"name", "trainable"}


def twin(network: keras.Model, made: Callable | None = None) -> tf_keras.Model:
    """The twin of a functional network, float32 throughout; its inputs and outputs have the names of the network's.

    `made` gives the layer that stands for an operation of the network (`layer` by default); it may be another one, as
    long as its weights are called alike. ValueError for an operation that has weights and no counterpart.
    """
    made, layers, known = made or layer, {}, {}
    for tensor in network.inputs:
        # The name of an input's tensor is that of its layer.
        known[id(tensor)] = tf_keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
    inputs = list(known.values())
    for node in calls(network):
        name = node.operation.name
        if name not in layers:
            layers[name] = made(node.operation)
        arguments, options = node.arguments.fill_in(known)
        # Keras 3 writes down a mask that is not there, and a wrapper would hand it on.
        options = {option: value for option, value in options.items() if value is not None}
        outputs = layers[name](*arguments, **options)
        known |= zip(map(id, node.outputs), keras.tree.flatten(outputs))
    outputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], network.output)
    copy = tf_keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name=network.name)
    forth(network, copy)
    return copy


def calls(network: keras.Model) -> list:
    """The calls of operations that a network consists of, each after those it needs; inputs are none."""
    depths = sorted(network._nodes_by_depth.items(), reverse=True)
    return [node for _, nodes in depths for node in nodes if node.operation and not node.is_input]


def layer(operation: keras.Operation) -> tf_keras.layers.Layer:
    """The `tf_keras` layer that computes what an operation of Keras 3 does, its weights still to come."""
    kind = getattr(tf_keras.layers, type(operation).__name__, None)
    if not isinstance(operation, keras.layers.Layer) or kind is None:
        if getattr(operation, "weights", None):
            raise ValueError(f"{operation.name}: a {type(operation).__name__}, which tf_keras does not have")
        return Operation(operation, name=operation.name)
    return kind(**configuration(operation, kind))


def configuration(operation: keras.layers.Layer, kind: type) -> dict:
    """What of a layer's configuration its counterpart of a `kind` takes, but for beginnings and precision."""
    taken = set(inspect.signature(kind.__init__).parameters) | EVERY_LAYER
    config = operation.get_config().items()
    return {name: value for name, value in config if name in taken and not name.endswith(BEGINNINGS)}


class Operation(tf_keras.layers.Layer):
    """An operation of Keras 3 without weights, `keras.ops.split` for instance, as a layer of `tf_keras`."""

    def __init__(self, operation: keras.Operation | dict, **options):
        super().__init__(**options)
        found = isinstance(operation, keras.Operation)
        self.operation = operation if found else keras.saving.deserialize_keras_object(operation)

    def call(self, *inputs):
        return self.operation.call(*inputs)

    def get_config(self):
        return super().get_config() | {"operation": keras.saving.serialize_keras_object(self.operation)}


def forth(network: keras.Model, copy: tf_keras.Model) -> None:
    """Gives a twin the weights of its network, by the names of layers; a twin may have layers and weights more."""
    for operation, own in _pairs(network, copy):
        for name, weight in _named(operation.weights).items():
            own[name].assign(weight.numpy())


def back(copy: tf_keras.Model, network: keras.Model) -> None:
    """Gives a network the weights of its twin, by the names of layers, wrapped ones too."""
    for operation, own in _pairs(network, copy):
        for name, weight in _named(operation.weights).items():
            weight.assign(own[name].numpy())


def _pairs(network: keras.Model, copy: tf_keras.Model):
    # A wrapper has a name of its own, and the weights of the layer in it.
    layers = {getattr(layer, "layer", layer).name: layer for layer in copy.layers}
    for operation in network.layers:
        if operation.weights:
            yield operation, _named(layers[operation.name].weights)


def _named(weights) -> dict:
    """{"kernel": ...}: the weights by what they are called in both; a depthwise kernel has a prefix in one of them."""
    return {w.name.split(":")[0].split("/")[-1].removeprefix("depthwise_"): w for w in weights}
