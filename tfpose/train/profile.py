"""Where the time of some steps goes: a trace by TensorFlow's profiler, for TensorBoard's profile plugin."""

from pathlib import Path

import keras
import tensorflow as tf

from tfpose.train.timeline import Timeline


class Profile(keras.callbacks.Callback):
    """Traces the steps `first` to `last` of a run, counted from one, into tensorboard/plugins/profile.

    `before` are the steps of the epoch that were done before `fit` began. Of steps that run in one execution all are
    traced, or none.
    """

    def __init__(self, folder: Path, timeline: Timeline, steps: tuple[int, int], before: int):
        super().__init__()
        self.folder, self.timeline, self.steps, self.before = folder, timeline, steps, before
        self.on = False

    def on_epoch_begin(self, epoch, logs=None):
        self.start = self.timeline.step_at(epoch) + self.before

    def on_train_batch_begin(self, batch, logs=None):
        first, last = self.steps
        if not self.on and first <= self.start + batch + 1 <= last:
            tf.profiler.experimental.start(str(self.folder / "tensorboard"))
            self.on = True

    def on_train_batch_end(self, batch, logs=None):
        if self.start + batch + 1 >= self.steps[1]:
            self._end()

    def on_train_end(self, logs=None):
        self._end()

    def _end(self) -> None:
        if self.on:
            tf.profiler.experimental.stop()
            self.on = False
            print(f"traced steps {self.steps[0]} to {self.steps[1]}: {self.folder / 'tensorboard'}", flush=True)
