"""A file that decodes itself: the network of a .tflite file, and behind it the decoder as float operations.

The network stays bit for bit what it is in its own file, integers or not; what it gives are float32 maps already, and
people are computed from these in float32: coordinates and scores each in a tensor of their own.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf

from tfpose import spec as specs
from tfpose.export import bundle, converter, in_graph_decoders, join
from tfpose.spec import PoseSpec


def split(kinds: Iterable[str]) -> tuple[list[str], list[str]]:
    """The kinds of files that are networks, and those, by the networks' kinds, that decode themselves.

    ValueError where the network that a decoded file is made of is not among them.
    """
    kinds = list(kinds)
    networks = [kind for kind in kinds if not kind.startswith(bundle.DECODED)]
    decoding = [kind.removeprefix(bundle.DECODED) for kind in kinds if kind.startswith(bundle.DECODED)]
    if missing := sorted(set(decoding) - set(networks)):
        name = bundle.DECODED + missing[0]
        raise ValueError(f"export.files: found {name} without {missing[0]}, the network in it; add that")
    return networks, decoding


def add(folder: Path | str, kind: str) -> Path:
    """The path of the file `decoded_KIND.tflite` that is put beside a bundle's file of that kind, "int8" for instance.

    ValueError where its decoder cannot be had in a graph.
    """
    folder = Path(folder)
    content = (folder / bundle.FILES[kind]).read_bytes()
    return bundle.add(folder, bundle.DECODED + kind, decoded(content, specs.load(folder / bundle.SPEC)))


def decoded(network: bytes, spec: PoseSpec) -> bytes:
    """The file of a network with the decoder of its specification: an image in, people out, of built-in operations.

    Its outputs are those of `in_graph_decoders.decoder`.
    """
    return join.joined(network, decoder(spec, join.outputs(network)))


def decoder(spec: PoseSpec, shapes: dict[str, tuple[int, ...]]) -> bytes:
    """The .tflite file of a decoder alone: a network's outputs of these shapes, float32, to people."""
    call = in_graph_decoders.decoder(spec)
    given = {name: tf.TensorSpec(shape, tf.float32) for name, shape in shapes.items()}
    return converted(lambda **maps: call(maps), given)


def converted(call: Callable[..., dict], inputs: dict[str, tf.TensorSpec]) -> bytes:
    """The .tflite file of a function of named tensors, of built-in operations; its outputs are named too."""
    names = sorted(inputs)

    @tf.function(
        input_signature=[tf.TensorSpec(inputs[n].shape, inputs[n].dtype, name=n) for n in names], autograph=False
    )
    def run(*values):
        return call(**dict(zip(names, values, strict=True)))

    traced = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], tf.Module())
    return converter.run(traced, "float32")
