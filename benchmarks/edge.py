"""Milliseconds of configurations' networks on edge files, untrained: speed does not depend on what was learnt.

    python -m benchmarks.edge configs/ppnet/m2-d2-w32_256x192_coco.yaml configs/ppnet/m2-d1-w40_192x144_coco.yaml \\
        --peer movenet_single_pose_lightning_ptq.tflite

All files take turns on one core, and so does one dense convolution in 8 bits, the peak that an int8 file's rate is a
share of. Milliseconds are the processor's, medians; GMAC are 10^9 multiply-accumulates. Peers are others' .tflite files
that take a uint8 image; some of them decode, too.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tflite import operations, peak
from tfpose import yaml_config
from tfpose.export import tables, tflite
from tfpose.litert import LiteRT
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CORE = {0}
WARMUPS = 3
KINDS = ("float32", "int8")
HEAD = ["network", "GMAC", "float32 ms", "int8 ms", "ratio", "int8 MB", "of int8 peak"]


def main() -> None:
    """Prints a line per configuration and per peer."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("configs", nargs="+", metavar="CONFIG", help="YAML files, and SECTION.OPTION=VALUE for all of them")
    p.add_argument("--peer", type=Path, nargs="+", default=[], metavar="FILE")
    p.add_argument("--runs", type=int, default=50)
    o = p.parse_args()
    overrides = [text for text in o.configs if "=" in text]
    with tempfile.TemporaryDirectory() as folder:
        files = {file.stem: {"int8": file} for file in o.peer}
        for path in (Path(text) for text in o.configs if "=" not in text):
            files[path.stem] = written(path, overrides, Path(folder))
        os.sched_setaffinity(0, CORE)
        calls = {(name, kind): call(file) for name, kinds in files.items() for kind, file in kinds.items()}
        times = medians(calls | {"peak": peak.convolution("int8", 1)}, o.runs)
        print(tables.aligned([HEAD, *(row(name, kinds, times) for name, kinds in files.items())]))


def written(path: Path, overrides: list[str], folder: Path) -> dict[str, Path]:
    """{kind: file} of a configuration's network, float32 and int8, in a folder."""
    config = yaml_config.load(path, tuple(overrides))
    # Values that fade from layer to layer, as the paper's first weights make them, are no values to calibrate on.
    options = replace(config.system, init="he") if hasattr(config.system, "init") else config.system
    method = system(options, skeleton(config.data.skeleton))
    network, files = method.deployed(method.build()), {}
    views = np.random.default_rng(0).integers(0, 256, (4, *method.size, 3), dtype=np.uint8)
    for kind in KINDS:
        files[kind] = folder / f"{path.stem}.{kind}.tflite"
        files[kind].write_bytes(tflite.convert(network, kind, views))
    return files


def call(file: Path) -> Callable:
    """What runs a file once on one thread."""
    network = LiteRT(file, threads=1)
    view = np.zeros((1, *network.size, 3), np.uint8)
    return lambda: network(view)


def medians(calls: dict, runs: int) -> dict:
    """The median milliseconds of processor time of each call; they take turns."""
    times = {name: [] for name in calls}
    for _ in range(WARMUPS + runs):
        for name, one in calls.items():
            start = time.process_time()
            one()
            times[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(found[WARMUPS:])) for name, found in times.items()}


def row(name: str, files: dict[str, Path], times: dict) -> list[str]:
    """The cells of one network."""
    macs, rounded = sum(operations.macs(files["int8"]).values()), times[name, "int8"]
    exact = times.get((name, "float32"))
    rate = (macs / rounded) / (peak.MACS / times["peak"])
    numbers = [f"{exact:.2f}" if exact else "", f"{rounded:.2f}", f"{rounded / exact:.3f}" if exact else ""]
    return [name, f"{macs / 1e9:.3f}", *numbers, f"{files['int8'].stat().st_size / 1e6:.2f}", f"{rate:.0%}"]


if __name__ == "__main__":
    main()
