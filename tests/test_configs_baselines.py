"""The networks that PPNet and RSN are measured against have the weights and the cost that PPNet's tables print."""

import functools
from pathlib import Path

import pytest
import weightless

from tfpose import show, yaml_config
from tfpose.config import Mpii
from tfpose.models import count
from tfpose.options import Hourglass, HRNet, SimpleBaseline
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SYSTEMS = ("simplebaseline", "hourglass", "hrnet")

# Trainable weights, GFLOPs as the paper counts them, and 2^30 multiply-accumulates as they are computed.
PUBLISHED = {
    "simplebaseline/r50_256x192_coco": (33_999_697, 8.991, 5.054),
    "simplebaseline/r50_384x288_coco": (33_999_697, 20.230, 11.371),
    "simplebaseline/r101_256x192_coco": (52_991_825, 12.378, 8.440),
    "simplebaseline/r101_384x288_coco": (52_991_825, 27.850, 18.991),
    "simplebaseline/r152_256x192_coco": (68_635_473, 15.765, 11.827),
    "simplebaseline/r152_384x288_coco": (68_635_473, 35.470, 26.611),
    "simplebaseline/r152_256x256_mpii": (68_635_216, 21.019, 15.769),
    "hourglass/s2_256x192_coco": (6_731_682, 6.281, 6.281),
    "hourglass/s4_256x192_coco": (13_020_612, 10.732, 10.732),
    "hourglass/s8_256x192_coco": (25_598_472, 19.635, 19.635),
    "hourglass/s2_256x256_mpii": (6_730_912, 8.372, 8.372),
    "hourglass/s4_256x256_mpii": (13_018_816, 14.303, 14.303),
    "hrnet/w32_256x192_coco": (28_536_113, 7.120, 7.120),
    "hrnet/w32_384x288_coco": (28_536_113, 16.020, 16.020),
    "hrnet/w32_256x256_mpii": (28_536_080, 9.493, 9.493),
    "hrnet/w48_256x192_coco": (63_595_745, 14.614, 14.614),
    "hrnet/w48_384x288_coco": (63_595_745, 32.882, 32.882),
}
OURS = {"simplebaseline/r50_96x96_lspet"}
ALL = pytest.mark.parametrize("name", PUBLISHED)


def load(name):
    return yaml_config.load(CONFIGS / f"{name}.yaml")


@functools.cache
def cost(name):
    """Trainable weights, and 2^30 multiply-accumulates counted both ways."""
    config = load(name)
    method = system(config.system, skeleton(config.data.skeleton))
    network = weightless.built(method.build)
    return count.parameters(network)[0], show.gflops(method, network), count.macs(network) / 2**30


def test_every_configuration_is_looked_at():
    files = [path for name in SYSTEMS for path in (CONFIGS / name).glob("*.yaml")]
    assert {f"{path.parent.name}/{path.stem}" for path in files} - OURS == set(PUBLISHED)


@ALL
def test_a_network_has_its_weights_and_its_cost(name):
    weights, *macs = cost(name)
    assert (weights, *(round(g, 3) for g in macs)) == PUBLISHED[name]


@ALL
def test_the_published_cost_is_met_to_the_last_printed_digit(name):
    (weights, gflops, _), published = PUBLISHED[name], load(name).published
    assert published.source.startswith("PPNet, table")
    # The paper rounds some and cuts others.
    assert abs(weights / 1e6 - published.parameters) < 0.1 and abs(gflops - published.gflops) < 0.1


@ALL
def test_the_opening_lines_give_the_command_and_the_cost(name):
    weights, gflops, computed = PUBLISHED[name]
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == f"# tfpose train configs/{name}.yaml"
    assert f"# Ours: {weights:,} parameters, {gflops:.3f} x 2^30 multiply-accumulates, the paper's unit." in lines
    assert gflops == computed or any(f"computed are {computed:.3f}" in line for line in lines)


@ALL
def test_a_network_is_trained_by_the_recipe_of_ppnets_paper(name):
    config, mpii = load(name), name.endswith("mpii")
    optimizer = ("rmsprop", 2.5e-4) if config.system.name == "hourglass" else ("adam", 1e-3)
    assert (config.train.optimizer.name, config.train.optimizer.learning_rate) == optimizer
    assert (config.train.epochs, config.train.schedule.at) == ((160, (120, 150)) if mpii else (210, (170, 200)))
    assert config.system.sigma == (3 if config.system.size == (384, 288) else 2)
    assert (config.train.batch, config.train.schedule.factor) == (32, 0.1)
    assert (config.augment.rotation, config.augment.scale) == ((30, (0.75, 1.25)) if mpii else (45, (0.65, 1.35)))


@ALL
def test_the_name_of_a_configuration_says_what_is_in_it(name):
    config = load(name)
    folder, (variant, size, data) = name.split("/")[0], name.split("/")[1].split("_")
    options = config.system
    letters = {
        "simplebaseline": lambda: f"r{3 * sum(options.depths) + 2}",
        "hourglass": lambda: f"s{options.stages}",
        "hrnet": lambda: f"w{options.width}",
    }
    assert (options.name, variant, size) == (folder, letters[folder](), "x".join(map(str, options.size)))
    assert (data, config.data.skeleton) in [("coco", "coco17"), ("mpii", "mpii16")] and config.data.format == data


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.endswith("mpii")])
def test_mpii_is_read_and_judged_by_the_published_protocol(name):
    config = load(name)
    assert config.data.mpii == Mpii(origin=1, lowered=15.0) and config.data.validation.heads.endswith("gt_valid.mat")
    assert config.evaluate.metric == "pckh"


@pytest.mark.parametrize(
    ("name", "options"),
    [("simplebaseline/r50", SimpleBaseline()), ("hourglass/s2", Hourglass()), ("hrnet/w32", HRNet())],
)
def test_a_file_holds_differences_only(name, options):
    assert load(f"{name}_256x192_coco").system == options
