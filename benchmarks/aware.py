"""What int8 costs a trained network and what training with its rounding brings back: as it is, and badly scaled.

    python -m benchmarks.aware RUN [--spread 16] [quantize.steps=150 evaluate.flip=none ...]

Badly scaled: what a convolution and its batch norm give is multiplied by a factor of its own in each channel, drawn
between 1/spread and spread, and the next convolution divides by it. In float the network is the same; in int8 a tensor
has one range for all of its channels, and the small ones have few levels left. Networks get there by themselves where
some channels are much stronger than others.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

from tfpose import quantize, yaml_config
from tfpose.export import bundle, calibrate
from tfpose.export.kernels import NORM, RELU, Graph, kind
from tfpose.predictions import fast_warp


def main() -> None:
    options = arguments()
    for spread in dict.fromkeys((1.0, options.spread)):
        print(f"factors between 1/{spread:g} and {spread:g}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            shutil.copyfile(options.run / "config.yaml", folder / "config.yaml")
            network = keras.models.load_model(options.run / "network.keras", compile=False)
            print(f"{rescale(network, spread)} of {len(network.layers)} layers rescaled")
            network.save(folder / "network.keras")
            measure(folder, options.overrides)


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("run", type=Path, help="a run folder")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE")
    p.add_argument("--spread", type=float, default=16.0, help="the largest factor (default: %(default)g)")
    return p.parse_args()


def measure(folder: Path, overrides: list[str]) -> None:
    """Prints the table of a run's network, its int8 file and the one that training gives."""
    # Nothing is refused here, however much it loses.
    config = yaml_config.load(folder / "config.yaml", (*overrides, "export.max_ap_drop=1.0"))
    run = quantize.Finished(folder, config)
    spec = run.system.spec(config.data.padding)
    views = calibrate.views(run.part("train").records, spec, config.export.calibration_views, config.seed, fast_warp())
    bundle.write(run.system.deployed(run.network(run.system.size)), spec, folder / "bundle", ["int8"], views)
    quantize.aware(folder, config)


def rescale(network: keras.Model, spread: float) -> int:
    """Gives channels between two convolutions factors that cancel each other; returns how many layers have them."""
    chance, pairs = np.random.default_rng(0), followed(Graph(network))
    for norm, following in pairs:
        gamma, beta, mean, variance = norm.get_weights()
        factors = np.exp(chance.uniform(-1, 1, len(gamma)) * np.log(spread)).astype(np.float32)
        norm.set_weights([gamma * factors, beta * factors, mean, variance])
        kernel, *bias = following.get_weights()
        following.set_weights([kernel / factors[:, None], *bias])
    return len(pairs)


def followed(graph: Graph) -> list[tuple]:
    """(batch norm, convolution): what the first gives, rectified, is read by the second alone."""
    found = []
    for node in graph.nodes:
        norm = node.operation
        if kind(norm) != NORM or not graph.folded(norm):
            continue
        readers = graph.readers.get(id(node.outputs[0]), [])
        if len(readers) == 1 and kind(readers[0].operation) == RELU:
            readers = graph.readers.get(id(readers[0].outputs[0]), [])
            if len(readers) == 1 and kind(readers[0].operation) == "Conv2D":
                found.append((norm, readers[0].operation))
    return found


if __name__ == "__main__":
    main()
