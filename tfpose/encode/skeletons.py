"""From the annotations' skeleton to the network's: keypoints that nobody labelled, such as a neck, out of others."""

import tensorflow as tf


def converted(keypoints, conversion):
    """Keypoints (..., K, 3) by a `skeleton.conversion` (K', 2): (..., K', 3) float32, all zeros where one is unknown.

    It is `skeleton.converted` in TensorFlow.
    """
    ends = tf.gather(tf.cast(keypoints, tf.float32), conversion, axis=-2)  # (..., K', 2, 3)
    value = tf.reduce_min(ends[..., 2], axis=-1)[..., None]
    result = tf.concat([tf.reduce_mean(ends[..., :2], axis=-2), value], axis=-1)
    return tf.where(value > 0, result, 0.0)
