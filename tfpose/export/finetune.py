"""A short training of a twin: steps of Adam on its system's own loss, the learning rate falling to zero."""

import itertools
import math
from collections.abc import Callable, Iterable

import tensorflow as tf
import tf_keras

from tfpose.progress import progress


def finetune(
    copy: tf_keras.Model,
    loss: Callable[[dict, dict], dict],
    batches: Iterable[tuple[dict, dict]],
    *,
    steps: int,
    rate: float,
    callback: tf_keras.callbacks.Callback | None = None,
) -> list[float]:
    """The loss of each step of a training of `copy` on the first `steps` batches (inputs, targets).

    `loss` gives {term: scalar} of targets and outputs; `callback` is told when a step begins and when all are done.
    ArithmeticError where the loss stops being finite.
    """
    callback = callback or tf_keras.callbacks.Callback()
    copy.optimizer = tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(rate, steps))
    callback.set_model(copy)

    @tf.function(autograph=False)
    def step(images, targets):
        with tf.GradientTape() as tape:
            cost = tf.add_n(list(loss(targets, copy(images, training=True)).values()))
        weights = copy.trainable_variables
        gradients = zip(tape.gradient(cost, weights), weights)
        # A part of the network that the loss does not ask for, such as anchors too large for the view, has none.
        copy.optimizer.apply_gradients((g, w) for g, w in gradients if g is not None)
        return cost

    callback.on_train_begin()
    losses = []
    for inputs, targets in progress(itertools.islice(batches, steps), steps, "train"):
        callback.on_train_batch_begin(len(losses))
        losses.append(float(step(inputs["image"], targets)))
        if not math.isfinite(losses[-1]):
            raise ArithmeticError(f"the loss is {losses[-1]} at step {len(losses)}; lower quantize.learning_rate")
    callback.on_epoch_end(0)
    return losses
