"""What each test-time option is worth on a trained network: its figure on the validation part, beside plain quarter's.

    python benchmarks/test_time.py RUN [--config CONFIG] [evaluate.metric=pck]

The network runs once on each view and twice on each mirrored one; every row decodes the same maps. The "published"
flips are those in the coordinates of code before UDP, where a mirrored cell lies (stride - 1) / stride cells beside its
image: the mirrored views are moved by stride - 1 pixels, which does just that to a network of our coordinates.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tfpose import protocol, yaml_config
from tfpose.config import Config, Evaluate
from tfpose.data.source import load_part, locate
from tfpose.decode import decoder
from tfpose.evaluate import MAIN, evaluate
from tfpose.poses import Poses
from tfpose.predict import Predictor, mirrored, read_image, shifted, unmirrored
from tfpose.progress import progress
from tfpose.spec import PoseSpec

DARKS_BLUR = 11  # DARK's own, for Gaussians of 2 cells; a network whose pose.json has another keeps that
FLIPS = ("none", "shifted", "aligned", "published, not moved", "published, moved a cell")


def main() -> None:
    """Prints a line per decoder and flip: the figure and its gain, in points of a hundred."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("network", type=Path, metavar="RUN")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE")
    p.add_argument("--config", type=Path, help="whose data and metric to use (default: RUN/config.yaml)")
    o = p.parse_args()
    config = yaml_config.load(o.config or o.network / "config.yaml", tuple(o.overrides))
    print(table(measure(o.network, config), MAIN[config.evaluate.metric]))


def table(figures: dict[tuple[str, str], float], name: str) -> str:
    """The figures as lines, the first being what the others are compared with."""
    first = next(iter(figures.values()))
    lines = [f"{'decoder':<20}{'flip':<26}{name:>6}{'gain':>7}"]
    for (decoding, flip), figure in figures.items():
        lines.append(f"{decoding:<20}{flip:<26}{100 * figure:6.2f}{100 * (figure - first):+7.2f}")
    return "\n".join(lines)


def measure(network: Path, config: Config) -> dict[tuple[str, str], float]:
    """{(decoder, flip): figure, 0 to 1} of a network on the validation part, the annotations' boxes, scale 1."""
    plain = protocol.predictor(network, replace(config.evaluate, refine="own", blur=-1, smooth=-1, scales=(1.0,)))
    decoders = options(plain.spec.decoder.get("blur") or DARKS_BLUR)
    rows = [("quarter", flip) for flip in FLIPS]
    rows += [(name, flip) for name in decoders if name != "quarter" for flip in ("none", "aligned")]
    asked = tuple((decoders[name], flip) for name, flip in rows)
    judge = Everything(plain.spec, plain.run, warp=plain.warp, rows=asked)
    records = load_part(config.data, plain.spec.skeleton, "validation").records
    photos = ((read_image(r.path), r.boxes, None) for r in records)
    people = judge.many(progress(photos, len(records), "test time"))
    found = [Found(plain.spec, [one(p, i, len(rows), plain) for p in people]) for i in range(len(rows))]
    truth, metric = locate(config.data, "validation")[0], config.evaluate.metric
    made = [evaluate(f, records, truth, metric=metric, bar=lambda items, *_: items) for f in found]
    return {row: evaluation.figures[MAIN[metric]] for row, evaluation in zip(rows, made)}


def options(blur: int) -> dict[str, Evaluate]:
    """The decoders by their names; the first is what papers have compared with."""
    made = {name: Evaluate(refine=name, blur=0, smooth=0) for name in ("quarter", "none", "second", "parabola", "dark")}
    made[f"dark, blur {blur}"] = Evaluate(refine="dark", blur=blur, smooth=0)
    made["second, smooth 5"] = Evaluate(refine="second", blur=0, smooth=5)
    return made


@dataclass(frozen=True, eq=False)
class Everything(Predictor):
    """A Predictor that decodes a view once for every row, a decoder and a flip: its keypoints are all rows' in turn."""

    rows: tuple[tuple[Evaluate, str], ...] = ()

    @cached_property
    def decoders(self) -> list:
        """The decoder of each row."""
        return [decoder(protocol.decoder(self.spec.decoder, o), self.spec.skeleton) for o, _ in self.rows]

    def keypoints(self, views: np.ndarray) -> np.ndarray:
        maps = self.averaged(views)
        return np.concatenate([d({"heatmaps": maps[flip]}) for d, (_, flip) in zip(self.decoders, self.rows)], axis=1)

    def averaged(self, views: np.ndarray) -> dict[str, np.ndarray]:
        """The maps of every flip."""
        step, other = self.spec.decoder["stride"] - 1, mirrored(views)
        moved = np.concatenate([other[:, :, :1].repeat(step, axis=2), other[:, :, : other.shape[2] - step]], axis=2)
        plain, back, beside = (self.run(v)["heatmaps"] for v in (views, other, moved))
        back, beside = (unmirrored(maps, self.spec.skeleton.mirror) for maps in (back, beside))
        return dict(zip(FLIPS, [plain] + [(plain + m) / 2 for m in (shifted(back), back, beside, shifted(beside))]))


@dataclass(frozen=True, eq=False)
class Found:
    """Stands where `evaluate` has a Predictor: its people are found already."""

    spec: PoseSpec
    people: list[Poses]

    def many(self, items: Iterable) -> list[Poses]:  # noqa: ARG002
        return self.people


def one(people: Poses, row: int, count: int, plain: Predictor) -> Poses:
    """The people as one of `count` rows has them, scored as `plain` scores."""
    keypoints = np.split(people.keypoints, count, axis=1)[row] if len(people) else people.keypoints
    return Poses(keypoints, plain.scores(keypoints, np.ones(len(people), np.float32)), people.boxes)


if __name__ == "__main__":
    main()
