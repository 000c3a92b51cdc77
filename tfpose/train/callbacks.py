"""What happens around the steps: the bar, the log, the checkpoint, and the stop when the loss is not finite."""

import csv
import math
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfpose.config import Config
from tfpose.progress import clock
from tfpose.systems.base import PoseSystem
from tfpose.train import checkpoint, schedules
from tfpose.train.ema import Averages
from tfpose.train.timeline import Stretch, Timeline


class FiniteLoss(keras.callbacks.Callback):
    """Stops at the first loss that is not finite, naming the batch; the last checkpoint stays as it was.

    It must stand before the callback that writes checkpoints: an epoch's last step can spoil the weights too.
    """

    def __init__(self, name_batch, first: int = 0):
        super().__init__()
        self.name_batch, self.first = name_batch, first
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = logs["loss"]
        step = self.first + batch
        if not math.isfinite(loss):
            raise ArithmeticError(
                f"the loss is {loss} at epoch {self.epoch + 1}, step {step + 1}, annotations "
                f"{self.name_batch(self.epoch, step)}; look at them with `tfpose check-data`, or lower "
                "train.optimizer.learning_rate; the last checkpoint is whole"
            )

    def on_epoch_end(self, epoch, logs=None):
        spoilt = [v.path for v in self.model.network.variables if not np.isfinite(np.asarray(v)).all()]
        if spoilt or not math.isfinite(logs.get("val_loss", 0.0)):
            raise ArithmeticError(
                f"{spoilt[0] if spoilt else 'the validation loss'} is not finite after the last step of epoch "
                f"{epoch + 1}; lower train.optimizer.learning_rate; the last checkpoint is whole"
            )


class Progress(keras.callbacks.Callback):
    """A line that says how far the run is, `samples` (images) a second, loss and the time left of the whole run."""

    def __init__(self, timeline: Timeline, stretch: Stretch, samples: str = "images", before: int = 0):
        super().__init__()
        self.timeline, self.stretch, self.samples, self.before = timeline, stretch, samples, before
        self.done = self.first = 0
        self.start = self.shown = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.done = self.timeline.step_at(epoch)

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        step = self.before + batch + 1
        self.done = self.timeline.step_at(self.epoch) + step
        if self.start is None:  # the first step builds the graph: the clock starts after it
            self.start = self.shown = now
            self.first = self.done
        elif now - self.shown >= (0.2 if sys.stderr.isatty() else 30):
            self.shown = now
            self._show(step, logs, "" if sys.stderr.isatty() else "\n")

    def on_epoch_end(self, epoch, logs=None):
        if self.start is not None and self.done > self.first:
            self._show(self.stretch.steps, logs, "\n")

    def known(self) -> dict:
        """How far the run is: its epoch and step, and, once they are known, images a second and the seconds left."""
        far = {"epoch": self.epoch + 1, "epochs": self.timeline.stretches[-1].end}
        far |= {"step": self.done, "steps": self.timeline.total}
        if self.start is None or self.done == self.first:
            return far
        rate, left = self._pace()
        return far | {f"{self.samples}/s": round(rate, 2), "seconds_left": round(left)}

    def _pace(self) -> tuple[float, float]:
        seconds = max(time.monotonic() - self.start, 1e-9) / (self.done - self.first)
        # A step of another phase takes longer about as its views have more pixels.
        return self.stretch.batch / seconds, seconds * self.timeline.pixels_after(self.done) / self.stretch.pixels

    def _show(self, step, logs, end):
        rate, left = self._pace()
        losses = " ".join(f"{name} {logs[name]:.3e}" for name in ("loss", "val_loss") if name in logs)
        line = (
            f"epoch {self.epoch + 1}/{self.timeline.stretches[-1].end} step {step}/{self.stretch.steps} "
            f"{rate:.1f} {self.samples}/s {losses} {clock(left)} left"
        )
        print(f"\r{line:<100}" if sys.stderr.isatty() else line, end=end, file=sys.stderr, flush=True)


class Log(keras.callbacks.Callback):
    """One row of log.csv an epoch; rows from `start` on, left by a killed run, are written anew."""

    def __init__(self, path: Path, start: int):
        super().__init__()
        self.path = path
        self.rows = []
        if path.is_file():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= start]

    def on_epoch_end(self, epoch, logs=None):
        rate = schedules.current(self.model.optimizer)
        self.rows.append({"epoch": epoch + 1, "learning_rate": rate, **logs})
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        scratch = self.path.with_suffix(".part")
        with scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        scratch.replace(self.path)


class TensorBoard(keras.callbacks.Callback):
    """Scalars for TensorBoard: every value of the log, once an epoch."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch, logs=None):
        with self.writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            tf.summary.scalar("learning_rate", schedules.current(self.model.optimizer))

    def on_train_end(self, logs=None):
        self.writer.close()


class Keeper(keras.callbacks.Callback):
    """Keeps the run: a checkpoint after each epoch and the best network by validation loss.

    Of several workers one writes; the others keep `state` alone.
    """

    def __init__(self, folder: Path, system: PoseSystem, config: Config, state: dict, averages: Averages, writes: bool):
        super().__init__()
        self.folder, self.system, self.config = folder, system, config
        self.averages, self.writes = averages, writes
        self.state = dict(state)

    def on_epoch_end(self, epoch, logs=None):
        loss, best = logs.get("val_loss"), self.state["best"]
        if loss is not None and (best is None or loss < best):
            self.state["best"] = loss
            if self.writes:
                with self.averages.there():
                    save_network(self.model.network, self.system, self.config, self.folder / "best.keras")
        self.state["epoch"] = epoch + 1
        self.save(self.state)

    def save(self, state: dict) -> None:
        """Writes a checkpoint where this worker is the one that does."""
        if self.writes:
            checkpoint.save(self.folder / checkpoint.FILE, self.model, state)


def save_network(network: keras.Model, system: PoseSystem, config: Config, path: Path) -> None:
    """Writes a training network as a plain .keras: standard layers, every stage's outputs; pose.json beside it.

    It has the system's own size; a network of whole images takes any, so that it can be tested at several scales, and
    one of labels any number of them.
    """
    plain = system.build((None, None) if system.view != "person" else None)
    plain.set_weights(network.get_weights())
    with checkpoint.whole(path) as scratch:
        plain.save(scratch)
    system.spec(config.data.padding).save(path.with_name("pose.json"))
