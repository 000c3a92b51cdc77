"""Stopped and resumed equals never stopped, to the last bit."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asked
import keras
import numpy as np
import pytest
import tiny

from tfpose import yaml_config
from tfpose.train import feed, loop

pytestmark = pytest.mark.slow  # what a torn checkpoint leaves is tested without a process, in test_faults.py
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


def send_after(process: subprocess.Popen, file: Path, number: int) -> None:
    """A signal as soon as a file is there."""
    while not file.is_file() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, number)
    assert process.wait() in (0, -number), process.stderr.read()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders: of a run that was never stopped, and of one that was killed after its first epoch and continued."""
    folder = tmp_path_factory.mktemp("resume")
    file = folder / "config.yaml"
    file.write_text(yaml_config.dump(tiny.config(*PHASES)))
    whole, process = start(folder / "whole", file), start(folder / "stopped", file)
    send_after(process, folder / "stopped" / "checkpoint.npz", signal.SIGKILL)
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


MORE = ("train.average=0.9", "train.clip_norm=0.1", "train.accumulate=2", "train.pictures=0")


@pytest.fixture(scope="module")
def asked_thrice(tmp_path_factory):
    """Two folders: of a run that was never stopped, and of one that was asked to three times, and what that said."""
    folder, config = tmp_path_factory.mktemp("asked"), tiny.config(*MORE)
    loop.train(config, folder / "whole")
    asked.train(config, folder / "stopped", 1)  # after the first of three steps
    asked.train(config, folder / "stopped", 3)  # in the first validation
    asked.train(config, folder / "stopped", 5)  # after it come the second batch of it, the epoch, and two steps
    loop.train(config, folder / "stopped")
    return folder / "whole", folder / "stopped"


def test_a_run_that_was_asked_to_stop_anywhere_is_one_that_never_stopped(asked_thrice):
    whole, stopped = (np.load(f / "checkpoint.npz") for f in asked_thrice)
    assert whole.files == stopped.files and str(whole["state"]) == str(stopped["state"])
    assert all(np.array_equal(whole[name], stopped[name]) for name in whole.files)
    test_the_weights_of_a_resumed_run_are_those_of_one_that_never_stopped(asked_thrice)
    assert (asked_thrice[0] / "log.csv").read_text() == (asked_thrice[1] / "log.csv").read_text()


def test_the_network_of_a_run_has_the_averages_and_was_validated_with_them(asked_thrice):
    config, folder = tiny.config(*MORE), asked_thrice[0]
    run = loop.assemble(config, folder, loop.devices.strategy("cpu"))
    loop.begin(run)
    averages, saved = loop.Averages(run.trainee), keras.models.load_model(folder / "network.keras", compile=False)
    with averages.there():
        assert all(np.array_equal(a, b) for a, b in zip(run.trainee.network.get_weights(), saved.get_weights()))
        found = run.trainee.evaluate(feed.validation(run, run.timeline.stretches[-1]), return_dict=True, verbose=0)
    logged = list(csv.DictReader((folder / "log.csv").open()))[-1]
    assert found["loss"] == pytest.approx(float(logged["val_loss"]), rel=1e-5)
    assert not np.array_equal(run.trainee.network.get_weights()[0], saved.get_weights()[0])


def test_a_run_that_gets_sigterm_saves_its_step_and_ends_with_zero(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml_config.dump(tiny.config("train.epochs=1000")))
    process = start(tmp_path / "run", file)
    send_after(process, tmp_path / "run" / "checkpoint.npz", signal.SIGTERM)
    assert process.returncode == 0 and not (tmp_path / "run" / "network.keras").exists()
    with np.load(tmp_path / "run" / "checkpoint.npz") as saved:
        assert '"epoch"' in str(saved["state"])
