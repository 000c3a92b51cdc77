"""Where a run computes: distribution strategy, threads, precision and seeds."""

import contextlib
import functools
import json
import os

import keras
import tensorflow as tf
from tensorflow.python.eager import context

from tfpose.train import cluster

SILENT = 60  # seconds until a worker counts as lost; TensorFlow's ten are less than a busy machine may take to answer


def strategy(devices: str) -> tf.distribute.Strategy:
    """The strategy of `train.devices`: auto, cpu, gpu, mirrored, multiworker or tpu.

    ValueError: what is asked for is not there, or nothing says who the workers are.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return tf.distribute.get_strategy()
    if devices == "gpu" and not gpus:
        raise ValueError("train.devices: gpu, but TensorFlow sees none here; use train.devices=cpu or auto")
    if devices == "multiworker":
        return _workers()
    if devices == "tpu":
        return _tpu()
    if devices == "mirrored" or (devices == "auto" and len(gpus) > 1):
        kind = "GPU" if gpus else "CPU"
        return tf.distribute.MirroredStrategy([d.name for d in tf.config.list_logical_devices(kind)])
    return tf.distribute.get_strategy()


@functools.cache  # a process joins its cluster once
def _workers() -> tf.distribute.Strategy:
    found = cluster.config(os.environ)
    os.environ["TF_CONFIG"] = json.dumps(found)
    addresses, number = found["cluster"]["worker"], found["task"]["index"]
    print(f"worker {number} of {len(addresses)} at {addresses[number]}, waiting for the others", flush=True)
    joining = context.context()
    patient = functools.partial(joining.configure_coordination_service, heartbeat_timeout_in_ms=1000 * SILENT)
    joining.configure_coordination_service = patient  # nothing public says how long a worker may be silent
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu() -> tf.distribute.Strategy:
    """The TPU that TPU_NAME says, or the one of this machine."""
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise ValueError(
            f"train.devices: tpu, but none is found as {name!r} ({type(error).__name__}); set TPU_NAME, or use auto"
        ) from error


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


def compiler(jit: str = "auto") -> bool | str:
    """`jit_compile` of `train.jit`; auto: only on a GPU, because XLA is slower than plain kernels on a CPU."""
    if jit != "auto":
        return jit == "always"
    return "auto" if tf.config.get_visible_devices("GPU") else False
