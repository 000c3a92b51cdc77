"""A float .tflite file with ranges -> one that computes in integers of 8 or of 16 bits.

8 bits are the converter's work, given ranges that are right and the layers that stay float. 16 bits are
ai-edge-quantizer's: the converter (TensorFlow 2.21) rounds a bias once where layers share it, so that heads called on
several levels come out wrong.
"""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

# What TFLiteConverter itself calls once it has calibrated; it takes no ranges from outside, and no names of layers.
from tensorflow.lite.python.convert import mlir_quantize

from tfpose.export import converter, flatbuffer

Ranges = dict[int, tuple[float, float]]


def int8(content: bytes, ranges: Ranges, kept: Collection[str] = (), image: tf.DType = tf.uint8) -> bytes:
    """The file with 8-bit weights (per channel) and values, `image` in, float32 out.

    What writes the tensors named in `kept` stays float32. ValueError where the quantizer fails.
    """
    try:
        with converter.quiet():
            content = flatbuffer.with_ranges(content, ranges)
            return bytes(mlir_quantize(content, input_data_type=image, denylisted_nodes=[*kept]))
    except Exception as error:  # the quantizer's own types are private
        raise ValueError(f"export: int8: the quantizer failed: {' '.join(str(error).split())[:200]}") from error


def int16(content: bytes, ranges: Ranges) -> bytes:
    """The file with 8-bit weights (per channel) and 16-bit values, int16 in, float32 out.

    ValueError where ai-edge-quantizer is missing.
    """
    try:
        from ai_edge_quantizer import qtyping, quantizer, recipe_manager
    except ImportError as error:
        raise ValueError("export: int16 needs ai-edge-quantizer; run `pip install 'tfpose[quantize]'`") from error
    recipe, operation = recipe_manager.RecipeManager(), qtyping.TFLOperationName
    recipe.add_static_config(".*", operation.ALL_SUPPORTED, activation_num_bits=16, weight_num_bits=8)
    recipe.add_quantization_config(".*", operation.OUTPUT, algorithm_key="no_quantize")
    work = quantizer.Quantizer(content, recipe.get_quantization_recipe())
    quiet = {"enable_progress_bar": False, "enable_progress_report": False}
    return bytes(work.quantize(statistics(content, ranges), **quiet).quantized_model)


def statistics(content: bytes, ranges: Ranges) -> dict:
    """The ranges of a file's tensors as ai-edge-quantizer has them, by the tensors' names."""
    tensors = flatbuffer.read(content).subgraphs[0].tensors
    found = {}
    for i, ends in ranges.items():
        low, high = (np.full([1] * len(tensors[i].shape), end, np.float32) for end in ends)
        found[tensors[i].name.decode()] = {"min": low, "max": high}
    return found
