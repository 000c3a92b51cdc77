"""Bottom-up samples a second on one core: this package's pipeline beside a plain one-image-at-a-time OpenCV loop.

    python -m benchmarks.input_images person_keypoints_train2017.json train2017/

Both read the same photos and give the same: views of 368x368 around a person drawn at random, with rotation, scale,
mirror and colour, as float32; and at stride 8 the heatmaps of 18 keypoints, the fields of 19 limbs and the weights of
the cells. The loop warps a photo once, where published code scales, turns and crops it one after the other, and has
its masks in memory. They alternate. Where other work shares the core, compare the samples per second of CPU time.
"""

import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

from benchmarks.encode import plain_heatmaps, plain_pafs
from benchmarks.input_pipeline import COLOUR, arguments, colour, compare

SIDE, STRIDE, PADDING = 368, 8, 1 / 0.6
CELLS = slice(STRIDE // 2, None, STRIDE)


def main() -> None:
    options = arguments(__doc__)
    core = sorted(os.sched_getaffinity(0))[-1]
    os.sched_setaffinity(0, {core})  # before TensorFlow and OpenCV count the cores
    import cv2

    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    cv2.setNumThreads(1)
    split = coco.load(options.annotations, options.images, COCO17, on_bad="skip")
    records = [r for r in split.records if len(r.boxes)]
    contenders = {"plain cv2": plain(records, COCO17)}
    for warp in ("opencv", "graph"):
        contenders[f"tfpose, {warp} warp"] = batches(records, COCO17, options.batch, warp)
    speeds = compare(contenders, options.seconds, options.rounds)
    people = np.mean([len(r.boxes) for r in records])
    print(f"{len(records)} photos of {people:.1f} people on average, {SIDE}x{SIDE}, one core")
    print(f"{'':<22}{'samples/s':>12}{'of CPU time':>14}{'x plain':>10}")
    for name, (speed, of_cpu) in speeds.items():
        print(f"{name:<22}{speed:12.0f}{of_cpu:14.0f}{of_cpu / speeds['plain cv2'][1]:10.2f}")


def batches(records, skeleton, batch: int, warp: str) -> Iterator[int]:
    """The package's pipeline; a network of the package normalises by itself, so here it is added to the encoding."""
    import tensorflow as tf

    from tfpose.config import Augment
    from tfpose.data import pipeline
    from tfpose.options import OpenPose
    from tfpose.systems.base import system

    method = system(OpenPose(crop=(SIDE, SIDE), stages=1), skeleton)

    def encode(sample):
        inputs, targets = method.encode(sample)
        return tf.cast(inputs["image"], tf.float32) * (1 / 256) - 0.5, targets

    augment = Augment(half_body=0.0, brightness=COLOUR, contrast=COLOUR, saturation=COLOUR)
    common = {"size": (SIDE, SIDE), "padding": PADDING, "skeleton": skeleton, "augment": augment, "seed": 0}
    views = {"view": method.view, "stride": method.stride, "batch": batch, "warp": warp, "workers": 1}
    for image, _ in pipeline.training(records, encode, **common, **views):
        yield len(image)


def plain(records, skeleton) -> Iterator[int]:
    """One image at a time, as published bottom-up data sets do it."""
    from tfpose.skeleton import OPENPOSE18, conversion

    random, there = np.random.default_rng(0), conversion(skeleton, OPENPOSE18)
    masks = [np.uint8(r.ignore_mask()) if r.ignore else None for r in records]
    while True:
        for i in random.permutation(len(records)):
            sample(records[i], masks[i], skeleton, there, OPENPOSE18.pairs, random)
            yield 1


def sample(record, mask, skeleton, there: np.ndarray, pairs: np.ndarray, random) -> tuple:
    """(view (H, W, 3), heatmaps (h, w, K + 1), fields (h, w, 2L), weights (h, w)) of one image, float32."""
    import cv2

    from tfpose.skeleton import converted

    image = cv2.imread(record.path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    matrix = affine(record.boxes[random.integers(len(record.boxes))], random)
    keypoints = record.keypoints.copy()
    keypoints[..., :2] = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    view = cv2.transform(cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR), colour(random))
    seen = np.zeros((SIDE, SIDE), np.uint8)
    if mask is not None:
        seen = cv2.warpAffine(mask, matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
    if random.random() < 0.5:
        view, seen, keypoints = cv2.flip(view, 1), cv2.flip(seen, 1), keypoints[:, list(skeleton.mirror)]
        keypoints[..., 0] = SIDE - 1 - keypoints[..., 0]
    people = converted(keypoints, there)
    weights = 1 - seen[CELLS, CELLS].astype(np.float32)
    view = view.astype(np.float32) * np.float32(1 / 256) - np.float32(0.5)
    return view, plain_heatmaps(people), plain_pafs(people, pairs), weights


def affine(box: np.ndarray, random) -> np.ndarray:
    """Photo -> view, (2, 3), around a box that is turned and scaled by chance."""
    x, y, w, h = box
    turn = np.radians(np.clip(random.normal() * 45, -90, 90) if random.random() < 0.6 else 0.0)
    scale = np.clip(random.normal() * 0.35 + 1, 0.65, 1.35)
    factor = SIDE / (max(w, h, 1e-6) * PADDING * scale)
    linear = factor * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([linear, (SIDE - 1) / 2 - linear @ [x + w / 2 - 0.5, y + h / 2 - 0.5]])


if __name__ == "__main__":
    main()
