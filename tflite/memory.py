"""python -m tflite.memory FILE: the memory that a process takes which does nothing but run this .tflite file.

It is asked of a process of its own, since a peak never goes down again.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tfpose.litert import LiteRT

ROOT = Path(__file__).resolve().parent.parent
RUNS = 3


def peak(path: Path, threads: int = 1) -> dict[str, float]:
    """{"process": peak of a whole process in MB, "file": what of that came after LiteRT was loaded} of running a file.

    ValueError where the process fails.
    """
    command = [sys.executable, "-m", "tflite.memory", str(Path(path).resolve()), str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{path}: its memory could not be measured: {done.stderr.strip().splitlines()[-1]}")
    before, after = (float(line) for line in done.stdout.split())
    return {"process": after, "file": after - before}


def most() -> float:
    """The most memory that this process has had so far, in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # What getrusage tells begins with the size of the process that started this one.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(path: str, threads: str) -> None:
    """Prints the peak before the file is loaded and after it has run, each in MB on a line."""
    from ai_edge_litert import interpreter  # noqa: F401

    before = most()
    network = LiteRT(path, int(threads))
    for _ in range(RUNS):
        network(np.zeros((1, *network.size, 3), np.uint8))
    print(before, most(), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
