"""What a training tells those who watch it: status.json every few seconds, report.html less often, photos with people.

What is told costs little: the line and the page are a millisecond or two, and the photos wait until 50 times as long as
they took has passed.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from tfpose.train.callbacks import Progress
from tfpose.train.ema import Averages
from tfpose.train.examples import Examples, photo
from tfpose.train.run import Run
from tfpose.watch import report, samples, status

LINE, PAGE = 5.0, 30.0  # seconds between two status lines, and between two pages
SHARE = 0.02  # of a run's time, at most, for its photos


class Status(keras.callbacks.Callback):
    """Writes the status line every few seconds and after each epoch, and the page.

    It must stand after the callbacks that write what the page shows.
    """

    def __init__(self, run: Run, progress: Progress):
        super().__init__()
        self.run, self.progress = run, progress
        self.lined = self.paged = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if now - self.lined >= LINE:
            self._tell(logs, page=now - self.paged >= PAGE)

    def on_epoch_end(self, epoch, logs=None):
        self._tell(logs, page=True)

    def _tell(self, logs: dict, *, page: bool) -> None:
        self.lined = time.monotonic()
        self.paged = self.lined if page else self.paged
        known = {name: logs[name] for name in ("loss", "val_loss") if name in logs}
        status.say(self.run.folder, report.write if page else None, status.RUNNING, **self.progress.known(), **known)


class Samples(keras.callbacks.Callback):
    """After an epoch the people that the network finds on some validation photos: samples.json, and their mean OKS.

    It waits until what it took the last time is less than `SHARE` of what has passed since.
    """

    def __init__(self, run: Run, averages: Averages):
        super().__init__()
        self.run, self.averages = run, averages
        self.examples = Examples(run)
        self.took, self.ended = 0.0, -np.inf

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(str(self.run.folder / "tensorboard"))

    def on_train_end(self, logs=None):
        self.writer.close()

    def on_epoch_end(self, epoch, logs=None):
        start = time.monotonic()
        last = epoch + 1 == self.run.timeline.stretches[-1].end
        if not last and start - self.ended < self.took / SHARE:
            return
        with self.averages.there():
            ranked = self.examples.ranked()
        if ranked:
            how = {"epoch": epoch + 1, "measure": self.examples.measure, "photo": photo}
            samples.write(self.run.folder, ranked, self.run.system.skeleton, **how)
            with self.writer.as_default(step=epoch + 1):
                tf.summary.scalar(f"photos/{self.examples.measure}", np.mean([pair.likeness for pair in ranked]))
        self.ended = time.monotonic()
        self.took = self.ended - start
