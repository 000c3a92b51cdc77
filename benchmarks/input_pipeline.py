"""Top-down samples a second on one core: this package's pipeline beside a plain one-person-at-a-time OpenCV loop.

    python benchmarks/input_pipeline.py person_keypoints_train2017.json train2017/

Both read the same photos and give the same: views of 256x192 with rotation, scale, mirror, half-body and colour drawn
at random, normalised to float32, and heatmaps with their weights. They alternate, so that both meet the same machine.
Where other work shares the core, compare the samples per second of CPU time.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

SIZE, STRIDE, SIGMA, PADDING = (256, 192), 4, 2.0, 1.25
MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255
NORMALISE = np.column_stack([np.diag(1 / DEVIATION), -MEAN / DEVIATION])
QUEUED = 800  # samples, more than any of the queues holds
COLOUR = 0.2  # of brightness, contrast and saturation


def main() -> None:
    options = arguments(__doc__)
    core = sorted(os.sched_getaffinity(0))[-1]
    os.sched_setaffinity(0, {core})  # before TensorFlow and OpenCV count the cores
    import cv2

    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    cv2.setNumThreads(1)
    records = coco.load(options.annotations, options.images, COCO17, on_bad="skip").records
    contenders = {"plain cv2": plain(records, COCO17)}
    for warp in ("opencv", "graph"):
        contenders[f"tfpose, {warp} warp"] = batches(records, COCO17, options.batch, warp)
    speeds = compare(contenders, options.seconds, options.rounds)
    print(f"{sum(len(r.boxes) for r in records)} people in {len(records)} photos, {SIZE[0]}x{SIZE[1]}, one core")
    print(f"{'':<22}{'samples/s':>12}{'of CPU time':>14}{'x plain':>10}")
    for name, (speed, of_cpu) in speeds.items():
        print(f"{name:<22}{speed:12.0f}{of_cpu:14.0f}{of_cpu / speeds['plain cv2'][1]:10.2f}")


def arguments(what: str) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=what.partition("\n")[0])
    p.add_argument("annotations", type=Path, help="a COCO keypoint file")
    p.add_argument("images", type=Path, help="the folder of its photos")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--seconds", type=float, default=4.0, help="of one turn (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    return p.parse_args()


def compare(contenders: dict[str, Iterator[int]], seconds: float, rounds: int) -> dict[str, tuple[float, float]]:
    """Each contender's median samples a second, of the clock and of CPU time: alone on the core the two are equal."""
    speeds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, samples in contenders.items():
            speeds[name].append(turn(samples, seconds))
            settle()
    return {name: tuple(map(statistics.median, zip(*found))) for name, found in speeds.items()}


def turn(samples: Iterator[int], seconds: float) -> tuple[float, float]:
    """Samples a second of the clock and of CPU time, measured once what stood in the queue is used up."""
    waiting = QUEUED
    while waiting > 0:
        waiting -= next(samples)
    start, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        done += next(samples)
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def settle() -> None:
    """Returns when a pipeline has filled its queue, so that the next contender does not pay for that."""
    busy = 1.0
    while busy > 0.02:
        before = time.process_time()
        time.sleep(0.3)
        busy = time.process_time() - before


def batches(records, skeleton, batch: int, warp: str) -> Iterator[int]:
    """The package's pipeline; a network of the package normalises by itself, so here it is added to the encoding."""
    import tensorflow as tf

    from tfpose.config import Augment
    from tfpose.data import pipeline
    from tfpose.encode import heatmaps

    grid = (SIZE[0] // STRIDE, SIZE[1] // STRIDE)
    scale, offset = (tf.constant(np.tile(v, SIZE[1]), tf.float32) for v in (1 / DEVIATION, -MEAN / DEVIATION))

    def encode(sample):
        keypoints = sample["keypoints"][:, 0]
        # Row by row: TensorFlow is ten times slower where it repeats a vector of three.
        rows = tf.reshape(tf.cast(sample["image"], tf.float32), [-1, SIZE[0], SIZE[1] * 3])
        image = tf.reshape(rows * scale + offset, [-1, *SIZE, 3])
        maps = heatmaps.heatmaps(keypoints, grid, STRIDE, SIGMA, centre="cell")
        return image, (maps, heatmaps.weights(keypoints, grid, STRIDE, SIGMA))

    augment = Augment(brightness=COLOUR, contrast=COLOUR, saturation=COLOUR)
    common = {"size": SIZE, "padding": PADDING, "skeleton": skeleton, "augment": augment, "batch": batch, "seed": 0}
    for image, _ in pipeline.training(records, encode, warp=warp, workers=1, **common):
        yield len(image)


def plain(records, skeleton) -> Iterator[int]:
    """One person at a time, as published top-down data sets do it."""
    random = np.random.default_rng(0)
    people = [(r.path, r.keypoints[i], r.boxes[i]) for r in records for i in range(len(r.boxes))]
    while True:
        for i in random.permutation(len(people)):
            sample(*people[i], skeleton, random)
            yield 1


def sample(path: str, keypoints: np.ndarray, box: np.ndarray, skeleton, random) -> tuple:
    """(view (H, W, 3) float32, heatmaps (K, h, w) float32, weights (K,)) of one person."""
    import cv2

    image = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    keypoints, box, padding = keypoints.copy(), box, PADDING
    if (keypoints[:, 2] > 0).sum() > 8 and random.random() < 0.3:
        box, padding = half_body(keypoints, box, skeleton, random)
    turn = np.clip(random.normal() * 45, -90, 90) if random.random() < 0.6 else 0.0
    scale = np.clip(random.normal() * 0.35 + 1, 0.65, 1.35)
    if random.random() < 0.5:
        image = cv2.flip(image, 1)  # five times as fast as handing OpenCV a reversed array
        keypoints = keypoints[list(skeleton.mirror)]
        keypoints[:, 0] = image.shape[1] - 1 - keypoints[:, 0]
        box = np.array([image.shape[1] - box[0] - box[2], *box[1:]])
    matrix = affine(box, padding, turn, scale)
    view = cv2.warpAffine(image, matrix, SIZE[::-1], flags=cv2.INTER_LINEAR)
    view = cv2.transform(view, colour(random))
    points = keypoints[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    view = cv2.transform(view.astype(np.float32), NORMALISE)
    return view, *targets(points, keypoints[:, 2])


def half_body(keypoints: np.ndarray, box: np.ndarray, skeleton, random) -> tuple[np.ndarray, float]:
    lower = np.array([name.endswith(("hip", "knee", "ankle")) for name in skeleton.keypoints])
    halves = [keypoints[(keypoints[:, 2] > 0) & part, :2] for part in (~lower, lower)]
    chosen = halves[0] if random.random() < 0.5 and len(halves[0]) > 2 else halves[1]
    chosen = chosen if len(chosen) > 2 else halves[0]
    if len(chosen) < 2:
        return box, PADDING
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    return np.concatenate([low, high - low]), 1.5


def affine(box: np.ndarray, padding: float, turn: float, scale: float) -> np.ndarray:
    x, y, w, h = box
    factor = SIZE[1] / (max(w, h * SIZE[1] / SIZE[0], 1e-6) * padding / scale)
    cos, sin = np.cos(np.radians(turn)) * factor, np.sin(np.radians(turn)) * factor
    linear = np.array([[cos, -sin], [sin, cos]])
    offset = (np.array(SIZE[::-1]) - 1) / 2 - linear @ [x + w / 2 - 0.5, y + h / 2 - 0.5]
    return np.column_stack([linear, offset])


def colour(random) -> np.ndarray:
    saturation, contrast, brightness = random.uniform(-COLOUR, COLOUR, 3)
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))
    linear = ((1 + saturation) * np.eye(3) - saturation * grey) * (1 + contrast)
    return np.column_stack([linear, np.full(3, brightness * 255 - contrast * 127.5)])


def targets(points: np.ndarray, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian patch of three sigma pasted for each keypoint."""
    height, width = SIZE[0] // STRIDE, SIZE[1] // STRIDE
    maps = np.zeros((len(points), height, width), np.float32)
    weights = (visibility > 0).astype(np.float32)
    reach = int(SIGMA * 3)
    axis = np.arange(2 * reach + 1, dtype=np.float32)
    patch = np.exp(-((axis - reach) ** 2 + (axis[:, None] - reach) ** 2) / (2 * SIGMA**2))
    for k in range(len(points)):
        x, y = np.floor((points[k] + 0.5) / STRIDE).astype(int)
        left, top, right, bottom = x - reach, y - reach, x + reach + 1, y + reach + 1
        if not weights[k] or left >= width or top >= height or right <= 0 or bottom <= 0:
            weights[k] = 0
            continue
        rows, columns = slice(max(0, top), min(bottom, height)), slice(max(0, left), min(right, width))
        maps[k, rows, columns] = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return maps, weights


if __name__ == "__main__":
    main()
