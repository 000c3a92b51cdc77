"""The learning rate: a function of the step (warm-up, then constant, steps, linear, cosine), or fallen on plateaux."""

from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from tfpose.config import Schedule

BETTER = 1e-4  # of the lowest loss: by so much another must be lower to count as better (as in PyTorch)


def rate(base: float, schedule: Schedule, at: tuple[int, ...], total: int):
    """What an optimizer takes as its learning rate: a `LearningRate`, or for "plateau" a number that `Plateau` changes.

    A number becomes one of the optimizer's variables, and is in the checkpoint with them.
    """
    return base if schedule.name == "plateau" else LearningRate(base, schedule, at, total)


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """`base` times a factor of the step: a linear warm-up times the named decay over `total` steps."""

    def __init__(self, base: float, schedule: Schedule, at: tuple[int, ...], total: int):
        self.base, self.schedule, self.at, self.total = base, schedule, at, total

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warm = ops.minimum(1.0, (step + 1) / max(self.schedule.warmup_steps, 1))
        return self.base * warm * self._decay(step)

    def _decay(self, step):
        part = ops.minimum(step / max(self.total, 1), 1.0)
        if self.schedule.name == "linear":
            return 1 - part
        if self.schedule.name == "cosine":
            return (1 + ops.cos(np.pi * part)) / 2
        if self.schedule.name == "steps":
            passed = sum((ops.cast(step >= a, "float32") for a in self.at), ops.zeros(()))
            if self.schedule.every_steps:
                passed += ops.floor(step / self.schedule.every_steps)
            return ops.power(ops.convert_to_tensor(self.schedule.factor, "float32"), passed)
        return ops.ones(())

    def get_config(self):
        return {"base": self.base, "schedule": asdict(self.schedule), "at": self.at, "total": self.total}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"schedule": Schedule(**config["schedule"])})


def current(optimizer) -> float:
    """The learning rate of an optimizer's next step."""
    return float(np.asarray(optimizer.learning_rate))  # a variable of several devices is no number, but an array


class Plateau(keras.callbacks.Callback):
    """Multiplies the learning rate by `factor` when `patience` validations in a row were not better than the best.

    `state` is the run's, written with each checkpoint: "best" is the lowest validation loss, "waited" how many came
    since. It must stand before the callback that writes checkpoints and that best loss, and after those that log the
    rate by which an epoch was learnt.
    """

    def __init__(self, schedule: Schedule, state: dict):
        super().__init__()
        self.schedule, self.state = schedule, state

    def on_epoch_end(self, epoch, logs=None):
        loss, best = logs.get("val_loss"), self.state["best"]
        if loss is None:
            return
        better = best is None or loss < best - BETTER * abs(best)
        self.state["waited"] = 0 if better else self.state["waited"] + 1
        if self.state["waited"] == self.schedule.patience:
            self.state["waited"] = 0
            rate = current(self.model.optimizer) * self.schedule.factor
            self.model.optimizer.learning_rate = max(rate, self.schedule.minimum)
