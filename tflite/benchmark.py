"""python -m tflite.benchmark: milliseconds of the warp, of every .tflite file of a bundle, and of the decoder."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tflite import image, interpreter
from tfpose import geometry
from tfpose import spec as specs
from tfpose.decode import decoder
from tfpose.litert import LiteRT

WARMUPS = 3
TEACHES = """\
Every figure is the median over the runs, for one view: a person, or a whole image. The parts take turns, so that a busy
moment hits all alike.

  python -m tflite.benchmark bundle
  python -m tflite.benchmark bundle photo.jpg --threads 4 --json
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 after an error that is printed in one line; 2 for wrong usage is argparse's."""
    options = _parser().parse_args(arguments)
    try:
        result = benchmark(options.bundle, options.photo, options.threads, options.runs)
    except (ValueError, OSError) as error:
        print(f"tflite.benchmark: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result) if options.json else report(result))
    return 0


def benchmark(bundle: Path, photo: Path | None, threads: int = 1, runs: int = 50) -> dict:
    """{"milliseconds": {part: median}, "threads", "int8/float32": ratio where both are there}."""
    files = interpreter.files(bundle)
    spec = specs.load(bundle / interpreter.SPEC)
    networks = {path.name: LiteRT(path, threads) for path in files}
    photograph = _noise() if photo is None else image.read(photo)
    whole = (0, 0, photograph.shape[1], photograph.shape[0])
    affine = geometry.crop(whole, spec.size, padding=spec.padding)
    if spec.view == "image":
        affine = geometry.letterbox(photograph.shape[:2], spec.size)
    view = image.warp(photograph, affine, spec.size)[None]
    maps, decode = networks[files[0].name](view), decoder(spec.decoder, spec.skeleton)
    parts = {f"warp, {name}": lambda w=warp: w(photograph, affine, spec.size) for name, warp in _warps(threads).items()}
    parts |= {name: lambda n=network: n(view) for name, network in networks.items()}
    times = medians(parts | {"decode": lambda: decode(maps)}, runs)
    result = {"milliseconds": times, "threads": threads}
    if {"int8.tflite", "float32.tflite"} <= set(times):
        result["int8/float32"] = times["int8.tflite"] / times["float32.tflite"]
    return result


def medians(parts: dict[str, Callable], runs: int) -> dict[str, float]:
    """The median milliseconds of each part, called in turns after a few calls that do not count."""
    times = {name: [] for name in parts}
    for run in range(WARMUPS + runs):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            if run >= WARMUPS:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def report(result: dict) -> str:
    """The result as lines for people."""
    lines = [f"{name:<20}{value:9.3f} ms" for name, value in result["milliseconds"].items()]
    if "int8/float32" in result:
        lines.append(f"{'int8 / float32':<20}{result['int8/float32']:9.3f}")
    return "\n".join([*lines, f"medians for one view, {result['threads']} threads"])


def _warps(threads: int) -> dict[str, Callable]:
    if image.cv2 is None:
        return {"Pillow": image.warp_by_pillow}
    image.cv2.setNumThreads(threads)
    return {"OpenCV": image.warp_by_opencv, "Pillow": image.warp_by_pillow}


def _noise() -> np.ndarray:
    # The time of every part is the same whatever is on the photo.
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tflite.benchmark",
        description="Times what happens to one person: warp, network (each .tflite file of a bundle) and decoding.",
        epilog=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder that `tfpose export` wrote: pose.json and .tflite files")
    parser.add_argument("photo", type=Path, nargs="?", help="photo to cut from (default: 640 x 480 of noise)")
    parser.add_argument("--threads", type=int, default=1, help="threads of LiteRT (default: 1)")
    parser.add_argument("--runs", type=int, default=50, help="calls of every part (default: 50)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
