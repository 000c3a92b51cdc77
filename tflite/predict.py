"""python -m tflite.predict: people on photos, videos and cameras, with nothing but NumPy, Pillow and LiteRT."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tflite import interpreter, video
from tflite.results import Results, kept
from tflite.sources import CAMERA, Source, sources
from tfpose.draw import SEEN
from tfpose.poses import Poses
from tfpose.progress import progress
from tfpose.skeleton import Skeleton

TEACHES = """\
A network of whole images finds everybody by itself. A network of single persons takes each box as one person, and
without boxes the whole photo. Coordinates are pixels of the photo, x to the right and y down; a score near 0 means
that the keypoint was not seen. Videos and cameras need OpenCV. Ctrl-C ends it, and what was found is written.

  python -m tflite.predict bundle photo.jpg
  python -m tflite.predict bundle photo.jpg --boxes 40,30,120,300 210,25,110,310
  python -m tflite.predict bundle photos/ --json-only --threads 4
  python -m tflite.predict bundle clip.mp4 --every 5 --output found
  python -m tflite.predict bundle camera:0
"""
STOPPED = 130  # what a shell expects of a program that Ctrl-C has ended


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0; 1 after an error, printed in one line, or photos that could not be read; 130 after Ctrl-C.

    2 for wrong usage is argparse's. A camera ends by Ctrl-C, so that is 0.
    """
    options = _parser().parse_args(arguments)
    try:
        with _terminated_as_interrupted():
            return predict(options)
    except (ValueError, OSError) as error:
        print(f"tflite.predict: {error}", file=sys.stderr)
        return 1


def predict(options: argparse.Namespace) -> int:
    """Finds the people in all sources, writes them and returns the exit code."""
    look, find = _look(options)
    found, whole = sources(options.sources, leave_out=options.output), find.spec.view == "image"
    threshold = options.threshold if options.threshold is not None else 0.0 if whole else SEEN
    drawing = {"pictures": not options.json_only, "threshold": threshold, "boxes": options.boxes is not None}
    results, bad, stopped = Results(options.output, find.spec.skeleton, **drawing), [], False
    try:
        for source, frame in progress(_frames(found, options.every, bad), _total(found, options.every), "predict"):
            people = kept(look(frame.image), options.score, options.max_people)
            results.add(source, frame, people)
            if len(found) == 1 and source.kind == "photo":
                print(table(source.name, people, find.spec.skeleton))
    except KeyboardInterrupt:
        stopped = True
    finally:
        results.close()
    print(results.summary())
    if bad:
        names = ", ".join(source.name for source in bad)
        print(f"tflite.predict: {len(bad)} of {len(found)} could not be read: {names}", file=sys.stderr)
    if stopped and not any(source.kind == "camera" for source in found):
        print("tflite.predict: stopped; what was found until then is written", file=sys.stderr)
        return STOPPED
    return 1 if bad else 0


def table(name: str, poses: Poses, skeleton: Skeleton) -> str:
    """A line for each person and one for each of its keypoints: name, x, y, score."""
    lines = []
    for number, (keypoints, score) in enumerate(zip(poses.keypoints, poses.scores), 1):
        lines.append(f"{name}: person {number} of {len(poses)}, score {score:.2f}")
        lines += [f"  {name:<16}{x:9.1f}{y:9.1f}{v:7.2f}" for name, (x, y, v) in zip(skeleton.keypoints, keypoints)]
    return "\n".join(lines)


def box(text: str) -> list[float]:
    """Four numbers out of "x,y,w,h"."""
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise argparse.ArgumentTypeError(f"{text!r}: expected x,y,w,h in pixels")
    return numbers


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 or more")
    return number


def _look(options: argparse.Namespace) -> tuple[Callable, object]:
    """An image -> Poses with the boxes of the command line, and the predictor behind it."""
    how = {"flip": options.flip, "delegate": options.delegate, "xnnpack": options.xnnpack}
    find = interpreter.predictor(options.bundle, options.kind, options.threads, **how)
    if find.spec.view == "image" and options.boxes:
        raise ValueError(f"{options.bundle}: finds people in whole images; leave out --boxes")
    return find if find.spec.view == "image" else partial(find, boxes=options.boxes), find


def _frames(found: list[Source], every: int, bad: list[Source]) -> Iterator[tuple[Source, video.Frame]]:
    """All frames of all sources; one that cannot be read is told on stderr, put into `bad` and passed over."""
    for source in found:
        try:
            yield from ((source, frame) for frame in video.frames(source, every))
        except ValueError as error:
            # A bar may stand where the line begins.
            print(f"\r{f'skipped: {error}':<78}" if sys.stderr.isatty() else f"skipped: {error}", file=sys.stderr)
            bad.append(source)


def _total(found: list[Source], every: int) -> int | None:
    counts = [video.count(source, every) for source in found]
    return None if None in counts else sum(counts)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    # As a service is stopped, so that nothing is lost then either.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tflite.predict",
        description="Finds people's keypoints with the .tflite file of a bundle; writes poses.json and draws them.",
        epilog=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder that `tfpose export` wrote, or one of its .tflite files")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=f"photo, folder, video, or {CAMERA}0")
    parser.add_argument("--boxes", type=box, nargs="+", metavar="x,y,w,h", help="people's boxes, in every picture")
    parser.add_argument("--output", type=Path, default=Path("predictions"), help="folder for all files (%(default)s)")
    parser.add_argument("--json-only", action="store_true", help="write poses.json and draw nothing")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="every Nth frame of videos, cameras")
    parser.add_argument("--max-people", type=positive, metavar="N", help="the N best people of a picture")
    parser.add_argument("--score", type=float, default=0.0, help="least score of a person (default: %(default)s)")
    parser.add_argument("--threshold", type=float, help="least score of a keypoint drawn (0.3; of whole images: all)")
    parser.add_argument("--flip", action="store_true", help="look at everything mirrored too: surer, twice the time")
    _interpreter_options(parser)
    return parser


def _interpreter_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kind", default="", help="int8, float32, ... or a file name (default: int8, or what there is)"
    )
    parser.add_argument("--threads", type=positive, default=1, help="threads of LiteRT (default: 1)")
    parser.add_argument("--delegate", default="", metavar="FILE.so", help="library of an accelerator")
    parser.add_argument("--no-xnnpack", dest="xnnpack", action="store_false", help="LiteRT's own kernels on the CPU")


if __name__ == "__main__":
    sys.exit(main())
