"""Two workers are one process: real processes on this machine, which learn the same weights and survive each other."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import test_system_contract as contract
import tiny
import worker

from tfpose import yaml_config
from tfpose.train import loop

ROOT = Path(__file__).resolve().parent.parent
PATH = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
# A worker has one core, so that two of them are not four threads that wait for each other.
TRAIN = """
import os, sys
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(sys.argv.pop(1)) % len(os.sched_getaffinity(0))]})
from tfpose.cli import main
sys.exit(main())
"""
RECIPE = ("train.optimizer={name: sgd, learning_rate: 0.3}", "augment.half_body=0", "train.epochs=6")


def ports() -> list[str]:
    """Two that are free."""
    with socket.socket() as one, socket.socket() as two:
        for s in (one, two):
            s.bind(("127.0.0.1", 0))
        return [str(s.getsockname()[1]) for s in (one, two)]


def trained(system, number, folder, free):
    command = [sys.executable, "tests/worker.py", str(number), free, str(folder), system]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | PATH, stderr=subprocess.PIPE, text=True)


def of_workers(system, folder):
    """What two workers learnt, and one process."""
    free = ",".join(ports())
    processes = [trained(system, number, folder, joined) for number, joined in enumerate((free, free, ""))]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, errors
    return [np.load(folder / f"{system}_{number}.npz") for number in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("system", contract.kinds([*contract.OPTIONS, worker.WHOLE]))
def test_two_workers_learn_the_weights_and_log_the_losses_of_one_process(system, tmp_path):
    first, second, one = of_workers(system, tmp_path)
    for name in one.files:
        np.testing.assert_array_equal(first[name], second[name])
        exact = name.startswith("weight")  # losses are of 32 bits
        np.testing.assert_allclose(first[name], one[name], rtol=1e-9 if exact else 1e-5, atol=1e-9 if exact else 0)
    kernels = [i for i in range(len(one.files)) if np.ndim(one.get(f"weight_{i}")) > 1]
    moved = max(np.abs(one[f"weight_{i}"] - one[f"first_{i}"]).max() for i in kernels)
    assert moved > 1e-3 and one["loss"][-1] < one["loss"][0]


class Workers:
    """`tfpose train` in two processes, with the same folder."""

    def __init__(self, config: Path, folder: Path):
        addresses, self.folder = [f"127.0.0.1:{port}" for port in ports()], folder
        self.processes = []
        for number in range(2):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
            command = [sys.executable, "-c", TRAIN, str(number), "train", str(config), "--workdir", str(folder)]
            environment = os.environ | PATH | {"TF_CONFIG": json.dumps(task)}
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            self.processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, **options))

    def signal_second(self, number: int, epochs: int) -> None:
        """Sends the second worker a signal when so many epochs are logged."""
        log = self.folder / "log.csv"
        while not (log.is_file() and len(log.read_text().splitlines()) > epochs) and self.processes[1].poll() is None:
            time.sleep(0.01)
        os.kill(self.processes[1].pid, number)

    def silence_second(self, epochs: int) -> None:
        """Has the second worker do nothing for twice as long as TensorFlow would wait, when so many are logged."""
        self.signal_second(signal.SIGSTOP, epochs)
        time.sleep(20)
        os.kill(self.processes[1].pid, signal.SIGCONT)

    def ended(self) -> tuple[list[int], list[str], list[str]]:
        """Exit codes, what was said and what went wrong."""
        said = [process.communicate() for process in self.processes]
        return [process.returncode for process in self.processes], [s[0] for s in said], [s[1] for s in said]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of one process and of two workers, of which one was killed, then asked to stop, then held up."""
    folder, said = tmp_path_factory.mktemp("workers"), {}
    loop.train(tiny.config(*RECIPE), folder / "one")
    file = folder / "config.yaml"
    file.write_text(yaml_config.dump(tiny.config(*RECIPE, "train.devices=multiworker")))
    happens = {
        "killed": lambda workers: workers.signal_second(signal.SIGKILL, 1),
        "asked": lambda workers: workers.signal_second(signal.SIGTERM, 3),
        "whole": lambda workers: workers.silence_second(4),
    }
    for name, happen in happens.items():
        workers = Workers(file, folder / "two")
        happen(workers)
        said[name] = workers.ended()
    return folder / "one", folder / "two", said


@pytest.mark.slow
def test_a_worker_whose_other_was_killed_ends_with_a_line_that_says_so(runs):
    codes, _, errors = runs[2]["killed"]
    assert codes == [1, -signal.SIGKILL]
    assert "another worker has ended" in errors[0].splitlines()[-1] and "Traceback" not in errors[0]


@pytest.mark.slow
def test_both_workers_end_with_zero_where_one_was_asked_to_stop(runs):
    codes, said, _ = runs[2]["asked"]
    assert codes == [0, 0] and all("asked to stop: saved after" in text for text in said)


@pytest.mark.slow
def test_workers_wait_for_one_that_is_silent_for_twenty_seconds(runs):
    assert runs[2]["whole"][0] == [0, 0], runs[2]["whole"][2]


@pytest.mark.slow
def test_workers_go_on_to_the_weights_and_the_log_of_one_process(runs):
    one, two = (keras.models.load_model(f / "network.keras", compile=False).get_weights() for f in runs[:2])
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)
    one, two = (np.genfromtxt(f / "log.csv", delimiter=",", names=True) for f in runs[:2])
    for name in one.dtype.names:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)


@pytest.mark.slow
def test_one_worker_alone_writes_and_talks(runs):
    assert {f.name for f in runs[0].iterdir()} == {f.name for f in runs[1].iterdir()}
    assert len({f.name.rsplit(".", 2)[1] for f in (runs[1] / "tensorboard").iterdir()}) >= 1
    _, said, errors = runs[2]["whole"]
    assert "parameters" in said[0] and "parameters" not in said[1] and "epoch" not in errors[1]
