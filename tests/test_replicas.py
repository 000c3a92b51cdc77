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

ROOT = Path(__file__).resolve().parent.parent
TRAIN = """
import sys
from pathlib import Path
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfpose import yaml_config
from tfpose.train import loop
for devices in ("cpu", "mirrored"):
    loop.train(yaml_config.load(sys.argv[1], (f"train.devices={devices}",)), Path(sys.argv[2]) / devices)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders: of a run on one device, and of the same on two."""
    folder = tmp_path_factory.mktemp("replicas")
    # Adam would turn rounding in gradients of zero into whole steps.
    options = ("train.optimizer={name: sgd, learning_rate: 0.3}", "train.pictures=0", "augment.half_body=0")
    (folder / "config.yaml").write_text(yaml_config.dump(tiny.config(*options)))
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder / "config.yaml"), str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "6 steps, 1 replica(s)" in done.stdout and "6 steps, 2 replica(s)" in done.stdout
    return folder / "cpu", folder / "mirrored"


def test_two_devices_learn_the_weights_of_one(runs):
    one, two = (keras.models.load_model(f / "network.keras", compile=False).get_weights() for f in runs)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)


def test_two_devices_log_the_losses_of_one(runs):
    one, two = (np.genfromtxt(f / "log.csv", delimiter=",", names=True) for f in runs)
    assert one.dtype.names == two.dtype.names and one["loss"][1] < one["loss"][0]
    for name in one.dtype.names:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)
