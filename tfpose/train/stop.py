"""A run that is asked to stop (SIGTERM) finishes its step, writes where it is, and ends with exit code 0.

Clusters ask so before they take a machine away. The same command continues with the next step.
"""

import contextlib
import signal
import threading
from collections.abc import Callable

import keras

from tfpose.train import multiworker, resume
from tfpose.train.ema import Averages


class Request:
    """Whether the process was asked to stop."""

    made = False

    def __call__(self, number, frame):
        self.made = True


@contextlib.contextmanager
def listening():
    """A `Request` that SIGTERM makes, for as long as this lasts; only a program's main thread may listen."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, request)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)


class Stop(keras.callbacks.Callback):
    """Saves and ends the process where `request` was made, of one worker or of any; raises SystemExit.

    `save(state)` writes the checkpoint, `state` is the run's as of the last whole epoch, `first` the steps of the epoch
    that were done before `fit` began. It must stand after the callback that saves whole epochs.
    """

    def __init__(self, request: Request, save: Callable, state: dict, averages: Averages, first: int):
        super().__init__()
        self.request, self.save, self.state, self.averages, self.first = request, save, state, averages, first

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.step = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self.step = self.first + batch + 1
        if self._asked():
            self._end(resume.sums(self.model))

    def on_test_begin(self, logs=None):
        self.sums = resume.sums(self.model)  # those of the validation take their place

    def on_test_batch_end(self, batch, logs=None):
        if self._asked():
            self.averages.take_back()
            self._end(self.sums)

    def on_epoch_end(self, epoch, logs=None):
        if self._asked():
            _exit(f"after epoch {epoch + 1}")

    def _asked(self) -> bool:
        return multiworker.anyone(self.model.distribute_strategy, self.request.made)

    def _end(self, sums: list[float]) -> None:
        self.save(self.state | {"epoch": self.epoch, "step": self.step, "sums": sums})
        _exit(f"after step {self.step} of epoch {self.epoch + 1}")


class Saved(SystemExit):
    """The end of a process that was asked to stop, with exit code 0; `where` says what it saved."""

    def __init__(self, where: str):
        super().__init__(0)
        self.where = where


def _exit(where: str) -> None:
    print(f"asked to stop: saved {where}; the same command continues there", flush=True)
    raise Saved(where)
