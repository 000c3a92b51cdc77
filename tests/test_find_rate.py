"""The learning rate that a range test suggests: below where training runs away, above where nothing moves."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose import cli
from tfpose.train import find_rate, trainee


class Quadratic:
    """A system whose loss is curved by `curvature`: descent of a rate above 2 / curvature runs away."""

    terms = ("maps",)
    curvature = 50.0

    def loss(self, targets, outputs):
        return {"maps": self.curvature / 2 * keras.ops.mean(keras.ops.square(outputs - targets["maps"]))}


class Run:
    """As much of a run as the test needs."""

    class timeline:
        stretches = (None,)


def quadratic(monkeypatch, low, high, steps):
    image = keras.Input((1,), name="image")
    network = keras.Model(image, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="only")(image))
    run = Run()
    run.trainee = trainee.Trainee(network, Quadratic())
    run.trainee.compile(optimizer=keras.optimizers.SGD(1e-3), jit_compile=False)
    ones, zeros = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    data = tf.data.Dataset.from_generator(
        lambda: itertools.repeat(({"image": ones}, {"maps": zeros})),
        output_signature=({"image": tf.TensorSpec((4, 1))}, {"maps": tf.TensorSpec((4, 1))}),
    )
    monkeypatch.setattr(find_rate.feed, "samples", lambda *_: data)
    losses = find_rate.measured(run, find_rate.Growing(low, high, steps), steps)
    return find_rate.judged(low * (high / low) ** (np.arange(len(losses)) / (steps - 1)), np.array(losses))


def test_the_rate_that_is_suggested_is_below_the_one_that_runs_away(monkeypatch):
    limit = 2 / Quadratic.curvature
    found = quadratic(monkeypatch, 1e-6, 10.0, 150)
    assert limit / 100 < found.steepest < limit
    assert limit < found.away < 100 * limit
    assert len(found.rates) < 150


def test_the_loss_of_every_step_is_its_own_and_not_a_mean(monkeypatch):
    found = quadratic(monkeypatch, 1e-3, 1.1e-3, 30)
    raw = [0.5 * Quadratic.curvature]
    for rate in 1e-3 * 1.1 ** (np.arange(29) / 29):
        raw.append(raw[-1] * (1 - rate * Quadratic.curvature) ** 2)
    np.testing.assert_allclose(found.losses, find_rate.smoothed(raw), rtol=1e-4)
    assert found.away == 0


def test_the_rate_grows_by_the_same_factor_each_step():
    rates = np.array([float(find_rate.Growing(1e-6, 1.0, 61)(step)) for step in (0, 10, 20, 60)])
    np.testing.assert_allclose(rates, [1e-6, 1e-5, 1e-4, 1.0], rtol=1e-4)


def test_the_smoothed_loss_of_a_constant_is_that_constant():
    np.testing.assert_allclose(find_rate.smoothed([3.0] * 50), 3.0)


def test_a_loss_that_is_not_finite_from_the_beginning_is_refused():
    with pytest.raises(ValueError, match=r"not finite at a rate of 1\.0e-06; lower --from"):
        find_rate.judged(np.geomspace(1e-6, 1, 30), np.array([np.nan] * 30))


def test_rates_that_do_not_grow_are_refused():
    for asked in ({"low": 1.0, "high": 0.1}, {"low": 0.0}, {"steps": 5}):
        with pytest.raises(ValueError, match=r"rates: found .*; expected rates that grow"):
            find_rate.find(None, **asked)


@pytest.mark.slow
def test_the_command_leaves_a_page_and_nothing_else(tmp_path, capsys, monkeypatch):
    from tfpose import yaml_config

    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml_config.dump(tiny.config()))
    assert cli.main(["find-rate", "tiny.yaml", "--steps", "40", "--from", "1e-4", "--to", "1e3"]) == 0
    out = capsys.readouterr().out
    assert "the loss fell fastest at" in out and "ran away at" in out
    assert {p.name for p in tmp_path.iterdir()} == {"tiny.yaml", "rate.html"}
    assert "<polyline" in (tmp_path / "rate.html").read_text() and "<script" not in (tmp_path / "rate.html").read_text()
