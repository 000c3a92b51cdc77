"""Speed and AP of the decoder of part affinity fields, beside OpenPose's in C++ on the same maps of a real network.

    taskset -c 0 python -m benchmarks.decode --peers PEERS --coco COCO

PEERS has `paf_train_maps.npz`, `paf_maps.npz`, their `..._meta.json` and `paf_train_cpp.json`, a network's maps of COCO
photos and the AP of the C++ decoder; COCO is the data set's folder with its `annotations`. Times are medians of
repeated decodes of the same maps, in milliseconds of processor time; cold ones with 64 MB of other memory written in
between.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.ideal import drawn, standing
from tfpose import geometry
from tfpose.decode.pafs import Pafs
from tfpose.evaluate import coco_ap
from tfpose.poses import Poses
from tfpose.skeleton import COCO17, OPENPOSE18, conversion, converted

STRIDE, GRID = 8, (46, 82)
# The channels of x of the network's fields, a limb each of OPENPOSE18 in its order.
LIMBS = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36)
DEFAULT = Pafs(OPENPOSE18, STRIDE)
# What tf-pose-estimation's pafprocess.cpp asks: peaks and fields of 0.05, four keypoints that score 0.4 on the mean.
CPP = Pafs(OPENPOSE18, STRIDE, threshold=0.05, limb=0.05, relaxed=False, keypoints=4, score=1.6)
ENLARGED = Pafs(OPENPOSE18, STRIDE, upsample=4)
COMMON_BODY = np.array(
    [
        *((0, 0.08), (0, 0.19), (-0.11, 0.2), (-0.17, 0.36), (-0.2, 0.52), (0.11, 0.2), (0.17, 0.36), (0.2, 0.52)),
        *((-0.08, 0.52), (-0.1, 0.75), (-0.11, 0.96), (0.08, 0.52), (0.1, 0.75), (0.11, 0.96)),
        *((-0.03, 0.06), (0.03, 0.06), (-0.06, 0.08), (0.06, 0.08)),
    ]
)


def main() -> None:
    """Prints the times on real maps, on ideal ones and on noise, then the AP on real and on ideal maps."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--peers", type=Path, default=Path("../shared/peers"))
    p.add_argument("--coco", type=Path, default=Path("../shared/data/coco"))
    o = p.parse_args()
    train = real(o.peers, "paf_train")
    maps = [outputs for _, outputs in train + real(o.peers, "paf")]
    for name, cold in (("warm", False), ("cold", True)):
        ms = [milliseconds(m, cold=cold) for m in maps]
        print(f"{len(ms)} real maps, {name:<20} median {np.median(ms):6.3f} ms  95 % {np.quantile(ms, 0.95):6.3f} ms")
    for count in (1, 2, 5, 10, 20, 50):
        crowd(count)
    draw = np.random.default_rng(0)
    noise = draw.random((*GRID, 19), np.float32), draw.uniform(-1, 1, (*GRID, 38)).astype(np.float32)
    print(f"noise                                    {milliseconds(noise):6.3f} ms")
    truth = annotations(o.coco, "train")
    cpp = json.loads((o.peers / "paf_train_cpp.json").read_text())
    known = [cpp[name]["AP"] for name in ("cpp_default", "cpp_tuned")]
    print(f"AP, {len(train)} real maps; C++ {known[0]:.4f}, with lowered thresholds {known[1]:.4f}")
    for name, decode in (("defaults", DEFAULT), ("C++ thresholds", CPP), ("4 x finer maps", ENLARGED)):
        print(f"  {name:<16} {ap(truth, train, decode):.4f}")
    truth = annotations(o.coco, "val")
    print(f"AP, ideal maps of COCO val   {ap(truth, ideal(truth), DEFAULT):.4f}")


def real(folder: Path, name: str) -> list[tuple[dict, tuple]]:
    """(photo, (heatmaps, fields)) of a network's maps; a photo has its id and `sx`, `sy`, view pixels per pixel."""
    photos = json.loads((folder / f"{name}_meta.json").read_text())["images"]
    with np.load(folder / f"{name}_maps.npz") as file:
        found = [(p, file[f"heatmaps_{p['id']}"], file[f"pafs_{p['id']}"]) for p in photos]
    return [(p, (heatmaps.astype(np.float32), in_order(pafs, LIMBS))) for p, heatmaps, pafs in found]


def in_order(pafs: np.ndarray, limbs: tuple[int, ...]) -> np.ndarray:
    """Fields (h, w, 2L) float32 whose limbs have x at the channels `limbs` and y at the next."""
    channels = np.array(limbs)[:, None] + [0, 1]
    return np.ascontiguousarray(pafs[..., channels.ravel()], np.float32)


def milliseconds(maps: tuple, *, cold: bool = False) -> float:
    """The median time of one decode, after some that are not counted."""
    other, seconds = np.zeros(64 << 18, np.int32), []
    for _ in range(20):
        DEFAULT.one(*maps)
    for _ in range(15 if cold else 100):
        if cold:
            other += 1
        begin = time.process_time()
        DEFAULT.one(*maps)
        seconds.append(time.process_time() - begin)
    return 1000 * float(np.median(seconds))


def crowd(count: int) -> None:
    """Prints the time for ideal maps of so many people, how many are found and their worst error."""
    people = standing(count, (GRID[0] * STRIDE, GRID[1] * STRIDE), COMMON_BODY)
    maps = drawn(people, OPENPOSE18.pairs, GRID)
    poses = DEFAULT.one(*maps)
    error = np.abs(poses.keypoints[:, None, :, :2] - people[None, :, :, :2]).max(axis=(2, 3)).min(axis=0).max()
    print(f"{count:2d} ideal people, {len(poses):2d} found to {error:6.3f} px     {milliseconds(maps):6.3f} ms")


def annotations(folder: Path, part: str) -> dict:
    """COCO's keypoint annotations of a part."""
    return json.loads((folder / f"annotations/person_keypoints_{part}2017.json").read_text())


def ideal(truth: dict) -> list[tuple[dict, tuple]]:
    """The same as `real`, of maps drawn from the annotated people, the shorter side of a view 368 pixels."""
    ends, found = conversion(COCO17, OPENPOSE18), []
    for photo in truth["images"]:
        factor = 368 / min(photo["height"], photo["width"])
        people = [a["keypoints"] for a in truth["annotations"] if a["image_id"] == photo["id"] and not a["iscrowd"]]
        keypoints = np.array(people, float).reshape(-1, 17, 3)
        keypoints[..., :2] = geometry.resizing(factor, factor).apply(keypoints[..., :2])
        grid = tuple(-(-round(photo[side] * factor) // STRIDE) for side in ("height", "width"))
        maps = drawn(converted(keypoints, ends), OPENPOSE18.pairs, grid)
        found.append(({"id": photo["id"], "sx": factor, "sy": factor}, maps))
    return found


def ap(truth: dict, photos: list[tuple[dict, tuple]], decode: Pafs) -> float:
    """The AP of what a decoder finds in the maps of photos, as COCO's 17 keypoints."""
    ends, results = conversion(OPENPOSE18, COCO17), []
    for photo, maps in photos:
        poses = decode.one(*maps).mapped(geometry.resizing(1 / photo["sx"], 1 / photo["sy"]))
        results += Poses(converted(poses.keypoints, ends), poses.scores, poses.boxes).to_coco(photo["id"])
    return coco_ap(truth, results, [photo["id"] for photo, _ in photos])["AP"]


if __name__ == "__main__":
    main()
