"""The learning rate as a function of the step: warm-up, then constant, steps, linear or cosine."""

import keras
import numpy as np
from keras import ops

from tfpose.config import Schedule


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
        return {"base": self.base, "schedule": self.schedule, "at": self.at, "total": self.total}
