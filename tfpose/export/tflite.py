"""A .tflite file out of a Keras network: float32, float16, or int8 calibrated on views, of built-in operations only."""

import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tfpose.export import saved_model

KINDS = ("float32", "float16", "int8")


def convert(network: keras.Model, kind: str, views: Iterable[np.ndarray] | None = None) -> bytes:
    """The file's bytes: one signature, `images` (1, H, W, 3) uint8 -> the network's named outputs, float32.

    float16 halves the weights and computes in float32. int8 is integer throughout, weights per channel, calibrated on
    `views` (each (H, W, 3) uint8, as they are served); its input is uint8 with a scale of its own. Its outputs are
    made float32 by the file's last operation, so that all kinds are read alike and nobody has to know a zero point.
    Raises ValueError for an unknown kind, for int8 without views, and for an operation that is not built in.
    """
    if kind not in KINDS:
        raise ValueError(f"export: kind is {kind!r}, expected one of {', '.join(KINDS)}; set it to one of these")
    # The converter can only quantize an input that it has seen as float32.
    network = saved_model.frozen(network, batch=1, dtype="float32" if kind == "int8" else "uint8")
    with tempfile.TemporaryDirectory() as folder:
        saved_model.write(network, folder)
        # Not from_concrete_functions: it leaves variables in the graph, which calibration cannot read.
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        _set(converter, kind, views)
        try:
            with warnings.catch_warnings():
                # Calibration runs the converter's own interpreter, which calls itself deprecated.
                warnings.simplefilter("ignore")
                return converter.convert()
        except Exception as error:  # the converter's own type is private
            raise ValueError(_refusal(kind, str(error))) from error


def _set(converter, kind: str, views: Iterable[np.ndarray] | None) -> None:
    # Built-in operations alone: with SELECT_TF_OPS a stray operation would pass, and fail on the device.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if kind == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        if views is None:
            raise ValueError("export: int8 without views; give some to find the ranges of the network's values")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.representative_dataset = lambda: _samples(views)


def _samples(views: Iterable[np.ndarray]) -> Iterator[dict]:
    for view in views:
        yield {saved_model.INPUT: view[None].astype(np.float32)}


def _refusal(kind: str, message: str) -> str:
    """One line out of the converter's many: the operations that are not built in, and the layers they come from."""
    refused = [line for line in message.splitlines() if "op is neither a custom op nor a flex op" in line]
    places = [re.search(r'"([^"@]+)@[^"]*".*(tf\.\w+)\' op is neither', line) for line in refused]
    found = sorted({f"{place[2]} in {place[1]}" for place in places if place})
    if not found:
        return f"export: {kind}: the converter failed: {message.strip().splitlines()[0]}"
    return f"export: {kind}: found {', '.join(found)}, expected built-in operations of LiteRT; use other layers there"
