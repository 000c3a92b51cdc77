"""Optimizers compute what their sources write down."""

import keras
import numpy as np
import pytest

from tfpose import yaml_config
from tfpose.config import Multiplier, Optimizer, Schedule
from tfpose.train import optimizers, schedules

GRADIENTS = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32) * 1e-3
START = np.linspace(-1, 1, 6, dtype=np.float32)
RATE, DECAY, EPSILON = 0.01, 0.1, 1e-8


def steps(options, gradients=GRADIENTS, start=START, name="weight"):
    weight = keras.Variable(start, name=name)
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


@pytest.mark.parametrize("shape", [(1152, 128), (16, 16), (24, 100)])
def test_muons_matrix_is_that_of_keras(shape):
    matrix = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    muon = optimizers.optimizer(Optimizer("muon"), RATE)
    found = muon.zeropower_via_newtonschulz5(keras.ops.convert_to_tensor(matrix), muon.ns_steps)
    expected = keras.optimizers.Muon(RATE).zeropower_via_newtonschulz5(
        keras.ops.convert_to_tensor(matrix), muon.ns_steps
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_muon_updates_biases_as_adam_does():
    found = steps(Optimizer("muon"), GRADIENTS[:1])
    np.testing.assert_allclose(found, START - RATE * np.sign(GRADIENTS[0]), atol=1e-4)


@pytest.mark.parametrize("output", ["heatmaps", "pafs"])
def test_muon_updates_the_layers_that_give_maps_as_adam_does(output):
    gradient = np.random.default_rng(1).normal(size=(1, 1, 1, 8, 4)).astype(np.float32)
    found = steps(Optimizer("muon"), gradient, np.zeros((1, 1, 8, 4), np.float32), name=f"stage1_{output}")
    np.testing.assert_allclose(found, -RATE * np.sign(gradient[0]), atol=1e-4)


def caffe_sgd(weight, momentum, *, rate=1.0, decay=DECAY):
    """Caffe's SGD solver, from its documentation, with a layer's own rate."""
    v = 0.0
    for gradient in GRADIENTS.astype(np.float64):
        v = momentum * v + RATE * rate * (gradient + decay * weight)
        weight = weight - v
    return weight


OPENPOSES = (Multiplier("bias$", 2), Multiplier("^stage[2-6]_", 4))


def two_layers(options):
    """Variables by path after 20 steps: those of a first and of a later stage, kernels (6, 1) and biases (6,)."""
    layers = [keras.layers.Dense(6, name=name) for name in ("stage1_conv", "stage2_conv")]
    for layer in layers:
        layer.build((None, 1))
        layer.set_weights([START[None], START])
    variables = [variable for layer in layers for variable in layer.weights]
    optimizer = optimizers.optimizer(options, RATE)
    for gradient in GRADIENTS:
        optimizer.apply([np.reshape(gradient, variable.shape) for variable in variables], variables)
    return {variable.path: np.ravel(variable) for variable in variables}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_caffes_and_lets_only_kernels_decay(momentum):
    found = two_layers(Optimizer("sgd", weight_decay=DECAY, momentum=momentum))
    start = START.astype(np.float64)
    np.testing.assert_allclose(found["stage1_conv/kernel"], caffe_sgd(start, momentum), atol=1e-6)
    np.testing.assert_allclose(found["stage1_conv/bias"], caffe_sgd(start, momentum, decay=0), atol=1e-6)


def test_multipliers_multiply_the_rate_of_the_variables_that_they_match_and_one_another():
    found = two_layers(Optimizer("sgd", weight_decay=DECAY, momentum=0.9, multipliers=OPENPOSES))
    start = START.astype(np.float64)
    for path, rate in {"stage1_conv/kernel": 1, "stage1_conv/bias": 2, "stage2_conv/kernel": 4}.items():
        expected = caffe_sgd(start, 0.9, rate=rate, decay=DECAY * path.endswith("kernel"))
        np.testing.assert_allclose(found[path], expected, atol=1e-6)
    np.testing.assert_allclose(found["stage2_conv/bias"], caffe_sgd(start, 0.9, rate=8, decay=0), atol=1e-6)


def test_what_a_rate_of_zero_matches_stays_as_it_is():
    found = two_layers(Optimizer("sgd", weight_decay=DECAY, multipliers=(Multiplier("stage1", 0),)))
    assert np.array_equal(found["stage1_conv/kernel"], START)
    assert not np.array_equal(found["stage2_conv/kernel"], START)


def test_a_multiplier_that_matches_no_variable_is_refused_by_its_pattern():
    with pytest.raises(ValueError, match=r"'stage7' matches no variable.*stage1_conv/kernel to stage2_conv/bias"):
        two_layers(Optimizer("sgd", multipliers=(Multiplier("stage7", 4),)))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("{name: sgd, multipliers: [{match: '(', rate: 2}]}", r"match '\('"),
        ("{name: sgd, multipliers: [{match: bias, rate: -2}]}", "rate -2.0 of 'bias'"),
        ("{name: adam, multipliers: [{match: bias, rate: 2}]}", "name: sgd"),
        ("{name: sgd, multipliers: [{match: bias}]}", r"multipliers\[0\].rate: missing"),
    ],
)
def test_a_multiplier_that_cannot_be_is_refused(option, message):
    with pytest.raises(ValueError, match=message):
        yaml_config.defaults((f"train.optimizer={option}",))


def test_multipliers_are_read_from_yaml_and_written_back():
    rows = "[{match: bias$, rate: 2}, {match: '^stage[2-6]_', rate: 4}]"
    config = yaml_config.defaults((f"train.optimizer={{name: sgd, multipliers: {rows}}}",))
    assert config.train.optimizer.multipliers == OPENPOSES
    assert yaml_config.from_tree(yaml_config.to_tree(config)) == config


def test_a_rate_falls_every_so_many_steps():
    rate = schedules.LearningRate(
        3.0, Schedule("steps", at=(), every_steps=136_106, factor=1 / 3), at=(), total=600_000
    )
    at = [0, 136_105, 136_106, 272_211, 272_212, 544_424]
    assert [float(rate(step)) for step in at] == pytest.approx([3, 3, 1, 1, 1 / 3, 1 / 27], rel=1e-5)


def test_a_rate_that_falls_every_minus_one_steps_is_refused():
    with pytest.raises(ValueError, match="every_steps: found -1"):
        Schedule(every_steps=-1)


@pytest.mark.parametrize("name", ["rmsprop", "adam", "adamw", "muon", "sgd"])
def test_every_optimizer_of_the_configuration_takes_a_step_downhill(name):
    assert (steps(Optimizer(name, momentum=0.5, weight_decay=0.1), np.ones((1, 6), np.float32), 0 * START) < 0).all()
