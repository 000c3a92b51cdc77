"""Which layer costs the accuracy: each in integers by itself, all others in float, and what that does to the outputs.

Comparing the layers' own values would not tell: an error early in the network is seen in every layer after it, and one
in a layer that matters little looks like any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from tfpose.export import charts, flatbuffer, origins, quantize, ranges, tflite
from tfpose.litert import LiteRT
from tfpose.progress import progress

VIEWS = 8  # to compare on: outputs have thousands of values each, and there are dozens of layers
TRIED = 5  # so many of the worst are also left in float, which is what one does about them
# They pass on what they read in the range that it has, and round nothing themselves.
MOVING = {"PAD", "PADV2", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "MAX_POOL_2D", "SQUEEZE", "TRANSPOSE"}


@dataclass(frozen=True)
class Cost:
    """What a layer does to the outputs: `alone` where it is the only one in integers; `without` where it is in float.

    Errors are root mean squares as shares of an output's deviation; of several outputs the root of their mean square.
    """

    layer: str
    alone: float
    without: float | None = None


@dataclass(frozen=True)
class Costs:
    """All layers, the worst first, and the error of the file in which all are integers."""

    layers: tuple[Cost, ...]
    all: float


def measure(network: keras.Model, views: Iterable[np.ndarray], percentile: float = 100.0) -> Costs:
    """What each layer of a network that computes costs in an int8 file calibrated on views (each (H, W, 3) uint8)."""
    views, content = list(views), tflite.converted(network, "float32", "float32")
    model, found = flatbuffer.read(content), ranges.find(content, views, percentile)
    written, layers = origins.names(model), [own[0] for own in origins.origins(model, network)]
    some = np.stack(views[:VIEWS])

    def outputs(kept: list[str]) -> dict[str, np.ndarray]:
        return LiteRT(quantize.int8(content, found, kept))(some)

    truth = outputs(written)

    def cost(layer: str) -> Cost:
        return Cost(layer, error(truth, outputs([n for n, own in zip(written, layers) if own != layer])))

    each = list(dict.fromkeys(own for own, o in zip(layers, flatbuffer.operations(model)) if o.name not in MOVING))
    costs = sorted(progress(map(cost, each), len(each), "layers"), key=lambda c: -c.alone)
    for i, worst in enumerate(costs[:TRIED]):
        kept = [n for n, own in zip(written, layers) if own == worst.layer]
        costs[i] = replace(worst, without=error(truth, outputs(kept)))
    return Costs(tuple(costs), error(truth, outputs([])))


def error(truth: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
    """The error of named outputs, as `Cost` has it."""
    squares = [np.mean((found[name] - maps) ** 2) / max(maps.var(), 1e-12) for name, maps in truth.items()]
    return float(np.sqrt(np.mean(squares)))


def write(costs: Costs, folder: Path) -> None:
    """Writes layers.md and layers.png, the worst layer first."""
    (folder / "layers.md").write_text(table(costs))
    bars = [(c.layer, 100 * c.alone) for c in costs.layers]
    charts.bars(bars, "error of the outputs with one layer alone in 8 bits, % of their deviation").save(
        folder / "layers.png"
    )


def table(costs: Costs) -> str:
    """The markdown: a row for each layer."""
    squares = max(sum(c.alone**2 for c in costs.layers), 1e-12)
    lines = [
        "# What each layer costs in 8 bits",
        "",
        f"With all layers in integers the outputs are wrong by {100 * costs.all:.2f} % of their deviation, root mean",
        "square. Alone: the same with this layer in integers and all others in float. Share: of the squares' sum in",
        "that column. Kept: all in integers but this layer, as `tfpose export RUN --keep-float LAYER` writes it.",
        "",
        "| layer | alone % | share % | kept % |",
        "| --- | ---: | ---: | ---: |",
    ]
    for c in costs.layers:
        kept = "" if c.without is None else f"{100 * c.without:.2f}"
        lines.append(f"| {c.layer} | {100 * c.alone:.2f} | {100 * c.alone**2 / squares:.1f} | {kept} |")
    return "\n".join(lines) + "\n"
