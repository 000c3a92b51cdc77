"""PCK@0.2 and milliseconds of a bundle's int8 file beside MoveNet Lightning int8, on the same photos and exact boxes.

Of the 12 keypoints of shoulders, elbows, wrists, hips, knees and ankles, whatever else a network finds.

    python benchmarks/movenet.py BUNDLE --movenet movenet_single_pose_lightning_ptq.tflite \\
        --annotations lspet_coco17_train.json.gz --images images/ --every 10 --remainder 1
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from tfpose import runners
from tfpose.data import coco
from tfpose.litert import LiteRT
from tfpose.metrics.pck import pck
from tfpose.predict import Predictor, read_image
from tfpose.predictions import fast_warp
from tfpose.progress import progress
from tfpose.skeleton import COCO17, Skeleton


def main() -> None:
    """Prints a line per network and crop: PCK@0.2 in per cent, and the median milliseconds of one run on one thread."""
    o = options()
    records = coco.load(o.annotations, o.images, COCO17, keep=(o.every, o.remainder, True)).records[: o.limit]
    spec, ours = runners.load(o.bundle / "int8.tflite", threads=1)
    movenet = movenet_run(o.movenet)
    square = dataclasses.replace(spec, skeleton=COCO17, size=(192, 192), padding=1.0)
    rows = {
        "tfpose int8": Predictor(spec, ours, warp=fast_warp()),
        "tfpose int8, flip": Predictor(spec, ours, flip="aligned", warp=fast_warp()),
        "MoveNet int8, box": Straight(square, movenet, warp=fast_warp()),
        "MoveNet int8, box x 1.25": Straight(dataclasses.replace(square, padding=1.25), movenet, warp=fast_warp()),
    }
    print(f"{len(records)} photos")
    for name, predictor in rows.items():
        figure, milliseconds = measure(predictor, records, name)
        print(f"{name:<26} PCK@0.2 {100 * figure:5.1f}  {milliseconds:6.2f} ms")


class Straight(Predictor):
    """A predictor whose network gives keypoints (N, K, 3) in view pixels itself."""

    def keypoints(self, views):
        return self.run(views)


def movenet_run(path: Path):
    """MoveNet as (N, 192, 192, 3) uint8 -> keypoints (N, 17, 3) in view pixels."""
    network = LiteRT(path, threads=1)

    def run(views):
        found = next(iter(network(views).values()))[:, 0]  # (N, 17, 3) as y, x, score; 0 to 1 from corner to corner
        return np.stack([found[..., 1] * 192 - 0.5, found[..., 0] * 192 - 0.5, found[..., 2]], axis=-1)

    return run


def measure(predictor, records, name: str) -> tuple[float, float]:
    """PCK@0.2 and the median milliseconds of `run` on one view."""
    times, run = [], predictor.run

    def timed(views):
        start = time.perf_counter()
        found = run(views)
        times.append(1000 * (time.perf_counter() - start) / len(views))
        return found

    predictor = dataclasses.replace(predictor, run=timed, batch=1)
    found = [predictor(read_image(r.path), r.boxes).keypoints for r in progress(records, len(records), name)]
    found = [coco17(people, predictor.spec.skeleton) for people in found]
    return pck([r.keypoints for r in records], found, COCO17)["PCK12"], float(np.median(times))


def coco17(people: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """People (P, K, 3) of any skeleton as COCO's (P, 17, 3), by the names of keypoints; those it has not are zero."""
    result = np.zeros((len(people), COCO17.count, 3), people.dtype)
    for i, name in enumerate(COCO17.keypoints):
        if name in skeleton.keypoints:
            result[:, i] = people[:, skeleton.index(name)]
    return result


def options() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bundle", type=Path)
    p.add_argument("--movenet", type=Path, required=True)
    p.add_argument("--annotations", type=Path, required=True)
    p.add_argument("--images", type=Path, required=True)
    p.add_argument("--every", type=int, default=10)
    p.add_argument("--remainder", type=int, default=1)
    p.add_argument("--limit", type=int, default=1000)
    return p.parse_args()


if __name__ == "__main__":
    main()
