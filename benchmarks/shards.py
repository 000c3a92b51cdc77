"""Top-down samples a second on one core: from a COCO folder's photos, beside the same people's crops in shards.

    python -m benchmarks.shards person_keypoints_train2017.json train2017/ [--width 1600]

Both go through the same pipeline to the same views of 256x192, augmented, with heatmaps and weights. `--width` enlarges
the photos first, as a camera with more pixels would give them (COCO's are at most 640 wide); they are enlarged by
interpolation, so their JPEGs have fewer details to decode than a camera's. They take turns of so many samples, so that
both meet the same machine. Where other work shares the core, compare the samples per second of CPU time.
"""

import argparse
import dataclasses
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from PIL import Image

from benchmarks.input_pipeline import PADDING, QUEUED, SIZE, batches, settle


def main() -> None:
    options = arguments()
    core = sorted(os.sched_getaffinity(0))[-1]
    os.sched_setaffinity(0, {core})  # before TensorFlow and OpenCV count the cores
    import cv2

    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    cv2.setNumThreads(1)
    found = [r for r in coco.load(options.annotations, options.images, COCO17, on_bad="skip").records if len(r.boxes)]
    scratch = Path(tempfile.mkdtemp())
    try:
        records = [enlarged(r, options.width, scratch) for r in found] if options.width else found
        report(records, COCO17, scratch / "shards", options)
    finally:
        shutil.rmtree(scratch)


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("annotations", type=Path, help="a COCO keypoint file")
    p.add_argument("images", type=Path, help="the folder of its photos")
    p.add_argument("--width", type=int, default=0, help="of the photos (default: as they are)")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--samples", type=int, default=1600, help="of one turn (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    p.add_argument("--warps", nargs="+", default=["opencv", "graph"], help="(default: both)")
    return p.parse_args()


def turn(batches, samples: int) -> tuple[float, float]:
    """Samples a second of the clock and of CPU time, once what stood in the queue is used up."""
    taken(batches, QUEUED)
    start, cpu = time.perf_counter(), time.process_time()
    done = taken(batches, samples)
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def taken(batches, samples: int) -> int:
    """At least so many samples, taken."""
    done = 0
    while done < samples:
        done += next(batches)
    return done


def compare(contenders: dict, options) -> dict[str, tuple[float, float]]:
    """Each contender's median samples a second, of the clock and of CPU time: alone on the core the two are equal."""
    speeds = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, found in contenders.items():
            speeds[name].append(turn(found, options.samples))
            settle()
    return {name: tuple(map(statistics.median, zip(*found))) for name, found in speeds.items()}


def report(records, skeleton, folder: Path, options) -> None:
    """Writes the shards, measures, prints the table."""
    from tfpose.config import Augment
    from tfpose.data import crops, sharding, shards

    reach = crops.reach(SIZE, PADDING, Augment())
    about = sharding.write(records, folder, "train", skeleton, {}, sharding.How(reach))
    cut = shards.load(folder, "train", skeleton).records
    contenders = {}
    for warp in options.warps:
        contenders[f"photos, {warp} warp"] = batches(records, skeleton, options.batch, warp)
        contenders[f"crops in shards, {warp} warp"] = batches(cut, skeleton, options.batch, warp)
    speeds = compare(contenders, options)
    photos = sum(Path(r.path).stat().st_size for r in records) / 2**20
    pixels = sorted(r.width for r in records)[len(records) // 2]
    print(f"{about.people} people on {about.photos} photos {pixels} wide (median), one core; ", end="")
    print(f"photos {photos:.1f} MB, shards {sum(s.bytes for s in about.shards) / 2**20:.1f} MB")
    print(f"{'':<32}{'samples/s':>12}{'of CPU time':>14}{'x photos':>10}")
    for name, (speed, of_cpu) in speeds.items():
        warp = name.split(", ")[1]
        print(f"{name:<32}{speed:12.0f}{of_cpu:14.0f}{of_cpu / speeds[f'photos, {warp}'][1]:10.2f}")


def enlarged(record, width: int, folder: Path):
    """A record whose photo is so many pixels wide, written into a folder with JPEG quality 92."""
    path = folder / Path(record.path).name
    height = round(record.height * width / record.width)
    with Image.open(record.path) as photo:
        photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(path, quality=92)
    x, y = width / record.width, height / record.height
    keypoints, boxes = record.keypoints.copy(), record.boxes * (x, y, x, y)
    keypoints[..., :2] = (keypoints[..., :2] + 0.5) * (x, y) - 0.5
    keypoints[keypoints[..., 2] == 0] = 0
    moved = {"keypoints": keypoints, "boxes": boxes.astype("float32"), "areas": record.areas * x * y, "ignore": ()}
    return dataclasses.replace(record, path=str(path), width=width, height=height, **moved)


if __name__ == "__main__":
    main()
