"""The share of time that a training waits for its input, on two cores: every configuration of configs/tiny, each stage.

    python -m benchmarks.waiting [CONFIG ...]

A step waits from when it begins until its batch has left the pipeline, the call into TensorFlow included. The first
steps fill the queue and do not count. It trains as `tfpose train` does, with that configuration's data, and keeps
nothing.
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
    """When each step began, had its batch, and ended, in seconds."""

    def __init__(self):
        super().__init__()
        self.begun, self.fetched, self.ended = [], [], []

    def on_train_batch_begin(self, batch, logs=None):  # noqa: ARG002 keras's own signature
        self.begun.append(time.perf_counter())

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        self.ended.append(time.perf_counter())

    def watched(self, samples: tf.data.Dataset) -> tf.data.Dataset:
        """The batches, of which each says when it leaves the pipeline: in the step's own call for it."""

        def stamp(inputs, targets):
            said = tf.numpy_function(lambda: self.fetched.append(time.perf_counter()), [], [])
            with tf.control_dependencies([said]):
                return tf.nest.map_structure(tf.identity, (inputs, targets))

        return samples.map(stamp)

    def found(self) -> tuple[float, float]:
        """Seconds a step, from one end to the next, and the share of that time in which steps waited."""
        # Keras looks at a batch before the first step where a network has not been built by data.
        fetched = self.fetched[-len(self.ended) :]
        every = list(zip(self.begun, fetched, self.ended, strict=True))[FIRST:]
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
