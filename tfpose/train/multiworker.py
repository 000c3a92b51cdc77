"""Keras 3.15's `fit` on several machines: two faults of it under MultiWorkerMirroredStrategy, put right.

1. `fit` builds the model from one batch first, and reduces that batch over the replicas; of several machines it is a
   PerReplica with one local value, which cannot be reduced ("Attempt to convert a value (PerReplica ...)"). A trainee
   is built already, so that nothing has to be.
2. What a step returns is reduced along axis 0, which the scalars of a log do not have ("Invalid reduction dimension
   0"). Here a step returns vectors of one number.

Both are in keras/src/backend/tensorflow/trainer.py: `_maybe_symbolic_build` and `reduce_per_replica`.
"""

import contextlib
import warnings

import numpy as np
import tensorflow as tf

from tfpose.data.share import WHOLE, Share


def correct(trainee) -> None:
    """Puts both faults right for one compiled trainee."""
    # A worker's part of the validation has no known length, and Keras warns at its end.
    warnings.filterwarnings("ignore", message="Your input ran out of data", category=UserWarning)
    steps = {name: getattr(trainee, name) for name in ("train_step", "test_step")}
    trainee._maybe_symbolic_build = lambda iterator=None, data_batch=None: None  # noqa: ARG005
    for name, step in steps.items():
        setattr(trainee, name, _with_axis(step))


def _with_axis(step):
    def vectors(data):
        return {name: value[None] for name, value in step(data).items()}

    return vectors


def several(strategy) -> bool:
    """Whether a strategy spans machines."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def chief(strategy) -> bool:
    """Whether this process is the one that writes: the only one, or the first of several workers."""
    return not several(strategy) or strategy.cluster_resolver.task_id == 0


def distributed(strategy, data):
    """What `fit` reads: `data(share)` is the data set of this worker's share of every batch."""
    if not several(strategy):
        return data(WHOLE)

    def local(context):
        replicas = context.num_replicas_in_sync
        each = replicas // context.num_input_pipelines
        return data(Share(replicas, context.input_pipeline_id * each, each))

    return strategy.distribute_datasets_from_function(local)


def anyone(strategy, said: bool) -> bool:
    """Whether any worker says so; all of them must ask at the same step."""
    if not several(strategy):
        return said
    return any(_of_all(strategy, float(said)))


def agree(strategy, number: int) -> bool:
    """Whether all workers have the same number."""
    return not several(strategy) or len(set(_of_all(strategy, float(number)))) == 1


def _of_all(strategy, number: float) -> list[float]:
    """Each replica's number, of those of all workers."""
    value = strategy.run(lambda: tf.constant([number], tf.float64))
    return np.asarray(strategy.gather(value, axis=0)).tolist()


@contextlib.contextmanager
def watching(strategy):
    """Turns the end of another worker into a ConnectionError that says what to do."""
    try:
        yield
    except tf.errors.OpError as error:
        if not several(strategy):
            raise
        raise ConnectionError(
            f"another worker has ended ({error.message.partition(chr(10))[0]}); start all of them again: they continue "
            "from the last checkpoint"
        ) from error
