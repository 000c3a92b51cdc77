"""GPUs and TPUs on a machine that has none: what is asked of TensorFlow for them, and what is said where none is."""

import types

import pytest
import tensorflow as tf

from tfpose.train import devices


@pytest.fixture
def gpus(monkeypatch):
    """Has TensorFlow see so many GPUs; gives the lists of devices that it is asked to mirror."""
    asked = []

    def see(count):
        there = [types.SimpleNamespace(name=f"/device:GPU:{i}") for i in range(count)]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: there if kind == "GPU" else [])
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: there if kind == "GPU" else [])
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names: asked.append(names) or "mirrored")
        return asked

    return see


def test_auto_takes_all_gpus_of_a_machine(gpus):
    asked = gpus(3)
    assert devices.strategy("auto") == "mirrored"
    assert asked == [["/device:GPU:0", "/device:GPU:1", "/device:GPU:2"]]


@pytest.mark.parametrize("name", ["auto", "gpu"])
def test_one_gpu_is_used_as_it_is(gpus, name):
    asked = gpus(1)
    assert devices.strategy(name) is tf.distribute.get_strategy() and not asked


def test_a_tpu_is_connected_and_begun_before_it_is_used(monkeypatch):
    done = []
    monkeypatch.setenv("TPU_NAME", "pose-tpu")
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", lambda tpu: tpu)
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", lambda tpu: done.append(("connect", tpu)))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", lambda tpu: done.append(("begin", tpu)))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda tpu: f"strategy of {tpu}")
    assert devices.strategy("tpu") == "strategy of pose-tpu"
    assert done == [("connect", "pose-tpu"), ("begin", "pose-tpu")]


@pytest.mark.parametrize("error", [ValueError("no metadata"), tf.errors.NotFoundError(None, None, "no TPU")])
def test_a_tpu_that_does_not_answer_is_refused_in_one_line(monkeypatch, error):
    def resolver(tpu):
        assert tpu == "pose-tpu"
        raise error

    monkeypatch.setenv("TPU_NAME", "pose-tpu")
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", resolver)
    with pytest.raises(ValueError, match=r"^train\.devices: tpu, but none is found as 'pose-tpu' .*, or use auto$"):
        devices.strategy("tpu")
