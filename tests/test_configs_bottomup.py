"""OpenPose's and MLN's configurations build what MLN's tables print, and train it by the published recipe."""

import functools
import math
import re
from pathlib import Path

import pytest
import weightless

from tfpose import show, yaml_config
from tfpose.decode import decoder
from tfpose.decode.pafs import Pafs
from tfpose.models import count
from tfpose.options import MLN, OpenPose
from tfpose.skeleton import skeleton
from tfpose.systems.base import system

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SYSTEMS = ("openpose", "mln")

# Weights in kernels, all weights, 10^9 multiply-accumulates.
PUBLISHED = {
    "openpose/vgg19_368x432_coco": (52_298_816, 52_311_446, 159.575),
    "mln/vgg19_368x432_coco": (21_278_912, 21_290_034, 82.521),
    "mln/vgg19-squeeze_368x432_coco": (21_278_912, 21_295_410, 82.521),
}
OURS = {"mln/mobilenet_368x432_coco": (1_183_152, 1_191_298, 2.989)}
ALL, EVERY = (pytest.mark.parametrize("name", names) for names in (PUBLISHED, PUBLISHED | OURS))


def load(name):
    return yaml_config.load(CONFIGS / f"{name}.yaml")


def method(name):
    config = load(name)
    return system(config.system, skeleton(config.data.skeleton))


@functools.cache
def built(name):
    return weightless.built(method(name).build)


def test_every_configuration_is_looked_at():
    files = [path for name in SYSTEMS for path in (CONFIGS / name).glob("*.yaml")]
    assert {f"{path.parent.name}/{path.stem}" for path in files} == set(PUBLISHED | OURS)


@EVERY
def test_a_network_has_its_weights_and_its_cost(name):
    (trainable, kernels), macs = count.parameters(built(name)), count.macs(built(name))
    assert (kernels, trainable, round(macs / 1e9, 3)) == (PUBLISHED | OURS)[name]


@ALL
def test_the_published_cost_is_met_to_the_last_printed_digit(name):
    (kernels, _, gmac), published = PUBLISHED[name], load(name).published
    assert published.source.endswith("table 2")
    # The paper cuts 21.28 to 21.2 and rounds the others.
    assert abs(kernels / 1e6 - published.parameters) < 0.1 and abs(gmac - published.gflops) < 0.05


@ALL
def test_the_published_figures_are_shown_beside_the_computed_ones(name):
    kernels, trainable, gmac = PUBLISHED[name]
    published = load(name).published
    assert show.summary(load(name), method(name), built(name)) == [
        f"{trainable:,} trainable parameters, {kernels:,} in kernels",
        f"{gmac} G multiply-accumulates; {gmac} G with all that training uses",
        f"{gmac} GFLOPs as the paper counts: 10^9 multiply-accumulates",
        f"published, {published.source}: {published.parameters} M parameters, {published.gflops} GFLOPs",
    ]


@EVERY
def test_the_opening_lines_give_the_command_and_the_cost(name):
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    kernels, trainable, gmac = (PUBLISHED | OURS)[name]
    rest = "biases" if name in PUBLISHED else "all others"
    assert lines[0] == f"# tfpose train configs/{name}.yaml"
    assert lines[1] == (
        f"# Ours: {kernels:,} weights in kernels, {trainable:,} with {rest}, {gmac:.3f} x 10^9 multiply-accumulates."
    )


@ALL
def test_a_published_network_is_trained_by_the_recipe(name):
    train, optimizer = load(name).train, load(name).train.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 6e-5, 0.9)
    assert (optimizer.weight_decay, train.batch) == (5e-4, 28)
    assert (train.schedule.name, train.schedule.at, train.schedule.factor) == ("steps", (), 0.333)
    assert train.schedule.every_steps == 136_106
    assert load(name).system.trunk_weights == "imagenet"


@ALL
def test_later_layers_learn_four_times_as_fast_and_biases_twice(name):
    multipliers = load(name).train.optimizer.multipliers
    paths = {variable.path for variable in built(name).trainable_variables}
    first, later = {"openpose": ("stage1", "stage2"), "mln": ("detect", "refine")}[name.split("/")[0]]
    rates = {"conv4_2": (1, 2), f"{first}_limbs_conv1": (1, 2), f"{later}_pafs": (4, 8), f"{later}_heatmaps": (4, 8)}
    for layer, expected in rates.items():
        found = [f"{layer}/kernel", f"{layer}/bias"]
        assert paths.issuperset(found)
        assert tuple(math.prod(m.rate for m in multipliers if re.search(m.match, p)) for p in found) == expected


@EVERY
def test_a_person_is_a_half_to_eleven_tenths_of_six_tenths_of_a_training_view(name):
    data, augment = load(name).data, load(name).augment
    shares = [1 / data.padding / factor for factor in augment.scale]
    assert shares == pytest.approx([1.1 * 0.6, 0.5 * 0.6], rel=1e-3)
    assert (augment.scale_kind, augment.mirror, augment.half_body) == ("uniform", 0.5, 0)
    assert (augment.rotation, augment.rotation_kind, augment.rotation_chance) == (40, "uniform", 1)
    assert augment.shift == pytest.approx(40 / 368, rel=1e-3)


@EVERY
def test_views_are_square_in_training_and_the_papers_in_service(name):
    assert (method(name).training_size, method(name).size) == ((368, 368), (368, 432))
    assert (load(name).data.skeleton, method(name).body.name) == ("coco17", "openpose18")


@EVERY
def test_the_name_of_a_configuration_says_what_is_in_it(name):
    folder, (variant, size, data) = name.split("/")[0], name.split("/")[1].split("_")
    options = load(name).system
    block = "-squeeze" if getattr(options, "block", "concat") == "squeeze" else ""
    assert (folder, variant) == (options.name, options.trunk + block)
    assert (size, data) == ("x".join(map(str, options.size)), load(name).data.format)


@EVERY
def test_the_decoder_is_the_one_of_the_options(name):
    options = load(name).system
    found = decoder(method(name).decoder(), method(name).body)
    assert isinstance(found, Pafs)
    assert (found.stride, found.threshold, found.score) == (8, options.threshold, options.score)


@pytest.mark.parametrize("options", [OpenPose, MLN])
def test_trunk_weights_belong_to_vgg19(options):
    with pytest.raises(ValueError, match=r"system\.trunk_weights: found imagenet, but mobilenet has none"):
        options(trunk="mobilenet", trunk_weights="imagenet")


@pytest.mark.parametrize("option", ["size", "crop"])
def test_views_that_8_does_not_divide_are_refused(option):
    with pytest.raises(ValueError, match=rf"system\.{option}: found \[368, 420\]; expected multiples of 8"):
        MLN(**{option: (368, 420)})


def test_a_body_that_the_annotations_cannot_give_is_refused():
    with pytest.raises(ValueError, match="coco17: has no head_top, which lsp14 needs"):
        system(MLN(body="lsp14"), skeleton("coco17"))


def test_the_trunk_starts_from_the_weights_that_are_asked_for(tmp_path):
    method = system(OpenPose(trunk_weights=str(tmp_path / "vgg.h5")), skeleton("coco17"))
    with pytest.raises(ValueError, match=r"vgg\.h5: no such file"):
        method.start(built("openpose/vgg19_368x432_coco"))
    assert system(OpenPose(), skeleton("coco17")).start(None) is None
