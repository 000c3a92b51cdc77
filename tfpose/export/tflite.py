"""A .tflite file out of a Keras network: float, or in integers calibrated on views, of built-in operations only."""

import tempfile
from collections.abc import Collection, Iterable

import keras
import numpy as np
import tensorflow as tf

from tfpose.export import converter, flatbuffer, origins, quantize, ranges, saved_model

INTEGER = ("int8", "int16")
KINDS = (*converter.FLOAT, *INTEGER)


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
        saved = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        return converter.run(saved, kind)
