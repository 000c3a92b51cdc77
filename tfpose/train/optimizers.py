"""The optimizers of a configuration: Keras's own where it means what the recipe means, else its update, rewritten.

PyTorch recipes name Adam and RMSprop, Caffe's name SGD; Keras computes the first two slightly differently, and weight
decay altogether.
"""

import math
import re

import keras
import tensorflow as tf
from keras import ops

from tfpose.config import Optimizer


class Whole:
    """What Keras 3.15's optimizers do not do for several replicas or trainings in turn, for each of those below.

    They clip the gradients of each replica, which is not what one replica would do: here their sum over the replicas is
    clipped, by `clip`, the greatest norm of all together, 0 for any. And each `fit` would end by putting averaged
    weights in the place of the trained ones, though another phase may follow.
    """

    clip = 0.0

    def _all_reduce_sum_gradients(self, grads_and_vars):
        reduced = super()._all_reduce_sum_gradients(grads_and_vars)
        if not self.clip:
            return reduced
        gradients, variables = zip(*reduced, strict=True)
        return list(zip(tf.clip_by_global_norm(gradients, self.clip)[0], variables, strict=True))

    def finalize_variable_values(self, var_list):
        pass


class AdamW(Whole, keras.optimizers.AdamW):
    """AdamW as Keras computes it."""


class Adam(Whole, keras.optimizers.Adam):
    """Adam as PyTorch computes it: weight decay is added to the gradient, epsilon to the corrected root."""

    def __init__(self, learning_rate, *, decay: float = 0.0, **options):
        super().__init__(learning_rate, **options)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        index, step = self._get_variable_index(variable), ops.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (ops.cast(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        left = ops.power(beta_2, step)
        # One pass over weights and moments; a large network waits for its memory. The operation's epsilon is added to
        # the root before its correction.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=ops.power(beta_1, step),
            beta2_power=left,
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self.epsilon * ops.sqrt(1 - left),
            grad=ops.cast(gradient, variable.dtype) + self.decay * variable,
        )

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


class RMSprop(Whole, keras.optimizers.RMSprop):
    """RMSprop as PyTorch computes it: weight decay is added to the gradient, epsilon to the root, not under it."""

    def __init__(self, learning_rate, *, decay: float = 0.0, **options):
        super().__init__(learning_rate, **options)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, variable.dtype) + self.decay * variable
        index, rate = self._get_variable_index(variable), ops.cast(learning_rate, variable.dtype)
        v = self._velocities[index]
        self.assign(v, self.rho * v + (1 - self.rho) * ops.square(gradient))
        step = gradient / (ops.sqrt(v) + self.epsilon)
        if self.momentum > 0:
            momentum = self._momentums[index]
            self.assign(momentum, self.momentum * momentum + step)
            step = momentum
        self.assign_sub(variable, rate * step)

    def get_config(self):
        return super().get_config() | {"decay": self.decay}


class SGD(Whole, keras.optimizers.SGD):
    """SGD as Caffe computes it: `decay` is added to the gradients of kernels, and layers have rates of their own.

    `multipliers` are (pattern, rate): the learning rate of a variable is multiplied by the rates of all patterns found
    in its path. ValueError names a pattern that is found in none.
    """

    def __init__(self, learning_rate, *, decay: float = 0.0, multipliers=(), **options):
        super().__init__(learning_rate, **options)
        self.decay, self.multipliers = decay, tuple(map(tuple, multipliers))

    def build(self, variables):
        super().build(variables)
        paths = [variable.path for variable in variables]
        for pattern, _ in self.multipliers:
            if not any(re.search(pattern, path) for path in paths):
                raise ValueError(
                    f"train.optimizer.multipliers: {pattern!r} matches no variable; the network's are {paths[0]} to "
                    f"{paths[-1]}"
                )
        self._factors = [math.prod(r for pattern, r in self.multipliers if re.search(pattern, p)) for p in paths]

    def update_step(self, gradient, variable, learning_rate):
        if len(variable.shape) > 1:  # biases and batch norm are vectors
            gradient = ops.cast(gradient, variable.dtype) + self.decay * variable
        super().update_step(gradient, variable, learning_rate * self._factors[self._get_variable_index(variable)])

    def get_config(self):
        return super().get_config() | {"decay": self.decay, "multipliers": self.multipliers}


class Muon(Whole, keras.optimizers.Muon):
    """Muon (Jordan et al. 2024) for convolutions: each kernel is the matrix (height * width * in, out).

    Its update has the size of Adam's, so that one learning rate and one decay serve both (Liu et al. 2025, Eq. 4).
    Biases, batch norm and the layers that give heatmaps and part affinity fields are updated by AdamW.
    """

    def _should_use_adamw(self, variable):
        return len(variable.shape) not in (2, 4) or any(output in variable.path for output in ("heatmaps", "pafs"))

    def zeropower_via_newtonschulz5(self, x, steps: int):
        """Jordan's iteration on the products of columns, X'X, in place of X: a third of the work for tall matrices.

        Every factor is a polynomial of X'X, so their product is found first and multiplies X once.
        """
        wide = x.shape[0] < x.shape[1]
        x = ops.transpose(x) if wide else x
        x = x / (ops.norm(x) + 1e-7)
        products, factor, one = ops.transpose(x) @ x, None, ops.eye(x.shape[1], dtype=x.dtype)
        for left in reversed(range(steps)):
            step = self.muon_a * one + self.muon_b * products + self.muon_c * products @ products
            factor = step if factor is None else factor @ step
            products = products @ (step @ step) if left else products
        x = x @ factor
        return ops.transpose(x) if wide else x

    def _muon_update_step(self, gradient, variable, lr, m):
        self.assign_add(m, gradient + m * (self.momentum - 1))
        gradient = gradient + self.momentum * m
        matrix = ops.reshape(gradient, (-1, variable.shape[-1]))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        self.assign_sub(variable, ops.reshape(self.lr_adjust(lr * update), variable.shape))


def optimizer(options: Optimizer, rate, *, clip_norm: float = 0.0, average: float = 0.0) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration at a learning rate or schedule.

    `clip_norm` is the greatest norm of all gradients together, `average` the factor of the past in averaged weights; 0
    is without.
    """
    chosen = _named(options, rate)
    chosen.clip = clip_norm
    if average:
        chosen.use_ema, chosen.ema_momentum, chosen.ema_overwrite_frequency = True, average, None
    return chosen


def _named(options: Optimizer, rate) -> keras.optimizers.Optimizer:
    """Of the name; RMSprop's constant is PyTorch's (alpha 0.99)."""
    decay = options.weight_decay
    if options.name == "rmsprop":
        return RMSprop(rate, rho=0.99, epsilon=1e-8, momentum=options.momentum, decay=decay)
    if options.name == "adam":
        return Adam(rate, epsilon=1e-8, decay=decay)
    if options.name == "adamw":
        return AdamW(rate, epsilon=1e-8, weight_decay=decay)
    if options.name == "muon":
        return Muon(rate, epsilon=1e-8, weight_decay=decay, adam_weight_decay=decay)
    multipliers = [(m.match, m.rate) for m in options.multipliers]
    return SGD(rate, momentum=options.momentum, decay=decay, multipliers=multipliers)
