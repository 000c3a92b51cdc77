"""python -m tfpose.export.cost FILE RUNS: what running a network's file takes on one thread, time and memory.

It is asked of a process of its own: threads are set before the libraries start, and a peak of memory never goes down.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tfpose

WARMUPS = 3


@dataclass(frozen=True)
class Cost:
    """The median milliseconds of a view, and the MB (10^6 bytes) that loading and running it adds to the libraries'.

    They are of processor time, on one thread what a clock shows where nothing else runs: other programs do not count.
    """

    milliseconds: float
    memory: float


def measure(path: Path, runs: int = 20) -> Cost:
    """What a `.tflite` or `.keras` file or a SavedModel takes on one thread; ValueError where the process fails."""
    above = str(Path(tfpose.__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([above, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "tfpose.export.cost", str(Path(path).resolve()), str(runs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{path}: its cost could not be measured: {done.stderr.strip().splitlines()[-1]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def main(path: Path, runs: int) -> None:
    """Prints the cost as JSON."""
    _libraries(path)
    from tfpose import runners

    _forget_peak()
    before = _memory("VmRSS")
    spec, run = runners.load(path, threads=1)
    view, times = np.zeros((1, *spec.size, 3), np.uint8), []
    for _ in range(WARMUPS + runs):
        start = time.process_time()
        run(view)
        times.append(1000 * (time.process_time() - start))
    print(json.dumps({"milliseconds": float(np.median(times[WARMUPS:])), "memory": _memory("VmHWM") - before}))


def _libraries(path: Path) -> None:
    if path.suffix == ".tflite":
        from ai_edge_litert import interpreter  # noqa: F401

        return
    import keras  # noqa: F401
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.constant(0)


def _forget_peak() -> None:
    """What libraries took while they were loaded is not a file's; Linux alone forgets it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory(what: str) -> float:
    """What this process has ("VmRSS"), or has had at most ("VmHWM"), in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what)), 0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
