"""A step whose batch is too large to compute at once: its parts one after the other, then one update with their mean.

The batch stays what `train.batch` says, so that steps, schedule and logs are the same for any number of parts. Keras's
own `gradient_accumulation_steps` counts parts as steps, and cannot be used under a distribution strategy.
"""

import tensorflow as tf


def accumulate(trainee, parts: int) -> None:
    """Has a compiled trainee compute each replica's batch in so many equal parts."""

    def train_step(data):
        gradients = []
        for number in range(parts):
            some = _sum(trainee, *_part(data, number, parts, gradients), parts)
            gradients = [a + b for a, b in zip(gradients, some, strict=True)] if gradients else some
        trainee.optimizer.apply_gradients(zip(gradients, trainee.trainable_variables, strict=True))
        return trainee.get_metrics_result()

    trainee.train_step = train_step


def _part(data, number: int, parts: int, after: list):
    """One part of a batch; it is there only after what came before, so that their activations never live together."""

    def cut(values):
        size = tf.shape(values)[0] // parts
        return tf.identity(values[number * size : (number + 1) * size])

    with tf.control_dependencies(after):
        return tf.nest.map_structure(cut, data)


def _sum(trainee, inputs, targets, parts: int) -> list:
    """The part's share of the gradients of the batch; its loss goes into the log."""
    with tf.GradientTape() as tape:
        outputs = trainee(inputs, training=True)
        loss = trainee.compute_loss(inputs, targets, outputs, training=True)
        scaled = trainee.optimizer.scale_loss(loss / parts)
    count = tf.shape(tf.nest.flatten(inputs)[0])[0]
    trainee._loss_tracker.update_state(loss * trainee.replicas, sample_weight=count)
    return tape.gradient(scaled, [v.value for v in trainee.trainable_variables])
