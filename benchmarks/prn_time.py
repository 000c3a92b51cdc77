"""How long it takes to say whose keypoint is whose, on one core: the Pose Residual Network and the assignment network.

    python -m benchmarks.prn_time            medians of an image with 1, 5 and 20 people, all of them in one batch

They are medians of processor time on one thread, so that other work on the machine does not count. The Pose Residual
Network of the paper (1,024 nodes, 70 million weights) runs in NumPy, as a float32 and a dynamic .tflite file (weights
of 8 bits) that `tfpose export` makes; the assignment network of configs/prn runs in NumPy. Weights are drawn: the time
does not depend on them. The paper says that its network takes about 2 ms a person, on a GPU.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

# Before NumPy is imported: one core is one thread.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

from tfpose import label_runners, yaml_config
from tfpose.decode import owners
from tfpose.export import labels
from tfpose.runners import last_stage
from tfpose.skeleton import COCO17
from tfpose.systems.base import system

PEOPLE = (1, 5, 20)
PAPER = 2.0  # ms a person: Kocabas et al. 2018, the runtime analysis
CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "prn"


def main() -> None:
    """Prints a row for each way to run a network, a column for each number of people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="calls of which the median is taken (default: 20)")
    runs = parser.parse_args().runs
    print(f"{'ms an image of':<36}" + "".join(f"{people:>10}" for people in PEOPLE) + "  people")
    with tempfile.TemporaryDirectory() as folder:
        rows = {**ways("1024_coco", ("float32", "dynamic"), Path(folder)), **ways("assignment_coco", (), Path(folder))}
        for name, prepare in rows.items():
            times = [median(prepare(*scene(people)), runs) for people in PEOPLE]
            print(f"{name:<36}" + "".join(f"{ms:10.2f}" for ms in times), flush=True)
    print(f"{'the paper, on a GPU':<36}" + "".join(f"{PAPER * people:10.2f}" for people in PEOPLE))


def ways(name: str, kinds: tuple[str, ...], folder: Path) -> dict:
    """{what: function of candidates and boxes} of a configuration: what its network sees, every way to run that."""
    method = system(yaml_config.load(CONFIGS / f"{name}.yaml").system, COCO17)
    network = method.deployed(method.build((None, None)))
    bundle = labels.write(network, method.spec(1.0), method.layout(), folder / name, kinds)
    asked, run = owners.load(bundle / owners.FILE, COCO17)
    runs = {"NumPy": run}
    for kind in kinds:
        runs[f"{kind} .tflite"] = label_runners.load(bundle / f"{kind}.tflite", COCO17, last_stage, threads=1)
    found = {f"{name}: its inputs": lambda candidates, boxes: lambda: asked.inputs(candidates, boxes)}
    for what, one in runs.items():
        found[f"{name}: {what}"] = prepared(asked, one)
    return found


def prepared(asked: owners.Owners, run):
    """A function of candidates and boxes that gives the call of the network alone."""

    def prepare(candidates: np.ndarray, boxes: np.ndarray):
        inputs = asked.inputs(candidates, boxes)
        return lambda: run(inputs)

    return prepare


def scene(people: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates (N, 4) and boxes (P, 4) of people who stand in one another's way, with all their keypoints."""
    draw = np.random.default_rng(people)
    boxes = np.column_stack([60.0 * np.arange(people), draw.uniform(0, 40, people), np.full((people, 2), (100, 250))])
    points = boxes[:, None, :2] + draw.uniform(0, 1, (people, COCO17.count, 2)) * boxes[:, None, 2:]
    kinds = np.tile(np.arange(COCO17.count), people)
    return np.column_stack([kinds, points.reshape(-1, 2), np.ones(len(kinds))]), boxes


def median(call, runs: int) -> float:
    """The median milliseconds of processor time of a call, after two that do not count."""
    times = []
    for _ in range(runs + 2):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times[2:]))


if __name__ == "__main__":
    main()
