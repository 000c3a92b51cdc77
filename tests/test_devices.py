"""Where a run computes: on which device, with how many threads, and from which seed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfpose.train import devices

# Threads are chosen once in a process, before TensorFlow computes: each situation in turn, then what was chosen.
SITUATIONS = """
import json, os
import tensorflow as tf
from tfpose.train import devices

found, chosen = {}, tf.config.threading
list_devices = tf.config.list_physical_devices


def look(name, cores, gpus=()):
    os.sched_getaffinity = lambda process: range(cores)
    tf.config.list_physical_devices = lambda kind=None: list(gpus) if kind == "GPU" else list_devices(kind)
    devices.threads()
    found[name] = [chosen.get_inter_op_parallelism_threads(), chosen.get_intra_op_parallelism_threads()]


look("one core", 1)
look("a gpu", 8, ["a gpu"])
look("seven cores", 7)
look("eight cores", 8)
tf.constant(1) + 1
look("begun", 16)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def threads():
    """{situation: the operations side by side, and the threads of each; 0 where TensorFlow may choose}."""
    done = subprocess.run([sys.executable, "-c", SITUATIONS], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_two_operations_share_the_cores(threads):
    assert threads["eight cores"] == [2, 4] and threads["seven cores"] == [2, 3]


def test_one_core_and_a_gpu_are_left_to_tensorflow(threads):
    assert threads["one core"] == threads["a gpu"] == [0, 0]


def test_threads_stay_as_they_are_once_tensorflow_has_begun(threads):
    assert threads["begun"] == threads["eight cores"]


def test_a_gpu_that_is_asked_for_and_not_there_is_said_with_what_to_do():
    with pytest.raises(
        ValueError, match=r"^train\.devices: gpu, but TensorFlow sees none here; use train\.devices=cpu"
    ):
        devices.strategy("gpu")


def test_without_gpus_auto_and_cpu_are_one_replica_of_plain_kernels():
    assert [devices.strategy(name).num_replicas_in_sync for name in ("auto", "cpu")] == [1, 1]
    assert not isinstance(devices.strategy("auto"), tf.distribute.MirroredStrategy)
    assert devices.compiler() is False


def test_workers_without_a_cluster_and_a_tpu_that_is_not_there_are_said_with_what_to_do(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID", "TFPOSE_WORKERS", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"^train\.devices: multiworker, but nothing says who the workers are"):
        devices.strategy("multiworker")
    with pytest.raises(ValueError, match=r"^train\.devices: tpu, but none is found as 'local' .*; set TPU_NAME"):
        devices.strategy("tpu")


def test_xla_is_there_when_it_is_asked_for():
    assert [devices.compiler(jit) for jit in ("auto", "always", "never")] == [False, True, False]


def test_mirrored_is_a_replica_for_each_device_that_is_there():
    strategy = devices.strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))


def test_the_same_seed_draws_the_same_numbers_everywhere():
    def drawn(value):
        devices.seed(value)
        return np.random.random(), float(tf.random.uniform(()))

    assert drawn(3) == drawn(3) != drawn(4)
