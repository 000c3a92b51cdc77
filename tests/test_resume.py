"""Stopped and resumed equals never stopped, to the last bit."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfpose import yaml_config

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "import sys; from tfpose.cli import main; sys.exit(main())"
# The stop falls into the first phase, whose size is not the network's own; the second is reached after it.
PHASES = (
    "train.epochs=4",
    "train.phases=[{start: 0, size: [32, 24], batch: 4}, {start: 3, size: [64, 48], batch: 8}]",
    "train.validate_every=2",
    "augment.brightness=0.1",
)


def start(folder: Path, config: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", COMMAND, "train", str(config), "--workdir", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, **quiet)


def kill_after(process: subprocess.Popen, file: Path) -> None:
    """SIGKILL as soon as a file is there."""
    while not file.is_file() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders: of a run that was never stopped, and of one that was killed after its first epoch and continued."""
    folder = tmp_path_factory.mktemp("resume")
    file = folder / "config.yaml"
    file.write_text(yaml_config.dump(tiny.config(*PHASES)))
    whole, process = start(folder / "whole", file), start(folder / "stopped", file)
    kill_after(process, folder / "stopped" / "checkpoint.npz")
    assert not (folder / "stopped" / "network.keras").exists()
    for process in (start(folder / "stopped", file), whole):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    return folder / "whole", folder / "stopped"


def test_the_weights_of_a_resumed_run_are_those_of_one_that_never_stopped(runs):
    for name in ("network.keras", "best.keras"):
        whole, stopped = (keras.models.load_model(f / name, compile=False).get_weights() for f in runs)
        assert all(np.array_equal(a, b) for a, b in zip(whole, stopped, strict=True))


def test_the_optimizer_of_a_resumed_run_is_that_of_one_that_never_stopped(runs):
    whole, stopped = (np.load(f / "checkpoint.npz") for f in runs)
    assert whole.files == stopped.files and str(whole["state"]) == str(stopped["state"])
    assert all(np.array_equal(whole[name], stopped[name]) for name in whole.files)


def test_the_log_of_a_resumed_run_is_that_of_one_that_never_stopped(runs):
    whole, stopped = ((f / "log.csv").read_text() for f in runs)
    assert whole == stopped
    rows = list(csv.DictReader(whole.splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["val_loss"] != "" for row in rows] == [False, True, False, True]
