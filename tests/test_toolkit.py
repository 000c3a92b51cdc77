"""The model optimization toolkit needs another Keras, and nobody else gets it."""

import importlib.util
import os
import subprocess
import sys

import pytest

if not importlib.util.find_spec("tensorflow_model_optimization"):
    pytest.skip("needs the toolkit; pip install 'tfpose[quantize]'", allow_module_level=True)

IMPORT = """
import os
from tfpose.export import aware
from tensorflow import keras
print(keras.version(), os.environ.get("TF_USE_LEGACY_KERAS"))
"""


@pytest.mark.slow
def test_tensorflow_has_keras_3_after_the_toolkit_was_imported_and_so_have_processes_that_are_started_then():
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run([sys.executable, "-c", IMPORT], env=kept, capture_output=True, text=True)
    version, asked = done.stdout.split()[-2:]
    assert version.startswith("3.") and asked == "None"
