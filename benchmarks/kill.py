"""A run that is killed at random moments ends with the weights of one that nothing happened to.

python -m benchmarks.kill --kills 20

A small network trains in a process of its own, which gets SIGKILL or SIGTERM after a random time, again and again; then
it trains to the end. Exit code 1 where a single number differs from those of an undisturbed run.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tfpose import yaml_config
from tfpose.train import loop

OPTIONS = (
    "system={name: ppnet, size: [64, 48], depth: 1, depth_ratio: 1, branches: 2, strides: [2], width: 8}",
    "system.stem_width=8",
    "system.stem_blocks=1",
    "system.stem_out=16",
    "system.init=he",
    "data={format: synthetic, count: [48, 8]}",
    "train={batch: 4, pictures: 0, average: 0.9, optimizer: {name: adam, learning_rate: 1e-3}}",
    "train.schedule={name: cosine, warmup_steps: 3}",
)


def start(config, folder: Path) -> int:
    """The number of a process that trains; what it says goes into a file. TensorFlow is imported once, for all."""
    if number := os.fork():
        return number
    code = 1
    try:
        with (folder.parent / "said.txt").open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        loop.train(config, folder)
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code)


def ended(number: int) -> int:
    """Its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def whole(config, folder: Path) -> tuple[float, float]:
    """The seconds that an undisturbed run takes to its first checkpoint, and to its end."""
    begun, first, number = time.monotonic(), None, start(config, folder)
    while os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if first is None and (folder / "checkpoint.npz").is_file():
            first = time.monotonic() - begun
        time.sleep(0.02)
    if ended(number):
        raise ValueError(f"the undisturbed run failed: see {folder.parent / 'said.txt'}")
    return first, time.monotonic() - begun


def disturbed(config, folder: Path, kills: int, longest: float, chance: random.Random) -> dict[str, int]:
    """How many processes each signal ended, and how many were left to themselves and ended by themselves."""
    found = {"SIGKILL": 0, "SIGTERM": 0}
    while sum(found.values()) < kills:
        number, which = start(config, folder), chance.choice([signal.SIGKILL, signal.SIGTERM])
        time.sleep(chance.uniform(0, longest))
        os.kill(number, which)
        if (code := ended(number)) not in (0, -which):
            raise ValueError(f"exit code {code} after {which.name}: see {folder.parent / 'said.txt'}")
        found[which.name] += 1
    if ended(start(config, folder)):
        raise ValueError(f"the last run failed: see {folder.parent / 'said.txt'}")
    return found


def difference(one: Path, other: Path) -> float:
    """The largest of any weight or number of the optimizer, in two checkpoints of as many steps."""
    with np.load(one / "checkpoint.npz") as a, np.load(other / "checkpoint.npz") as b:
        if a.files != b.files or str(a["state"]) != str(b["state"]):
            return float("inf")
        return max(float(np.abs(a[name] - b[name]).max()) for name in a.files if name != "state")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = f"data.folder={folder / 'people'}"
        config = yaml_config.defaults((*OPTIONS, data, f"train.epochs={options.epochs}"))
        first, seconds = whole(config, folder / "whole")
        print(f"undisturbed: {first:.1f} s to the first checkpoint, {seconds:.1f} s to the end", flush=True)
        begun = time.monotonic()
        found = disturbed(config, folder / "killed", options.kills, 1.5 * first, random.Random(options.seed))
        gap = difference(folder / "whole", folder / "killed")
        places = (folder / "said.txt").read_text().count("asked to stop: saved after step")
    each = ", ".join(f"{count} x {name}" for name, count in found.items())
    print(f"{each}, {places} of them saved within an epoch; {time.monotonic() - begun:.0f} s; largest difference {gap}")
    return int(gap > 0)


if __name__ == "__main__":
    sys.exit(main())
