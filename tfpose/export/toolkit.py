"""tensorflow-model-optimization, without what its import does to everybody else.

It asks for Keras 2 by an environment variable: `tf.keras` would be another package from then on, here and in every
process that this one starts.
"""

import os

import tensorflow as tf

tf.keras.layers  # noqa: B018 - TensorFlow decides when it is first asked, and for good
_asked = os.environ.get("TF_USE_LEGACY_KERAS")

from tensorflow_model_optimization import clustering, sparsity  # noqa: E402
from tensorflow_model_optimization.quantization import keras as quantization  # noqa: E402

if _asked is None:
    os.environ.pop("TF_USE_LEGACY_KERAS", None)

__all__ = ["clustering", "quantization", "sparsity"]
