"""Every published configuration builds the network that PPNet's paper prints, and trains it by the paper's recipe."""

import functools
from dataclasses import replace
from pathlib import Path

import pytest
import weightless

from tfpose import yaml_config
from tfpose.config import Mpii
from tfpose.models import count
from tfpose.options import PPNet
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "ppnet"
# Our own: for a day of training on a CPU, or for one core of a device; millions of weights and GMAC of the latter.
SMALL = {"m2-d1-w40_192x144_coco": (4.73, 0.955), "m2-d1-w40_96x96_coco": (4.73, 0.318)}
LEEDS = {"m2-d2-w32_96x96_lspet", *(f"{name}_128x128_lspet" for name in ("m2-d1-w24", "m4-d1-w32"))}
OURS = {"m2-d1-w24_128x128_coco", "m4-d1-w32_128x128_lspet14", *LEEDS, *SMALL}

# Trainable weights and 2^30 multiply-accumulates; the paper prints the first digits, sometimes rounded, sometimes cut.
PUBLISHED = {
    "m2-d2-w32_256x192_coco": (7_026_690, 3.366),
    "m2-d2-w32_384x288_coco": (7_026_690, 7.573),
    "m2-d3-w32_256x192_coco": (9_723_138, 4.104),
    "m2-d3-w32_384x288_coco": (9_723_138, 9.234),
    "m4-d2-w32_256x192_coco": (12_770_340, 5.052),
    "m4-d2-w32_384x288_coco": (12_770_340, 11.367),
    "m4-d3-w32_256x192_coco": (18_163_236, 6.529),
    "m4-d3-w32_384x288_coco": (18_163_236, 14.690),
    "m4-d3-w48_256x192_coco": (39_230_452, 12.496),
    "m4-d2-w48_384x288_coco": (27_104_500, 20.641),
    "m4-d3-w48_384x288_coco": (39_230_452, 28.116),
    "m4-d2-w32_256x256_mpii": (12_770_112, 6.735),
    "m4-d3-w32_256x256_mpii": (18_163_008, 8.704),
    "m2-d2-w32-modules_256x192_coco": (10_786_466, 5.367),
    "m4-d2-w32-modules_256x192_coco": (20_956_420, 8.611),
    "m2-d2-w32-strides32_384x288_coco": (7_026_690, 5.209),
    "m2-d2-w32-strides23_384x288_coco": (7_026_690, 5.888),
    "m2-d2-w32-udp-dark_256x192_coco": (7_026_690, 3.366),
    "m2-d2-w32-udp-dark_384x288_coco": (7_026_690, 7.573),
    "m4-d2-w32-udp-dark_256x192_coco": (12_770_340, 5.052),
    "m4-d2-w32-udp-dark_384x288_coco": (12_770_340, 11.367),
}
ALL = pytest.mark.parametrize("name", PUBLISHED)


def load(name):
    return yaml_config.load(CONFIGS / f"{name}.yaml")


@functools.cache
def cost(options, body):
    """Trainable weights and multiply-accumulates of a network, built once for all configurations that share it."""
    network = weightless.built(system(options, skeleton(body)).build)
    return count.parameters(network)[0], count.macs(network)


def test_every_configuration_is_looked_at():
    assert {path.stem for path in CONFIGS.glob("*_*.yaml")} - OURS == set(PUBLISHED)


@ALL
def test_a_published_network_has_its_weights_and_its_cost(name):
    config = load(name)
    # These options are outside the network: without them configurations share it.
    options = replace(config.system, sigma=2.0, centre="cell", refine="quarter", blur=0)
    weights, macs = cost(options, config.data.skeleton)
    assert (weights, round(macs / 2**30, 3)) == PUBLISHED[name]


@ALL
def test_the_published_cost_is_met_to_the_last_printed_digit(name):
    (weights, gi), published = PUBLISHED[name], load(name).published
    assert published.source.startswith("table") and published.gflops
    for found, printed in ((weights / 1e6, published.parameters), (gi, published.gflops)):
        digit = 10 ** -len(str(printed).partition(".")[2])  # the paper rounds some and cuts others
        assert not printed or abs(found - printed) < digit


@ALL
def test_the_name_of_a_configuration_says_what_is_in_it(name):
    config = load(name)
    options, (variant, size, data) = config.system, name.split("_")
    letters = f"m{options.modules}-d{options.depth}-w{options.width}"
    extras = {
        "-modules": options.unit == "bottleneck",
        f"-strides{options.strides[0]}{options.strides[1]}": options.strides != (2, 2),
        "-udp-dark": (options.centre, options.refine) == ("exact", "dark"),
    }
    assert variant == letters + "".join(text for text, there in extras.items() if there)
    assert size == "x".join(map(str, options.size))
    assert (data, config.data.skeleton) in [("coco", "coco17"), ("mpii", "mpii16")] and config.data.format == data


@ALL
def test_the_opening_lines_give_the_command_and_the_cost(name):
    weights, gi = PUBLISHED[name]
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == f"# tfpose train configs/ppnet/{name}.yaml"
    assert f"# Ours: {weights:,} parameters, {gi:.3f} x 2^30 multiply-accumulates, the paper's unit." in lines


@ALL
def test_a_published_network_is_trained_by_the_recipe(name):
    config = load(name)
    train, large, mpii = config.train, config.system.size == (384, 288), name.endswith("mpii")
    assert (train.epochs, train.schedule.at) == ((160, (120, 150)) if mpii else (210, (170, 200)))
    assert train.batch == (24 if name == "m4-d3-w48_384x288_coco" else 32)
    assert (train.optimizer.name, train.optimizer.learning_rate, train.schedule.factor) == ("rmsprop", 2.5e-4, 0.1)
    assert config.system.sigma == (3 if large else 2) and config.data.padding == 1.25
    assert (config.augment.rotation, config.augment.scale) == ((30, (0.75, 1.25)) if mpii else (45, (0.65, 1.35)))


@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_costs_what_its_file_says(name):
    config = load(name)
    weights, macs = cost(config.system, config.data.skeleton)
    assert (round(weights / 1e6, 2), round(macs / 1e9, 3)) == SMALL[name]
    assert f"{SMALL[name][0]:.2f} M parameters, {SMALL[name][1]:.3f} GMAC" in (CONFIGS / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.endswith("mpii")])
def test_mpii_is_read_and_judged_by_the_published_protocol(name):
    config = load(name)
    assert config.data.mpii == Mpii(origin=1, lowered=15.0) and config.data.validation.heads.endswith("gt_valid.mat")
    assert config.evaluate.metric == "pckh"


def test_a_file_holds_differences_only():
    assert load("m2-d2-w32_256x192_coco").system == PPNet()
