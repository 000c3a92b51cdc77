"""Averaged weights (Polyak and Juditsky 1992): training goes on with its own, everything else gets the averages.

Validation, network.keras and best.keras, and so what is exported, have the averages; a checkpoint has both. The
statistics of batch norm are averages already and stay as they are.
"""

import contextlib

import keras
import numpy as np


class Averages(keras.callbacks.Callback):
    """Puts the averages into the network for as long as it is validated, or `there` lasts, where there are any."""

    def __init__(self, trainee: keras.Model):
        super().__init__()
        optimizer = getattr(trainee.optimizer, "inner_optimizer", trainee.optimizer)
        averages = optimizer._model_variables_moving_average if optimizer.use_ema else []
        self.pairs = list(zip(optimizer._trainable_variables, averages)) if averages else []
        self.own = None

    def on_test_begin(self, logs=None):
        self.put()

    def on_test_end(self, logs=None):
        self.take_back()

    def put(self) -> None:
        """The averages take the place of the weights, which are kept."""
        self.own = [np.array(variable) for variable, _ in self.pairs]
        for variable, average in self.pairs:
            variable.assign(np.array(average))

    def take_back(self) -> None:
        """The weights are back; nothing happens where they are there already."""
        for (variable, _), value in zip(self.pairs, self.own or []):
            variable.assign(value)
        self.own = None

    @contextlib.contextmanager
    def there(self):
        """While it lasts the network has the averages."""
        self.put()
        try:
            yield
        finally:
            self.take_back()
