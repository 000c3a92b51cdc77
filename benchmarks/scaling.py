"""How training grows with replicas, on paper: what a step sends, what a checkpoint holds, what input and failures cost.

    python -m benchmarks.scaling

Weights, batch norms and checkpoints are counted in the networks of the papers, built here, and each checkpoint is
written once. Bandwidths and failures are published figures; the seconds on a link follow from them and are no
measurement. Views a second are those that benchmarks/input_pipeline.py and input_images.py measured.
"""

import argparse
import math
import os
import tempfile
import time
import types
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

ROOT = Path(__file__).resolve().parent.parent / "configs"
PAPERS = (
    "ppnet/m2-d2-w32_256x192_coco",
    "simplebaseline/r50_256x192_coco",
    "hourglass/s8_256x192_coco",
    "hrnet/w32_256x192_coco",
    "rsn/4xrsn50_256x192_coco",
    "openpose/vgg19_368x432_coco",
    "mln/vgg19_368x432_coco",
    "multiposenet/r50_480x480_coco",
    "prn/1024_coco",
)
REPLICAS = (8, 64, 512)
FLOAT = 4  # bytes
# Bytes a second in one direction. Ethernet: its name. NVLink 4 of an H100: 900 GB/s, both directions together (NVIDIA,
# H100 data sheet).
LINKS = {"10 Gb/s": 10e9 / 8, "100 Gb/s": 100e9 / 8, "NVLink 4": 900e9 / 2}
# 419 unexpected interruptions of 16,384 GPUs in 54 days (Meta 2024, "The Llama 3 Herd of Models", section 3.3.4).
FAILURES = 419 / (16384 * 54 * 24)  # an hour and GPU
# Views a second, data and all, of one core of an AMD EPYC, Zen 5; they stand in the heads of these configurations.
TRAINED = {"ppnet/m2-d2-w32_96x96_lspet": 34.8, "rsn/rsn18_96x96_lspet": 27.5, "simplebaseline/r50_96x96_lspet": 17.0}
VIEWS = {"person": 720, "image": 289}  # a second and core
PEOPLE, PHOTOS = 149_813, 56_599  # with keypoints, in COCO train2017
PHOTO = 164_701  # bytes, the mean of 286 of them
EACH = 32  # samples a replica


@dataclass(frozen=True)
class Cost:
    """What a network costs wherever it is trained: trainable weights, batch norms, their channels; its checkpoint."""

    name: str
    weights: int
    norms: int
    channels: int
    checkpoint: int  # bytes
    seconds: float  # to write it

    @property
    def gradients(self) -> int:
        """Bytes that are added up over the replicas in a step."""
        return FLOAT * self.weights

    @property
    def statistics(self) -> int:
        """Bytes of synchronised batch norm in a step: sums and squares of every channel, forward and backward."""
        return 2 * 2 * FLOAT * self.channels


def ring(size: float, replicas: int, bandwidth: float) -> float:
    """Seconds in which a ring adds up `size` bytes of each replica: all but one part go round twice.

    Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations"; latency left out.
    """
    return 2 * (replicas - 1) / replicas * size / bandwidth


def kept(computing: float, sending: float) -> float:
    """The share of a step that computes, where nothing is sent at the same time."""
    return computing / (computing + sending)


def hidden(seconds: float, share: float = 0.9) -> float:
    """Seconds that a step must compute so that what it sends, not overlapped, leaves that share of its time."""
    return seconds * share / (1 - share)


def broken(replicas: int, hours: float) -> float:
    """The chance that at least one replica fails."""
    return -math.expm1(-FAILURES * replicas * hours)


def steps(samples: int, batch: int) -> int:
    """Whole batches in an epoch."""
    return samples // batch


def cost(path: Path, scratch: Path) -> Cost:
    """What the network of a configuration costs, with the numbers that its optimizer keeps."""
    import keras

    from tfpose import yaml_config
    from tfpose.models import count
    from tfpose.skeleton import skeleton
    from tfpose.systems.base import system
    from tfpose.train import checkpoint, optimizers

    config = yaml_config.load(path)
    method = system(config.system, skeleton(config.data.skeleton))
    network = method.build(method.training_size if method.view != "labels" else (None, None))
    optimizer = optimizers.optimizer(config.train.optimizer, config.train.optimizer.learning_rate)
    optimizer.build(network.trainable_variables)
    begun, file = time.perf_counter(), scratch / checkpoint.FILE
    checkpoint.save(file, types.SimpleNamespace(network=network, optimizer=optimizer), {})
    seconds, size = time.perf_counter() - begun, file.stat().st_size
    file.unlink()
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    channels = sum(layer.gamma.shape[0] for layer in norms)
    return Cost(f"{path.parent.name}/{path.stem}", count.parameters(network)[0], len(norms), channels, size, seconds)


def networks(costs: list[Cost]) -> str:
    """The table of what each network sends and keeps."""
    slow, fast, near = LINKS.values()
    lines = [
        "| network | weights, M | gradients, MB | batch norms | their statistics, MB | 64 replicas, 10 Gb/s, s "
        "| 64, 100 Gb/s, s | 8, NVLink 4, ms | 90 % needs at 100 Gb/s, s | checkpoint, MB | written in, s |",
        "| --- " + "| ---: " * 10 + "|",
    ]
    for c in costs:
        sent = c.gradients + c.statistics
        times = ring(sent, 64, slow), ring(sent, 64, fast), 1e3 * ring(sent, 8, near), hidden(ring(sent, 64, fast))
        lines.append(
            f"| {c.name} | {c.weights / 1e6:.2f} | {c.gradients / 1e6:.1f} | {c.norms} | {c.statistics / 1e6:.2f} | "
            f"{times[0]:.3f} | {times[1]:.4f} | {times[2]:.3f} | {times[3]:.3f} | {c.checkpoint / 1e6:.0f} | "
            f"{c.seconds:.1f} |"
        )
    return "\n".join(lines)


def replicas() -> str:
    """The table of what changes with the number of replicas alone."""
    lines = [
        "| replicas | batch | rate, x that of 32 | steps an epoch: people | photos | ring, x bytes | fails in a day |",
        "| ---: " * 7 + "|",
    ]
    for n in REPLICAS:
        batch = n * EACH
        lines.append(
            f"| {n} | {batch:,} | {n} | {steps(PEOPLE, batch):,} | {steps(PHOTOS, batch):,} | {ring(1, n, 1):.3f} | "
            f"{broken(n, 24):.1%} |"
        )
    return "\n".join(lines)


def cores(costs: list[Cost]) -> str:
    """The table of what is left of one core's measured speed where each core is a replica."""
    lines = [
        "| network | views/s, one core | s for 32 | " + " | ".join(f"{n} at 10 Gb/s" for n in REPLICAS) + " |",
        "| --- " + "| ---: " * (2 + len(REPLICAS)) + "|",
    ]
    for c in costs:
        computing, speed = EACH / TRAINED[c.name], LINKS["10 Gb/s"]
        shares = [f"{kept(computing, ring(c.gradients + c.statistics, n, speed)):.1%}" for n in REPLICAS]
        lines.append(f"| {c.name} | {TRAINED[c.name]} | {computing:.2f} | {' | '.join(shares)} |")
    return "\n".join(lines)


def feeding() -> str:
    """The table of the samples a second that a replica's cores prepare."""
    lines = ["| cores a replica | people a second | photos a second | MB of photos a second |", "| ---: " * 4 + "|"]
    for c in (1, 8, 16):
        people, photos = c * VIEWS["person"], c * VIEWS["image"]
        lines.append(f"| {c} | {people:,} | {photos:,} | {photos * PHOTO / 1e6:.0f} |")
    return "\n".join(lines)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        papers, trained = ([cost(ROOT / f"{n}.yaml", Path(folder)) for n in names] for names in (PAPERS, TRAINED))
    print("\n\n".join((networks(papers), replicas(), cores(trained), feeding())))


if __name__ == "__main__":
    main()
