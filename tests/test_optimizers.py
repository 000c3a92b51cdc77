"""Optimizers compute what their sources write down."""

import keras
import numpy as np
import pytest

from tfpose.config import Optimizer
from tfpose.train import optimizers

GRADIENTS = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32) * 1e-3
START = np.linspace(-1, 1, 6, dtype=np.float32)
RATE, DECAY, EPSILON = 0.01, 0.1, 1e-8


def steps(options, gradients=GRADIENTS, start=START):
    weight = keras.Variable(start)
    optimizer = optimizers.optimizer(options, RATE)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return np.asarray(weight)


def torch_adam(weight):
    """torch.optim.Adam, from its documentation."""
    m = v = 0.0
    for t, gradient in enumerate(GRADIENTS.astype(np.float64), 1):
        gradient = gradient + DECAY * weight
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        weight = weight - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + EPSILON)
    return weight


def torch_rmsprop(weight, momentum):
    """torch.optim.RMSprop with alpha 0.99, from its documentation."""
    v = b = 0.0
    for gradient in GRADIENTS.astype(np.float64):
        gradient = gradient + DECAY * weight
        v = 0.99 * v + 0.01 * gradient**2
        b = momentum * b + gradient / (np.sqrt(v) + EPSILON)
        weight = weight - RATE * b
    return weight


def test_adam_is_pytorchs():
    found = steps(Optimizer("adam", weight_decay=DECAY))
    np.testing.assert_allclose(found, torch_adam(START.astype(np.float64)), atol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop_is_pytorchs(momentum):
    found = steps(Optimizer("rmsprop", weight_decay=DECAY, momentum=momentum))
    np.testing.assert_allclose(found, torch_rmsprop(START.astype(np.float64), momentum), atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 24, 8)])
def test_muons_update_of_a_kernel_is_nearly_orthogonal_and_of_adams_size(shape):
    gradient = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    change = steps(Optimizer("muon"), gradient, np.zeros(shape, np.float32)).reshape(-1, shape[-1]) / RATE
    singular = np.linalg.svd(change, compute_uv=False) / (0.2 * np.sqrt(max(change.shape)))
    assert singular.min() > 0.5 and singular.max() < 1.5
    assert np.sqrt(np.mean(change**2)) == pytest.approx(0.2, rel=0.3)


def test_muon_updates_biases_as_adam_does():
    found = steps(Optimizer("muon"), GRADIENTS[:1])
    np.testing.assert_allclose(found, START - RATE * np.sign(GRADIENTS[0]), atol=1e-4)


@pytest.mark.parametrize("name", ["rmsprop", "adam", "adamw", "muon", "sgd"])
def test_every_optimizer_of_the_configuration_takes_a_step_downhill(name):
    assert (steps(Optimizer(name, momentum=0.5, weight_decay=0.1), np.ones((1, 6), np.float32), 0 * START) < 0).all()
