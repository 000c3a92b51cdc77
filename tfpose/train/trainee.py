"""The trainee: a network with its system's loss, for keras `fit` on any backend."""

import keras
from keras import ops

from tfpose.train.distill import TERM, Teacher


class Trainee(keras.Model):
    """A network that learns what its system teaches.

    `compute_loss` is the one hook that works alike on TensorFlow and JAX. `replicas` divides the loss, because
    under tf.distribute the gradients of the replicas are added up. A `teacher` adds a term of its own.
    """

    def __init__(self, network: keras.Model, system, replicas: int = 1, teacher: Teacher | None = None):
        super().__init__(name="trainee")
        self.network = network
        self.system = system
        self.replicas = replicas
        self.teacher = teacher
        terms = (*system.terms, TERM) if teacher else system.terms
        self.means = {term: keras.metrics.Mean(name=term.replace("/", "_")) for term in terms}

    def call(self, inputs, training=None):
        some = seen(self.network, inputs)
        if training or self.replicas == 1:
            return self.network(some, training=training)
        # The last batch of a validation may leave a replica without samples, where operations fail: it sees zeros.
        more = keras.tree.map_structure(lambda x: ops.pad(x, [(0, 1), *[(0, 0)] * (len(x.shape) - 1)]), some)
        return keras.tree.map_structure(lambda y: y[:-1], self.network(more, training=False))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        count = ops.shape(next(iter(x.values())))[0]
        terms = self.system.loss(y, y_pred)
        if self.teacher:
            terms = terms | {TERM: self.teacher.cost(x["image"], y, y_pred)}
        # The last batch of a validation may leave a replica without samples: it says nothing, instead of 0 / 0.
        terms = {term: ops.where(count > 0, value, 0.0) for term, value in terms.items()}
        for term, value in terms.items():
            self.means[term].update_state(value, sample_weight=count)
        return sum(terms.values(), ops.zeros(())) / self.replicas

    @property
    def metrics(self):
        return [*super().metrics, *self.means.values()]


def seen(network: keras.Model, inputs: dict):
    """What a network takes of a batch's inputs, by its own names: one tensor, or several in a dict."""
    if isinstance(network.input, dict):
        return {name: inputs[name] for name in network.input}
    return inputs[network.input.name]
