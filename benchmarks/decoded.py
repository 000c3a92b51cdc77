"""Speed of files that decode themselves, beside the same network's file with the decoder in NumPy.

    taskset -c 0 python -m benchmarks.decoded BUNDLE [PHOTO ...]

Of every file of a network in a bundle, on one thread, in milliseconds of processor time: the network alone, NumPy
alone, both, and the one file that is made of them here; medians over views that all take in turn. A view is all of a
photo. The last columns are the sizes of the two files, how many people are found in a view, and how far apart the two
put a coordinate at most, in pixels of the view.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfpose import geometry, runners
from tfpose import spec as specs
from tfpose.decode import decoder
from tfpose.export import bundle, decoded, tflite
from tfpose.litert import LiteRT
from tfpose.predict import read_image
from tfpose.spec import PoseSpec


def main() -> None:
    """Prints a line per file."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bundle", type=Path)
    p.add_argument("photos", type=Path, nargs="*", help="default: noise, in which there is nobody")
    p.add_argument("--runs", type=int, default=100)
    o = p.parse_args()
    spec = specs.load(o.bundle / bundle.SPEC)
    views = [view(photo, spec) for photo in o.photos] or [noise(spec)]
    print(f"{len(views)} views of {spec.size[0]}x{spec.size[1]}, {o.runs} runs, one thread, medians in ms")
    names = ("network", "NumPy", "both", "one file", "MB", "one MB", "people", "px apart")
    print(f"{'file':<10}" + "".join(f"{name:>9}" for name in names))
    for kind in tflite.KINDS:
        file = o.bundle / bundle.FILES.get(kind, "")
        if file.is_file():
            print(line(kind, file.read_bytes(), spec, views, o.runs))


def view(photo: Path, spec: PoseSpec) -> np.ndarray:
    """All of a photo, as a network is served it."""
    image = read_image(photo)
    return geometry.warp(image, geometry.letterbox(image.shape[:2], spec.size), spec.size)


def noise(spec: PoseSpec) -> np.ndarray:
    """A view of grey levels drawn by chance."""
    return np.random.default_rng(0).integers(0, 256, (*spec.size, 3), dtype=np.uint8)


def line(kind: str, network: bytes, spec: PoseSpec, views: list[np.ndarray], runs: int) -> str:
    """The times of one network's two files, their sizes, and how far apart they put a keypoint at most."""
    one = decoded.decoded(network, spec)
    maps, whole, decode = LiteRT(network), LiteRT(one), decoder(spec.decoder, spec.skeleton)
    times, apart = [], {}
    for run in range(-5, runs):
        number = run % len(views)
        outputs, first = timed(maps, views[number][None])
        poses, second = timed(decode, runners.last_stage(outputs))
        found, third = timed(whole, views[number][None])
        times.append((first, second, first + second, third))
        apart[number] = difference(keypoints(poses), found)
    figures = "".join(f"{ms:>9.2f}" for ms in np.median(times[5:], axis=0))
    sizes = "".join(f"{len(content) / 1e6:>9.2f}" for content in (network, one))
    people = np.mean([count for count, _ in apart.values()])
    return f"{kind:<10}{figures}{sizes}{people:>9.1f}{max(d for _, d in apart.values()):>9.5f}"


def timed(call: Callable, argument) -> tuple:
    """What a call returns, and its milliseconds."""
    start = time.process_time()
    result = call(argument)
    return result, 1000 * (time.process_time() - start)


def keypoints(poses) -> np.ndarray:
    """The keypoints (N, K, 3) of what a decoder returns for one view."""
    return poses if isinstance(poses, np.ndarray) else poses[0].keypoints


def difference(expected: np.ndarray, found: dict) -> tuple[int, float]:
    """How many people there are, and the largest difference of their coordinates; ValueError for other numbers."""
    count = int(found["count"][0])
    if count != len(expected):
        raise ValueError(f"the file finds {count} people, NumPy {len(expected)}; has the file room for them?")
    return count, float(np.abs(found["keypoints"][0, :count, :, :2] - expected[..., :2]).max(initial=0))


if __name__ == "__main__":
    main()
