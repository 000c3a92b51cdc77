"""Heatmaps and part affinity fields a second on one core: this package's, beside loops over people and their parts.

    python benchmarks/encode.py

Of 18 keypoints and 19 limbs in views of 368x368 at stride 8. The loops, in NumPy, draw each keypoint of each person on
the whole grid and each limb in its box, as published code does. Both draw the same people and take turns on the core.
Where other work shares the core, compare the samples per second of CPU time.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

SIZE, STRIDE, SIGMA, REACH = 368, 8, 7 / 8, 1.0
GRID = (SIZE // STRIDE, SIZE // STRIDE)
BATCH = 28
# How many people each view of a batch has: the same number, or up to 15, where most views have few.
SCENES = {"1": (1, 1), "3": (3, 3), "10": (10, 10), "1 to 15, mostly few": (1, 15)}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=15, help="turns of each (default: %(default)s)")
    rounds = p.parse_args().rounds
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # before TensorFlow counts the cores
    import tensorflow as tf

    from tfpose.encode import heatmaps, pafs
    from tfpose.skeleton import OPENPOSE18

    pairs = OPENPOSE18.pairs

    @tf.function(input_signature=[tf.TensorSpec((None, None, 18, 3))], autograph=False)
    def ours(keypoints):
        maps = heatmaps.people(keypoints, GRID, STRIDE, SIGMA)
        return maps, pafs.pafs(keypoints, pairs, GRID, STRIDE, REACH)

    print(f"{'':<22}{'samples/s':>16}{'of CPU time':>16}")
    print(f"{'people in a view':<22}{'loops':>8}{'tfpose':>8}{'loops':>8}{'tfpose':>8}{'x loops':>9}")
    for name, least_most in SCENES.items():
        people = crowd(np.random.default_rng(0), *least_most)
        agree(ours(people), plain(people, pairs))
        turns = [(turn(plain, people, pairs), turn(ours, people, times=8)) for _ in range(rounds)]
        (loops, loops_cpu), (tfpose, tfpose_cpu) = (map(statistics.median, zip(*t)) for t in zip(*turns))
        print(f"{name:<22}{loops:8.0f}{tfpose:8.0f}{loops_cpu:8.0f}{tfpose_cpu:8.0f}{tfpose_cpu / loops_cpu:9.1f}")


def crowd(random: np.random.Generator, least: int, most: int) -> np.ndarray:
    """Keypoints (BATCH, most, 18, 3) of people of 80 to 330 pixels, `least` to `most` of them in each view."""
    from tfpose.data.drawn import figures
    from tfpose.skeleton import OPENPOSE18

    people = np.zeros((BATCH, most, OPENPOSE18.count, 3), np.float32)
    for view in people:
        for person in view[: max(least, min(most, int(random.geometric(0.45))))]:
            angles = figures.draw_angles(random, figures.draw_kind(random))
            turned = {"yaw": random.normal(0, 60), "roll": random.normal(0, 6), "pitch": random.uniform(0, 14)}
            figure = figures.pose(angles, **turned, height=random.uniform(80, 330))
            figure = figure.moved(*random.uniform(0.1 * SIZE, 0.9 * SIZE, 2))
            person[:] = [(*figure.points[name][:2], 2) for name in OPENPOSE18.keypoints]
    return people


def turn(draw, *arguments, times: int = 1) -> tuple[float, float]:
    """Samples a second of the clock and of CPU time."""
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        draw(*arguments)
    done = BATCH * times
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def agree(ours, loops) -> None:
    for mine, theirs in zip(ours, loops, strict=True):
        assert np.abs(mine.numpy() - theirs).max() < 1e-4


def plain(views: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One view, one person and one part at a time."""
    return np.stack([plain_heatmaps(view) for view in views]), np.stack([plain_pafs(view, pairs) for view in views])


def plain_heatmaps(people: np.ndarray) -> np.ndarray:
    columns, rows = np.arange(GRID[1], dtype=np.float32), np.arange(GRID[0], dtype=np.float32)[:, None]
    maps = np.zeros((people.shape[1] + 1, *GRID), np.float32)
    for person in people:
        for k, (x, y, v) in enumerate(person):
            if v > 0:
                x, y = (x + 0.5) / STRIDE - 0.5, (y + 0.5) / STRIDE - 0.5
                squares = (columns - x) ** 2 + (rows - y) ** 2
                np.maximum(maps[k], np.exp(squares * np.float32(-0.5 / SIGMA**2)), out=maps[k])
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return maps.transpose(1, 2, 0)


def plain_pafs(people: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    fields, counts = np.zeros((len(pairs), 2, *GRID), np.float32), np.zeros((len(pairs), *GRID), np.float32)
    for person in people:
        cells = (person[:, :2] + 0.5) / STRIDE - 0.5
        for limb, (a, b) in enumerate(pairs):
            length = np.hypot(*(cells[b] - cells[a]))
            if person[a, 2] > 0 and person[b, 2] > 0 and length > 0:
                add(fields[limb], counts[limb], cells[a], (cells[b] - cells[a]) / length, length)
    return (fields / np.maximum(counts, 1)[:, None]).reshape(-1, *GRID).transpose(1, 2, 0)


def add(field: np.ndarray, count: np.ndarray, start: np.ndarray, unit: np.ndarray, length: float) -> None:
    """Adds a limb to its sums (2, h, w) and counts (h, w), in the box around it."""
    ends = np.stack([start, start + length * unit])
    left, top = np.maximum(np.floor(ends.min(axis=0) - REACH), 0).astype(int)
    right, bottom = np.maximum(np.minimum(np.ceil(ends.max(axis=0) + REACH) + 1, GRID[::-1]), 0).astype(int)
    dx, dy = np.arange(left, right) - start[0], np.arange(top, bottom)[:, None] - start[1]
    forward, aside = dx * unit[0] + dy * unit[1], dx * unit[1] - dy * unit[0]
    beyond = forward - np.clip(forward, 0, length)
    here = aside**2 + beyond**2 <= REACH**2
    field[:, top:bottom, left:right] += here * unit[:, None, None]
    count[top:bottom, left:right] += here


if __name__ == "__main__":
    main()
