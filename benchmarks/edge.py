"""Milliseconds of configurations' networks on edge files, untrained: speed does not depend on what was learnt.

python -m benchmarks.edge configs/ppnet/m2-d2-w32_256x192_coco.yaml configs/ppnet/m2-d1-w32_256x192_coco.yaml
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tflite.measure import measure
from tfpose import yaml_config
from tfpose.export import bundle, tables
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CORE = {0}
HEAD = ["configuration", "GMAC", "float32 ms", "int8 ms", "ratio", "int8 MB", "of int8 peak", "warp ms", "decode ms"]


def main() -> None:
    """Prints a line per configuration: float32 and int8 file, warp and decoder, on one core."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("configs", nargs="+", metavar="CONFIG", help="YAML files, and SECTION.OPTION=VALUE for all of them")
    p.add_argument("--runs", type=int, default=50)
    o = p.parse_args()
    overrides = [text for text in o.configs if "=" in text]
    rows = [row(Path(text), overrides, o.runs) for text in o.configs if "=" not in text]
    print(tables.aligned([HEAD, *rows]))


def row(path: Path, overrides: list[str], runs: int) -> list[str]:
    """The cells of one configuration; its files are written into a temporary bundle."""
    config = yaml_config.load(path, tuple(overrides))
    # Values that fade from layer to layer, as the paper's first weights make them, are no values to calibrate on.
    options = replace(config.system, init="he") if hasattr(config.system, "init") else config.system
    method = system(options, skeleton(config.data.skeleton))
    views = np.random.default_rng(0).integers(0, 256, (8, *method.size, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        network = method.deployed(method.build())
        bundle.write(network, method.spec(config.data.padding), Path(folder), ("float32", "int8"), views)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, CORE)
        found = measure(Path(folder), None, threads=1, runs=runs)
        os.sched_setaffinity(0, before)
    exact, rounded = (found["files"][f"{kind}.tflite"] for kind in ("float32", "int8"))
    times = [exact["milliseconds"], rounded["milliseconds"]]
    warps = [ms for part, ms in found["milliseconds"].items() if part.startswith("warp")]
    numbers = [f"{rounded['gmacs']:.3f}", *(f"{ms:.2f}" for ms in times), f"{times[1] / times[0]:.3f}"]
    numbers += [f"{rounded['megabytes']:.2f}", f"{rounded['share']:.0%}"]
    return [path.stem, *numbers, f"{min(warps):.2f}", f"{found['milliseconds']['decode']:.2f}"]


if __name__ == "__main__":
    main()
