"""A SavedModel in memory: its signatures by name, called with a batch of instances."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2

from tfpose import runners

SERVED = "serving_default"


@dataclass(frozen=True)
class Input:
    """What a signature takes of each instance: a NumPy type, or object for bytes, and a shape with None for free."""

    dtype: np.dtype
    shape: tuple[int | None, ...]


class Model:
    """The newest version in a bundle, called as (signature, instances) -> rows.

    `version` is the name of its folder, `signatures` {name: {input name: Input}}. ValueError where there is none that
    finds people in encoded photos.
    """

    def __init__(self, bundle: Path):
        folder = runners.newest(bundle / "saved_model")
        if folder is None:
            raise ValueError(f"{bundle}: no saved_model/1 in it; export it with export.files=[saved_model]")
        self.version = folder.name
        self._loaded = tf.saved_model.load(str(folder))
        self._calls = dict(self._loaded.signatures)
        self.signatures = {name: _inputs(call) for name, call in self._calls.items()}
        if list(self.signatures[SERVED]) != ["image_bytes"]:
            raise ValueError(
                f"{folder}: gives maps alone, its decoder is not to be had in a graph; `tfpose predict` decodes them"
            )
        self._definitions = _definitions(folder)

    def __call__(self, signature: str, instances: list[dict]) -> list[dict]:
        """A row of {output name: array} for each instance of {input name: bytes or array}."""
        call, inputs = self._calls[signature], self.signatures[signature]
        batch = {name: _joined([i[name] for i in instances], what.dtype) for name, what in inputs.items()}
        outputs = {name: values.numpy() for name, values in call(**batch).items()}
        return [{name: values[i] for name, values in outputs.items()} for i in range(len(instances))]

    def metadata(self, name: str) -> dict:
        """What TensorFlow Serving says of a model's signatures."""
        return {
            "model_spec": {"name": name, "signature_name": "", "version": self.version},
            "metadata": {"signature_def": {"signature_def": self._definitions}},
        }


def _inputs(call) -> dict[str, Input]:
    found = dict(sorted(call.structured_input_signature[1].items()))
    types = {name: np.dtype(spec.dtype.as_numpy_dtype) for name, spec in found.items()}
    return {name: Input(types[name], tuple(spec.shape)[1:]) for name, spec in found.items()}


def _joined(values: list, dtype: np.dtype) -> tf.Tensor:
    return tf.constant(values if dtype.kind == "O" else np.stack(values))


def _definitions(folder: Path) -> dict:
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = content.meta_graphs[0].signature_def.items()
    options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    return {name: json_format.MessageToDict(value, **options) for name, value in found if not name.startswith("__")}
