"""The loss scale of float16: a step is left out, and the scale halved, where the gradients of any replica overflow."""

import keras
import tensorflow as tf
from keras import ops


class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras's, put right for several replicas.

    Keras 3.15 asks the gradients of the first replica alone, as if they were added up already, which happens later
    (keras/src/optimizers/loss_scale_optimizer.py, `_tf_apply`): what overflows elsewhere would spoil all weights.
    """

    def check_finite(self, grads):
        """Whether the gradients of every replica are finite: the same answer on all of them."""
        finite, context = super().check_finite(grads), tf.distribute.get_replica_context()
        if context.num_replicas_in_sync == 1:
            return finite
        spoilt = ops.cast(ops.logical_not(finite), "float32")
        return ops.equal(context.all_reduce(tf.distribute.ReduceOp.SUM, spoilt), 0.0)
