"""TensorFlow's converter to .tflite files, as it is used here: built-in operations alone, and quiet unless it fails."""

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

import tensorflow as tf

FLOAT = ("float32", "float16", "dynamic")


def run(converter: tf.lite.TFLiteConverter, kind: str) -> bytes:
    """The bytes of a float32, float16 or dynamic file (8-bit weights, float values) of what `converter` was given.

    ValueError names the operations that are not built into LiteRT, and the layers they come from.
    """
    # With SELECT_TF_OPS a stray operation would pass, and fail on the device.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = [] if kind == "float32" else [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16] if kind == "float16" else []
    try:
        with quiet():
            return converter.convert()
    except Exception as error:  # the converter's own type is private
        raise ValueError(_refusal(kind, str(error))) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the lines that the converter writes past Python for its own developers, and without its warnings."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as unread, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls its own parts deprecated
            os.dup2(unread.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _refusal(kind: str, message: str) -> str:
    """One line out of the converter's many: the operations that are not built in, and the layers they come from."""
    refused = [line for line in message.splitlines() if "op is neither a custom op nor a flex op" in line]
    places = [re.search(r'"([^"@]+)@[^"]*".*(tf\.\w+)\' op is neither', line) for line in refused]
    found = sorted({f"{place[2]} in {place[1]}" for place in places if place})
    if not found:
        return f"export: {kind}: the converter failed: {message.strip().splitlines()[0]}"
    return f"export: {kind}: found {', '.join(found)}, expected built-in operations of LiteRT; use other layers there"
