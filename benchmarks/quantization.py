"""What each kind of file costs in score, and what it saves: a line per network, a column per kind of TFLite file.

    python -m benchmarks.quantization RUN [RUN ...] [evaluate.flip=none ...] [--photos 200] [--output quantization.md]

RUN is a run folder with a bundle; of its files those are measured that are there. A cell says the score in per cent
(AP, PCK or PCKh on the validation part, or on its first `--photos` photos), MB, and milliseconds of a view: processor
time on one thread, the median. `network.keras` is the float network beside them. SECTION.OPTION=VALUE changes the
configuration of all runs.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tfpose import jobs, protocol, yaml_config
from tfpose.data.source import load_part
from tfpose.evaluate import MAIN
from tfpose.export import bundle, cost, tables

KINDS = ("keras", "float32", "float16", "dynamic", "int8", "aware", "int16")


def main() -> None:
    """Prints the table, and writes it."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("runs", nargs="+", metavar="RUN")
    p.add_argument("--photos", type=int, default=0, help="so many of the validation part (default: all)")
    p.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    p.add_argument("--output", type=Path)
    o = p.parse_args()
    overrides = tuple(text for text in o.runs if "=" in text)
    runs = [Path(text) for text in o.runs if "=" not in text]
    rows = (line(run, overrides, o.kinds, o.photos) for run in runs)
    table = tables.markdown([["network", "score is", *o.kinds], *rows])
    print(table)
    if o.output:
        o.output.write_text(table + "\n")


def line(run: Path, overrides: tuple[str, ...], kinds: list[str], photos: int) -> list[str]:
    """The cells of one run: score, MB and milliseconds of each of its files, nothing where there is no such file."""
    score, metric = judge(run, overrides, photos)
    cells = []
    for kind in kinds:
        file = run / "bundle" / bundle.FILES[kind]
        if file.exists():
            found = cost.measure(file)
            cells.append(f"{100 * score(file):.1f}, {file.stat().st_size / 1e6:.2f} MB, {found.milliseconds:.1f} ms")
        else:
            cells.append("")
    return [run.name, metric, *cells]


def judge(run: Path, overrides: tuple[str, ...], photos: int) -> tuple[Callable[[Path], float], str]:
    """What gives the score of a run's files on its validation part (of `photos`, 0 for all), and what it is."""
    config = yaml_config.load(run / "config.yaml", overrides)
    predictor = protocol.predictor(run / "bundle" / bundle.KERAS, config.evaluate)
    body, bodies = jobs.annotated(predictor.spec, config), jobs.outlined(predictor)
    split = load_part(config.data, body, "validation", bodies=bodies)
    some = replace(split, records=split.records[: photos or None])
    return jobs.scorer(config, some), MAIN[config.evaluate.metric]


if __name__ == "__main__":
    main()
