"""The assignment benchmark trains what the configurations say, and finds again what it has trained."""

import argparse
from pathlib import Path

import pytest

from benchmarks import assignment

PLAIN = {"margin": 0.21, "epochs": None, "noise": False, "batch": 8, "rate": 1e-4, "schedule": "constant", "seed": 0}
PLAIN |= {"precision": "float32", "weights": Path("runs/assignment")}


def options(**changes):
    return argparse.Namespace(**(PLAIN | changes))


def test_weights_are_kept_under_a_name_that_says_how_they_were_learnt():
    chosen = options(epochs=4.0, batch=256, rate=4e-4, schedule="cosine", precision="bfloat16", noise=True)
    assert assignment.weights("ours", options()).name == "ours_margin0.21_epochs5_seed0.weights.h5"
    name = "prn-plain_margin0.21_epochs4_batch256_rate0.0004_cosine_bfloat16_noise_seed0.weights.h5"
    assert assignment.weights("prn-plain", chosen) == Path("runs/assignment") / name


@pytest.mark.parametrize("name", assignment.NETWORKS)
def test_every_network_is_that_of_a_configuration_with_what_the_command_says(name):
    config = assignment.configuration(name, options(margin=0.5, epochs=2.0, noise=True, seed=3))
    assert (config.system.margin, config.train.epochs, config.seed) == (0.5, 2, 3)
    assert config.augment.noise == (0.5 if name == "ours" else 1.0)
    assert config.system.network == ("assignment" if name == "ours" else "residual")
    layers = (config.system.nodes, config.system.hidden, config.system.residual)
    assert layers[1:] == (1 + ("2x" in name), "plain" not in name) and (layers[0] == 512) == ("512" in name)


def test_one_epoch_and_a_half_is_refused():
    assert assignment.epochs("prn", options(epochs=0.15)) == 0.15
    with pytest.raises(ValueError, match=r"--epochs: found 1\.5; expected a whole number, or a part of one epoch"):
        assignment.epochs("prn", options(epochs=1.5))
