"""The share of time that a training waits for its input, on two cores: every configuration of configs/tiny, each stage.

    python -m benchmarks.waiting [CONFIG ...]

A step waits from when it asks the pipeline for its batch until it has it. The first steps fill the queue and do not
count. It trains as `tfpose train` does, with that configuration's data, and keeps nothing.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf

from tfpose import yaml_config
from tfpose.train import devices, feed, stages
from tfpose.train.run import assemble

CORES, FIRST = 2, 5
FOLDER = Path(__file__).resolve().parent.parent / "configs" / "tiny"


class Clock(keras.callbacks.Callback):
    """When each step asked for its batch, had it, and ended, in seconds."""

    def __init__(self):
        super().__init__()
        # Queues of TensorFlow's: Python's lock may be with a pipeline that makes its batches in Python.
        self.asked, self.fetched = (tf.queue.FIFOQueue(100_000, tf.float64, shapes=[()]) for _ in range(2))
        self.ended = []

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002 keras's own signature
        self.ended.append(time.time())

    def watched(self, samples: tf.data.Dataset) -> tf.data.Dataset:
        """The batches, of which each says when it is asked for and when it is there: in the step's own call for it."""

        def asked(number):
            with tf.control_dependencies([self.asked.enqueue(tf.timestamp())]):
                return tf.identity(number)

        def fetched(number, batch):  # noqa: ARG001
            with tf.control_dependencies([self.fetched.enqueue(tf.timestamp())]):
                return tf.nest.map_structure(tf.identity, batch)

        # Of a pair the first is made first.
        return tf.data.Dataset.zip(tf.data.Dataset.counter().map(asked), samples).map(fetched)

    def found(self) -> tuple[float, float]:
        """Seconds a step, from one end to the next, and the share of that time in which steps waited."""
        # Keras looks at a batch before the first step where a network has not been built by data.
        asked, fetched = (q.dequeue_many(q.size()).numpy()[-len(self.ended) :] for q in (self.asked, self.fetched))
        every = list(zip(asked, fetched, self.ended, strict=True))[FIRST:]
        whole = every[-1][2] - self.ended[FIRST - 1]
        return whole / len(every), sum(there - begun for begun, there, _ in every) / whole


def parts(path: Path) -> dict[str, object]:
    """The configuration of each training that a file asks for, by its name."""
    config = yaml_config.load(path)
    if not config.stages:
        return {path.stem: config}
    return {f"{path.stem}, {stage.name}": stages.alone(config, i) for i, stage in enumerate(config.stages)}


def measured(config, steps: int, folder: Path) -> tuple[float, float]:
    """Seconds a step and the share in which it waited."""
    devices.seed(config.seed)
    run, clock = assemble(config, folder, devices.strategy("cpu")), Clock()
    samples = clock.watched(feed.samples(run, run.timeline.stretches[0], 0))
    run.trainee.fit(samples, steps_per_epoch=FIRST + steps, shuffle=False, verbose=0, callbacks=[clock])
    return clock.found()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", type=Path, default=sorted(FOLDER.glob("*.yaml")))
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # before TensorFlow counts the cores
    devices.threads()
    print(f"{'':<34}{'batch':>7}{'ms a step':>12}{'waits':>9}{'load':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for path in options.configs:
            for name, config in parts(path).items():
                seconds, share = measured(config, options.steps, Path(folder))
                load, batch = os.getloadavg()[0], config.train.batch
                print(f"{name:<34}{batch:>7}{1e3 * seconds:>12.1f}{share:>9.2%}{load:>7.1f}", flush=True)
                keras.backend.clear_session()


if __name__ == "__main__":
    main()
