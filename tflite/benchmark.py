"""python -m tflite.benchmark: what a view costs here, warp, network and decoder, beside another .tflite file."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tflite.measure import measure
from tflite.predict import positive

TEACHES = """\
Times are medians over the runs, for one view: a person, or a whole image. The parts take turns, so that a busy moment
hits all alike, on as many cores as there are threads. GMAC are 10^9 multiply-accumulates of the file; of peak is their
rate in its fastest run as a share of what one dense convolution reaches here, in the fastest of as many runs, in int8
or in float32. Memory is what a process takes that runs the file, beside Python, NumPy and LiteRT themselves. A file
that decodes itself needs no decode.

  python -m tflite.benchmark bundle
  python -m tflite.benchmark bundle photo.jpg --threads 4 --json
  python -m tflite.benchmark bundle --kind int8 --peer movenet.tflite
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 after an error that is printed in one line; 2 for wrong usage is argparse's."""
    options = _parser().parse_args(arguments)
    try:
        with _on_cores(options.threads):
            what = options.bundle, options.photo, options.threads, options.runs, options.kind, tuple(options.peer)
            result = measure(*what)
    except (ValueError, OSError) as error:
        print(f"tflite.benchmark: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result) if options.json else report(result))
    return 0


def report(result: dict) -> str:
    """The result as lines for people."""
    files, times = result["files"], result["milliseconds"]
    width = max(len(name) for name in times) + 2
    lines = [f"{name:<{width}}{value:9.3f} ms" for name, value in times.items() if name not in files]
    lines += ["", f"{'':<{width}}{'ms':>9}{'fastest':>9}{'MB':>8}{'memory':>9}{'GMAC':>8}{'of peak':>9}"]
    for name, c in files.items():
        line = f"{name:<{width}}{c['milliseconds']:9.3f}{c['fastest']:9.3f}{c['megabytes']:8.2f}"
        lines.append(f"{line}{c['memory']['file']:6.1f} MB{c['gmacs']:8.3f}{c['share']:9.0%}")
    lines.append("")
    if "int8/float32" in result:
        lines.append(f"{'int8 / float32':<{width}}{result['int8/float32']:9.3f}")
    lines += [f"{f'peak {kind}':<{width}}{rate:9.1f} GMAC/s" for kind, rate in result["peak"].items()]
    whole = max(costs["memory"]["process"] for costs in files.values())
    return "\n".join(
        [*lines, f"medians for one view, {result['threads']} threads; whole process {whole:.0f} MB at most"]
    )


@contextlib.contextmanager
def _on_cores(threads: int) -> Iterator[None]:
    """Holds this process on as many cores as it has threads, where the system can: moving between them costs time."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tflite.benchmark",
        description="Times what happens to one view: warp, network (each .tflite file of a bundle) and decoding.",
        epilog=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder that `tfpose export` wrote: pose.json and .tflite files")
    parser.add_argument("photo", type=Path, nargs="?", help="photo to cut from (default: 640 x 480 of noise)")
    parser.add_argument("--kind", default="", help="one file alone: int8, float32, ... or a file name (default: all)")
    parser.add_argument("--peer", type=Path, nargs="+", default=[], metavar="FILE", help="others' .tflite files beside")
    parser.add_argument("--threads", type=positive, default=1, help="threads of LiteRT (default: 1)")
    parser.add_argument("--runs", type=positive, default=50, help="calls of every part (default: 50)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
