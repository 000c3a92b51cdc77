"""Milliseconds of a configuration's network on an edge file, untrained: speed does not depend on what was learnt.

python -m benchmarks.edge configs/ppnet/m2-d2-w32_256x192_coco.yaml
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import tempfile
from pathlib import Path

import numpy as np

from tflite import benchmark
from tfpose import yaml_config
from tfpose.export import bundle
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CORE = {0}


def main() -> None:
    """Exports float32 and int8 files into a temporary bundle and times warp, networks and decoder on one core."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("config", type=Path)
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE")
    p.add_argument("--runs", type=int, default=50)
    o = p.parse_args()
    config = yaml_config.load(o.config, ("system.init=he", *o.overrides))
    method = system(config.system, skeleton(config.data.skeleton))
    views = np.random.default_rng(0).integers(0, 256, (8, *method.size, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        network = method.deployed(method.build())
        bundle.write(network, method.spec(config.data.padding), Path(folder), ("float32", "int8"), views)
        os.sched_setaffinity(0, CORE)
        print(benchmark.report(benchmark.benchmark(Path(folder), None, threads=1, runs=o.runs)))


if __name__ == "__main__":
    main()
