"""The training network: the plain one cloned with TensorFlow's fused batch norm, and its weights brought back.

The fused operation makes a step about a fifth faster than Keras's on a CPU. It stays out of saved files: those hold
standard layers only.
"""

from collections.abc import Callable

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation over the last axis of (B, H, W, C), computed by one TensorFlow operation."""

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, tf.cast(self.gamma, tf.float32), tf.cast(self.beta, tf.float32), epsilon=self.epsilon
        )
        # The operation reports the unbiased variance; Keras keeps the biased one.
        variance = variance * (count - 1) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs


def training_network(build: Callable[[], keras.Model], precision: str, replicas: int = 1) -> keras.Model:
    """What `build` builds, for training: computing in `precision` wherever it fixes none, with fused batch norm.

    Several replicas take the statistics of their whole batch together, so that they compute what one would; as one
    each, or where they are not to be synchronised, each takes those of its part.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
    try:
        network = build()
        copy = keras.models.clone_model(network, clone_function=_fused if replicas == 1 else _synchronised)
    finally:
        keras.config.set_dtype_policy(before)
    copy.set_weights(network.get_weights())
    return copy


def _fused(layer: keras.Layer) -> keras.Layer:
    plain = isinstance(layer, keras.layers.BatchNormalization)
    return (FusedBatchNormalization if plain else layer.__class__).from_config(layer.get_config())


def _synchronised(layer: keras.Layer) -> keras.Layer:
    plain = isinstance(layer, keras.layers.BatchNormalization)
    return layer.__class__.from_config(layer.get_config() | ({"synchronized": True} if plain else {}))
