"""Where a run computes: distribution strategy, precision and seeds."""

import keras
import tensorflow as tf


def strategy(devices: str) -> tf.distribute.Strategy:
    """The strategy of `train.devices`: auto, cpu, gpu or mirrored. ValueError: gpu, and none is there."""
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return tf.distribute.get_strategy()
    if devices == "gpu" and not gpus:
        raise ValueError("train.devices: gpu, but TensorFlow sees none here; use train.devices=cpu or auto")
    if devices == "mirrored" or (devices == "auto" and len(gpus) > 1):
        kind = "GPU" if gpus else "CPU"
        return tf.distribute.MirroredStrategy([d.name for d in tf.config.list_logical_devices(kind)])
    return tf.distribute.get_strategy()


def seed(value: int) -> None:
    """Seeds Python, NumPy, TensorFlow and Keras."""
    keras.utils.set_random_seed(value)


def compiler() -> bool | str:
    """`jit_compile` for this machine: only on a GPU, because XLA is slower than plain kernels on a CPU."""
    return "auto" if tf.config.get_visible_devices("GPU") else False
