"""The trainee: a network with its system's loss, for keras `fit` on any backend."""

import keras
from keras import ops


class Trainee(keras.Model):
    """A network that learns what its system teaches.

    `compute_loss` is the one hook that works alike on TensorFlow and JAX. `replicas` divides the loss, because
    under tf.distribute the gradients of the replicas are added up.
    """

    def __init__(self, network: keras.Model, system, replicas: int = 1):
        super().__init__(name="trainee")
        self.network = network
        self.system = system
        self.replicas = replicas
        self.means = {term: keras.metrics.Mean(name=term.replace("/", "_")) for term in system.terms}

    def call(self, inputs, training=None):
        return self.network(inputs["image"], training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        count = ops.shape(x["image"])[0]
        # The last batch of a validation may leave a replica without samples: it says nothing, instead of 0 / 0.
        terms = {term: ops.where(count > 0, value, 0.0) for term, value in self.system.loss(y, y_pred).items()}
        for term, value in terms.items():
            self.means[term].update_state(value, sample_weight=count)
        return sum(terms.values(), ops.zeros(())) / self.replicas

    @property
    def metrics(self):
        return [*super().metrics, *self.means.values()]
