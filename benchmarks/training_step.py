"""Samples a second through keras `fit` on one core: a network as plain Keras, and as this package trains it.

    python benchmarks/training_step.py [CONFIG] [--annotations person_keypoints_train2017.json --images train2017/]

The contenders take turns with the same batch, so that all meet the same machine; a ratio is the median over the rounds.
The wait is that of the fastest on the real pipeline: blocked in the iterator, and all that the data costs the one core.
"""

import argparse
import functools
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "ppnet" / "m2-d2-w32_256x192_coco.yaml"
PLAIN, FLOAT, BFLOAT = "plain Keras, float32", "tfpose, float32", "tfpose, bfloat16"


def main() -> None:
    options = arguments()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # before TensorFlow counts the cores
    from tfpose import yaml_config

    config = yaml_config.load(options.config, data(options))
    samples, method = pipeline(config, options.batch)
    trainees = {PLAIN: trainee(config, method, None)}
    trainees |= {name: trainee(config, method, p) for name, p in ((FLOAT, "float32"), (BFLOAT, "bfloat16"))}
    turns = compare(trainees, next(iter(samples)), options.rounds, options.steps)
    print(f"{'':<22}{'samples/s':>12}{'of CPU time':>14}{'x plain':>10}{'of CPU time':>14}")
    for name, found in turns.items():
        speeds = [statistics.median(options.batch / turn[i] for turn in found) for i in (0, 1)]
        ratios = [statistics.median(p[i] / t[i] for p, t in zip(turns[PLAIN], found)) for i in (0, 1)]
        print(f"{name:<22}{speeds[0]:12.2f}{speeds[1]:14.2f}{ratios[0]:10.2f}{ratios[1]:14.2f}")
    blocked, extra = wait(trainees[BFLOAT], samples, options.rounds * options.steps)
    print(f"wait for data, {BFLOAT}: blocked {blocked:.2%} of a step; its CPU time is {extra:.2%} of a step's")


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("config", type=Path, nargs="?", default=CONFIG, help="default: PPNet M2-D2-W32 at 256x192")
    p.add_argument("--annotations", type=Path, help="a COCO keypoint file (default: synthetic people)")
    p.add_argument("--images", type=Path, help="the folder of its photos")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--steps", type=int, default=2, help="of one turn (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each (default: %(default)s)")
    return p.parse_args()


def data(options: argparse.Namespace) -> tuple[str, ...]:
    """The overrides that say which data: the files that are given, or a small synthetic data set."""
    if options.annotations:
        named = (("annotations", options.annotations), ("images", options.images or options.annotations.parent))
        return tuple(f"data.{p}.{name}={path}" for p in ("train", "validation") for name, path in named)
    return "data.format=synthetic", "data.folder=data/synthetic_benchmark", "data.count=[128, 4]"


def pipeline(config, batch: int):
    """The training data of a run, and the system that encodes it."""
    from tfpose.data import pipeline, source
    from tfpose.skeleton import skeleton
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    records = source.load_part(config.data, method.skeleton, "train").records
    samples = pipeline.training(
        records,
        method.encode,
        size=method.training_size,
        padding=config.data.padding,
        skeleton=method.skeleton,
        view=method.view,
        stride=method.stride,
        augment=config.augment,
        batch=batch,
        seed=config.seed,
        warp=config.data.warp,
    )
    return samples, method


def trainee(config, method, precision: str | None):
    """A compiled trainee: of the network as `build` gives it for None, else of the training network of a precision."""
    import keras

    from tfpose.train import devices, optimizers, schedules
    from tfpose.train.fused import training_network
    from tfpose.train.trainee import Trainee

    keras.utils.set_random_seed(config.seed)
    build = functools.partial(method.build, method.training_size)
    network = training_network(build, precision) if precision else build()
    rate = schedules.LearningRate(config.train.optimizer.learning_rate, config.train.schedule, (), 1)
    result = Trainee(network, method)
    optimizer = optimizers.optimizer(config.train.optimizer, rate)
    result.compile(optimizer=optimizer, jit_compile=devices.compiler() if precision else False)
    result.optimizer.build(network.trainable_variables)
    return result


def compare(trainees: dict, batch, rounds: int, steps: int) -> dict[str, list[tuple[float, float]]]:
    """Each one's seconds a step in each round, of the clock and of CPU time; an untimed first one builds the graph."""
    import tensorflow as tf

    again = tf.data.Dataset.from_tensors(batch).repeat()
    for one in trainees.values():
        fit(one, again, 1)
    turns = {name: [] for name in trainees}
    for _ in range(rounds):
        for name, one in trainees.items():
            turns[name].append(fit(one, again, steps)[:2])
    return turns


def fit(one, dataset, steps: int) -> tuple[float, float, list[float]]:
    """Median seconds a step of the clock and of CPU time, and when each step began, of `steps` through `fit`."""
    import keras

    begun, ended = [], []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):  # noqa: ARG002 keras's own signature
            begun.append((time.perf_counter(), time.process_time()))

        def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
            ended.append((time.perf_counter(), time.process_time()))

    one.fit(dataset, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[Clock()])
    wall, cpu = (statistics.median(e[i] - b[i] for b, e in zip(begun, ended)) for i in (0, 1))
    return wall, cpu, [b[0] for b in begun]


def wait(one, samples, steps: int) -> tuple[float, float]:
    """Shares of a step: blocked until its batch is there, and the CPU time of the pipeline that makes the batch."""
    import tensorflow as tf

    fetched = []

    def stamp(inputs, targets):
        # Runs in the step's own call for the next batch, after the pipeline has handed it over.
        with tf.control_dependencies([tf.numpy_function(lambda: fetched.append(time.perf_counter()), [], [])]):
            return tf.nest.map_structure(tf.identity, (inputs, targets))

    seconds, cpu, begun = fit(one, samples.map(stamp), steps + 1)  # the first step fills the queue
    blocked = statistics.median(f - b for b, f in zip(begun[1:], fetched[1:]))
    return blocked / seconds, data_time(samples) / cpu


def data_time(samples, batches: int = 20, queued: int = 8) -> float:
    """CPU seconds that the pipeline alone takes for a batch, once what stood in its queue is used up."""
    iterator = iter(samples)
    for _ in range(queued):
        next(iterator)
    start = time.process_time()
    for _ in range(batches):
        next(iterator)
    return (time.process_time() - start) / batches


if __name__ == "__main__":
    main()
