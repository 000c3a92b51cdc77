"""The bundle of a network that sees labels alone: pose.json, network.keras, assign.npz for NumPy, and .tflite files.

The .tflite files take any number of boxes at once. There is none of integers throughout: probabilities of 2,016 cells,
most of them far below 1/256, would all be zero as bytes. Weights are nearly all that there is to read and to compute
with, and `dynamic` has those in 8 bits.
"""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfpose import runners
from tfpose import spec as specs
from tfpose.decode import owners
from tfpose.export import bundle, converter, verify
from tfpose.export.verify import Report, Row
from tfpose.spec import PoseSpec

KINDS = converter.FLOAT
# Errors as shares of the range of Keras's output.
LIMITS = {bundle.ASSIGN: (1e-2, 1e-3), "float32": (1e-4, 1e-5), "float16": (1e-2, 1e-3), "dynamic": (0.1, 0.01)}


def write(network: keras.Model, spec: PoseSpec, layout: dict, folder: Path, kinds: Iterable[str]) -> Path:
    """The folder, with the deployed network as network.keras, as the file of `decode.owners`, and in the given kinds.

    `layout` is what `owners.save` must know. ValueError for a kind that there is none of, and for a .tflite of the
    assignment network, of which NumPy is all that is needed.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"export.files: a network of labels has no {unknown[0]}; choose from {', '.join(KINDS)}")
    if kinds and layout["network"] != "residual":
        raise ValueError("export.files: the assignment network ships as assign.npz, for NumPy; set export.files=[]")
    bundle.clear(folder)
    network.save(folder / bundle.KERAS)
    owners.save(folder / owners.FILE, layout, {w.path: np.asarray(w) for w in network.weights})
    files = {"keras": bundle.KERAS, bundle.ASSIGN: owners.FILE}
    for kind in kinds:
        files[kind] = bundle.FILES[kind]
        (folder / files[kind]).write_bytes(convert(network, kind))
    described = {name: bundle.describe(folder / name, kind) for kind, name in files.items()}
    replace(spec, files=described, versions=bundle.versions()).save(folder / bundle.SPEC)
    return folder


def convert(network: keras.Model, kind: str) -> bytes:
    """A .tflite file's bytes, of built-in operations: named inputs of any batch -> named outputs, float32."""
    signature = [tf.TensorSpec(i.shape, i.dtype, name=i.name) for i in network.inputs]
    call = tf.function(lambda *inputs: network(*inputs, training=False), input_signature=signature, autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.weights = [variable.value for variable in network.variables]
        tf.saved_model.save(module, folder, {"serving_default": call.get_concrete_function()})
        saved = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        return converter.run(saved, kind)


def check(folder: Path, samples: Iterable[dict], evaluate: Callable[[Path], float], *, drop: float, show) -> Report:
    """Every file of a bundle beside its network.keras, on named inputs and by `evaluate` (0 to 1); the table is shown.

    ValueError where a file is not the one that pose.json describes, differs by more than its kind may, or loses more
    than `drop` of the figure.
    """
    files = {name: what for name, what in specs.load(folder / bundle.SPEC).files.items() if name != bundle.KERAS}
    samples, rows = list(samples), []
    truth = _outputs(folder / bundle.KERAS, samples)
    for name, what in files.items():
        verify.check(folder / name, what)
        found, figure = _outputs(folder / name, samples), evaluate(folder / name)
        for output, expected in truth.items():
            errors = verify.difference(expected, found[output])
            rows.append(Row(name, what["kind"], what["bytes"], output, *errors, None, figure))
    report = Report(tuple(rows), evaluate(folder / bundle.KERAS))
    show(report.table())
    limits = {kind: verify.Limit(*limit, 0.0) for kind, limit in LIMITS.items()}
    if failures := report.failures(limits, drop):
        raise ValueError(f"{folder}: {'; '.join(failures)}; do not ship it")
    return report


def _outputs(path: Path, samples: list[dict]) -> dict[str, np.ndarray]:
    run = runners.load(path)[1]
    each = [run(inputs) for inputs in samples]
    return {name: np.concatenate([np.ravel(outputs[name]) for outputs in each]) for name in each[0]}
