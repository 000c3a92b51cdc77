"""Where a run computes: distribution strategy, threads, precision and seeds."""

import contextlib
import os

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


def threads() -> None:
    """Has a machine without GPU compute two operations side by side, each on half of its cores.

    TensorFlow gives all cores to every operation in turn. The operations of a pose network are small and many do not
    wait for each other, a gradient's two halves for instance: side by side a step takes two thirds of the time.
    Where TensorFlow has begun to compute, its threads stay as they are.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2 or tf.config.list_physical_devices("GPU"):
        return
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.threading.set_intra_op_parallelism_threads(cores // 2)


def seed(value: int) -> None:
    """Seeds Python, NumPy, TensorFlow and Keras."""
    keras.utils.set_random_seed(value)


def compiler() -> bool | str:
    """`jit_compile` for this machine: only on a GPU, because XLA is slower than plain kernels on a CPU."""
    return "auto" if tf.config.get_visible_devices("GPU") else False
