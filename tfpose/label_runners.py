"""A file of a network of labels -> run: named inputs -> named outputs, by NumPy, Keras or LiteRT.

The inputs are those of `decode.owners`, all boxes of an image at once; inputs and outputs are float32. Of outputs named
by stages, "boxes/0", "boxes/1" ..., the last comes back as "boxes".
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfpose.decode import owners
from tfpose.skeleton import Skeleton

Run = Callable[[dict], dict[str, np.ndarray]]


def load(path: Path, skeleton: Skeleton, last_stage: Callable, threads: int) -> Run:
    """The run of an .npz, a .keras or a .tflite; ValueError where it is none of these or a library is missing."""
    if path.suffix == ".npz":
        return owners.load(path, skeleton)[1]
    if path.suffix == ".keras":
        return keras_file(path, last_stage)
    if path.suffix == ".tflite":
        return litert(path, threads)
    raise ValueError(f"{path}: a network of labels runs from an .npz, a .keras or a .tflite")


def keras_file(path: Path, last_stage: Callable) -> Run:
    """Runs a `.keras` file, compiled for any number of boxes and keypoints."""
    try:
        import keras
    except ImportError as error:
        raise ValueError(f"{path}: needs Keras and TensorFlow: pip install 'tfpose[train]' ({error})") from error
    return network(keras.saving.load_model(path, compile=False), last_stage)


def network(model, last_stage: Callable) -> Run:
    """Runs a keras.Model that is in memory, compiled for any number of boxes and keypoints."""
    import tensorflow as tf

    several = isinstance(model.input, dict)

    @tf.function(reduce_retracing=True, autograph=False)
    def call(inputs):
        seen = {name: inputs[name] for name in model.input} if several else inputs[model.input.name]
        return last_stage(model(seen, training=False))

    return lambda inputs: {name: values.numpy() for name, values in call(inputs).items()}


def litert(path: Path, threads: int) -> Run:
    """Runs a `.tflite` file whose batch is free."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ValueError(f"{path}: needs LiteRT; run `pip install ai-edge-litert`") from error
    runner = Interpreter(model_path=str(path), num_threads=threads).get_signature_runner()
    return lambda inputs: runner(**inputs)
