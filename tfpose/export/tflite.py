"""A .tflite file out of a Keras network: float, or in integers calibrated on views, of built-in operations only."""

import re
import tempfile
import warnings
from collections.abc import Collection, Iterable

import keras
import numpy as np
import tensorflow as tf

from tfpose.export import flatbuffer, origins, quantize, ranges, saved_model

INTEGER = ("int8", "int16")
KINDS = ("float32", "float16", "dynamic", *INTEGER)


def convert(
    network: keras.Model,
    kind: str,
    views: Iterable[np.ndarray] | None = None,
    *,
    percentile: float = 100.0,
    keep_float: Collection[str] = (),
) -> bytes:
    """The file's bytes: one signature, `images` (1, H, W, 3) uint8 -> the network's named outputs, float32.

    float16 halves the weights and computes in float32; dynamic has 8-bit weights and computes with values that it
    rounds by their own range each time. int8 and int16 are integer throughout, 8-bit weights per channel, ranges found
    on `views` (each (H, W, 3) uint8, as they are served); their input has a scale of its own (int16 is given int16). Of
    an int8 file's values `percentile` per cent are within the range, and the layers of `keep_float` stay float32.
    Outputs are made float32 by the file's last operation, so that all kinds are read alike and nobody has to know a
    zero point. Raises ValueError for an unknown kind, for int8 without views, for a layer that there is not, and for
    an operation that is not built in.
    """
    if kind not in KINDS:
        raise ValueError(f"export: kind is {kind!r}, expected one of {', '.join(KINDS)}; set it to one of these")
    if kind not in INTEGER:
        return converted(network, kind, "uint8")
    if views is None:
        raise ValueError(f"export: {kind} without views; give some to find the ranges of the network's values")
    # Only an input that the quantizer has seen as float32 can be quantized.
    content = converted(network, "float32", "float32")
    if kind == "int16":
        return quantize.int16(content, ranges.find(content, views))
    kept = origins.tensors(flatbuffer.read(content), network, keep_float)
    return quantize.int8(content, ranges.find(content, views, percentile), kept)


def converted(network: keras.Model, kind: str, image: str) -> bytes:
    """The bytes of a float32, float16 or dynamic file whose input is of dtype `image`."""
    with tempfile.TemporaryDirectory() as folder:
        saved_model.write(saved_model.frozen(network, batch=1, dtype=image), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        # Built-in operations alone: with SELECT_TF_OPS a stray operation would pass, and fail on the device.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.optimizations = [] if kind == "float32" else [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16] if kind == "float16" else []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the converter calls its own parts deprecated
                return converter.convert()
        except Exception as error:  # the converter's own type is private
            raise ValueError(_refusal(kind, str(error))) from error


def _refusal(kind: str, message: str) -> str:
    """One line out of the converter's many: the operations that are not built in, and the layers they come from."""
    refused = [line for line in message.splitlines() if "op is neither a custom op nor a flex op" in line]
    places = [re.search(r'"([^"@]+)@[^"]*".*(tf\.\w+)\' op is neither', line) for line in refused]
    found = sorted({f"{place[2]} in {place[1]}" for place in places if place})
    if not found:
        return f"export: {kind}: the converter failed: {message.strip().splitlines()[0]}"
    return f"export: {kind}: found {', '.join(found)}, expected built-in operations of LiteRT; use other layers there"
