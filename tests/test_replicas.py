"""Several replicas are one: the same global batch gives the same weights on two devices as on one."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfpose import yaml_config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
TRAIN = """
import sys
from pathlib import Path
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfpose import yaml_config
from tfpose.train import loop, schedules
schedules.BETTER = 2.0  # no loss is ever so much lower: the rate falls after every validation but the first
import asked
one, two = (yaml_config.load(sys.argv[1], (f"train.devices={devices}",)) for devices in ("cpu", "mirrored"))
loop.train(one, Path(sys.argv[2]) / "cpu")
loop.train(two, Path(sys.argv[2]) / "mirrored")
asked.train(one, Path(sys.argv[2]) / "moved", 8)
loop.train(two, Path(sys.argv[2]) / "moved")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders: of a run on one device, of the same on two, and of one that went on there in its second epoch."""
    folder = tmp_path_factory.mktemp("replicas")
    # Adam would turn rounding in gradients of zero into whole steps.
    options = ("train.optimizer={name: sgd, learning_rate: 0.3}", "train.pictures=0", "augment.half_body=0")
    options += ("train.epochs=3", "train.schedule={name: plateau, patience: 1, factor: 0.5}")
    (folder / "config.yaml").write_text(yaml_config.dump(tiny.config(*options)))
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder / "config.yaml"), str(folder)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "9 steps, 1 replica(s)" in done.stdout and "9 steps, 2 replica(s)" in done.stdout
    assert "continuing after step 2 of epoch 2, after epoch 1 of 3" in done.stdout
    return folder / "cpu", folder / "mirrored", folder / "moved"


OTHERS = pytest.mark.parametrize("other", [1, 2], ids=["two devices", "moved to two"])


@OTHERS
def test_two_devices_learn_the_weights_of_one(runs, other):
    one, two = (keras.models.load_model(runs[i] / "network.keras", compile=False).get_weights() for i in (0, other))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)


@OTHERS
def test_two_devices_log_the_losses_of_one(runs, other):
    one, two = (np.genfromtxt(runs[i] / "log.csv", delimiter=",", names=True) for i in (0, other))
    assert one.dtype.names == two.dtype.names and one["loss"][1] < one["loss"][0]
    for name in one.dtype.names:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)


@OTHERS
def test_the_rate_falls_on_both_devices_alike(runs, other):
    one, two = (np.genfromtxt(runs[i] / "log.csv", delimiter=",", names=True)["learning_rate"] for i in (0, other))
    np.testing.assert_allclose(one, [0.3, 0.3, 0.15], rtol=1e-6)
    np.testing.assert_array_equal(one, two)
