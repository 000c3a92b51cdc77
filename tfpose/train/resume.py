"""An epoch that was left in the middle goes on: with the losses of its first part, or with its validation alone."""

import keras
import numpy as np


def sums(trainee) -> list[float]:
    """What a run's epoch has summed up for its log until now."""
    return [float(np.asarray(variable)) for variable in _variables(trainee)]


class Continue(keras.callbacks.Callback):
    """Gives the first epoch of a `fit` the `sums` of what was done of it before."""

    def __init__(self, values: list[float]):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(_variables(self.model), self.values, strict=True):
            variable.assign(value)


def end_epoch(trainee, epoch: int, callbacks: list, validation_data) -> None:
    """What `fit` does after the last step of an epoch, for one whose steps were all done before.

    `validation_data` is None where this epoch is not validated.
    """
    every = keras.callbacks.CallbackList(callbacks, model=trainee)
    every.on_train_begin()
    trainee.reset_metrics()
    every.on_epoch_begin(epoch)
    logs = dict(trainee.get_metrics_result())
    if validation_data is not None:
        found = trainee.evaluate(validation_data, callbacks=every, return_dict=True, verbose=0)
        logs |= {f"val_{name}": value for name, value in found.items()}
    every.on_epoch_end(epoch, logs)
    every.on_train_end(logs)


def _variables(trainee) -> list:
    return [variable for metric in trainee.metrics for variable in metric.variables]
