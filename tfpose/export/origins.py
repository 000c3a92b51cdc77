"""Which layers of the network each operation of a .tflite file computes: convolution, batch norm and ReLU are one."""

import difflib
import re
from collections.abc import Collection, Iterator

import keras

from tfpose.export import flatbuffer


def origins(model, network: keras.Model) -> list[tuple[str, ...]]:
    """Of each operation of a file (as `flatbuffer.read` gives it) its layers' names, one with a kernel first.

    Operations carry the names of what they were made of: scope/LAYER_1/Relu;scope/LAYER_1/convolution. An output's
    name is lost; its layer is the network's.
    """
    tensors, layers = model.subgraphs[0].tensors, {layer.name: layer for layer in network.layers}
    ends = _ends(model, network)
    found = []
    for operation in flatbuffer.operations(model):
        weights = [i for i in operation.inputs if i >= 0 and flatbuffer.constant(model, i)]
        written = [tensors[i].name.decode() for i in (operation.outputs[0], *weights)]
        known = [*(layer for name in written for layer in _layers(name, layers)), *ends.get(operation.outputs[0], ())]
        found.append(tuple(sorted(dict.fromkeys(known), key=lambda name: not hasattr(layers[name], "kernel"))))
    return found


def tensors(model, network: keras.Model, kept: Collection[str]) -> list[str]:
    """The names of the tensors that the layers `kept` write; ValueError names a layer that is not in the file."""
    layers = origins(model, network)
    for name in kept:
        if not any(name in found for found in layers):
            near = difflib.get_close_matches(name, sorted({n for found in layers for n in found}), 3, 0.0)
            raise ValueError(f"export.keep_float: no layer {name!r}; the nearest are {', '.join(near)}")
    return [written for written, found in zip(names(model), layers) if set(found) & set(kept)]


def names(model) -> list[str]:
    """The name of the first tensor that each operation writes, which is what the quantizer calls the operation."""
    return [model.subgraphs[0].tensors[o.outputs[0]].name.decode() for o in flatbuffer.operations(model)]


def _ends(model, network: keras.Model) -> dict[int, tuple[str]]:
    made = {name: tensor._keras_history.operation.name for name, tensor in network.output.items()}
    ends = model.signatureDefs[0].outputs
    return {end.tensorIndex: (made[end.name.decode()],) for end in ends}


def _layers(name: str, known: Collection[str]) -> Iterator[str]:
    for part in re.split("[;/]", name):
        # Keras numbers the calls of a layer: LAYER_1, LAYER_3.
        for candidate in (re.sub(r"_\d+$", "", part), part):
            if candidate in known:
                yield candidate
                break
