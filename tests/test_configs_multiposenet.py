"""MultiPoseNet's configurations build what is counted by hand, and train it stage by stage by the published recipe."""

import functools
from pathlib import Path

import pytest
import weightless

from tfpose import show, yaml_config
from tfpose.models import count
from tfpose.skeleton import skeleton
from tfpose.systems.base import system
from tfpose.train import stages

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "multiposenet"
# Weights; 10^9 multiply-accumulates of what ships; AP, AP50, AP75, APM, APL of the paper's Table 2.
PUBLISHED = {
    "r50_480x480_coco": (42_674_311, 83.364, (62.3, 86.2, 71.9, 57.7, 70.4)),
    "r101_480x480_coco": (61_692_551, 100.410, (63.9, 87.1, 73.2, 58.1, 72.2)),
    "r101-dilated_480x480_coco": (61_692_551, 111.547, (64.3, 88.2, 75, 59.6, 73.9)),
    "r101-nointermediate_480x480_coco": (61_674_047, 100.410, (61.3, 83.7, 69.6, 56.6, 67.4)),
    "r101-noconcat_480x480_coco": (59_479_943, 82.793, (62.1, 84.3, 70.9, 57.3, 68.8)),
}
LIGHT = "light_320x416_coco"
ALL = pytest.mark.parametrize("name", PUBLISHED)


@functools.cache
def load(name):
    return yaml_config.load(CONFIGS / f"{name}.yaml")


@functools.cache
def stage(name, number):
    return stages.alone(load(name), number)


def method(name):
    return system(load(name).system, skeleton(load(name).data.skeleton))


@functools.cache
def built(name):
    return weightless.built(method(name).build)


def test_every_configuration_is_looked_at():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*PUBLISHED, LIGHT}


@ALL
def test_a_network_has_its_weights_and_its_cost(name):
    network, (weights, gmac, _) = built(name), PUBLISHED[name]
    assert count.parameters(network)[0] == weights
    assert round(count.macs(method(name).deployed(network)) / 1e9, 3) == gmac
    assert show.summary(load(name), method(name), network)[-1].startswith("published, table 2: ")


@ALL
def test_the_opening_lines_give_the_command_the_cost_and_the_published_score(name):
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    weights, gmac, scores = PUBLISHED[name]
    figures = ", ".join(f"{figure} {score}" for figure, score in zip(("AP", "AP50", "AP75", "APM", "APL"), scores))
    assert lines[0] == f"# tfpose train configs/multiposenet/{name}.yaml"
    assert lines[1].startswith(f"# Ours: {weights:,} parameters ") and f" {gmac:.3f} x 10^9 multiply-acc" in lines[1]
    assert lines[2] == f"# Published score, table 2, COCO val2017: {figures}."


@ALL
def test_the_name_of_a_configuration_says_what_is_in_it(name):
    options = load(name).system
    parts = {"resnet50": "r50", "resnet101": "r101", "resnet101_dilated": "r101-dilated"}
    variant = (
        parts[options.backbone] + "-nointermediate" * (not options.intermediate) + "-noconcat" * (not options.concat)
    )
    assert name == f"{variant}_{'x'.join(map(str, options.size))}_{load(name).data.format}"


@ALL
def test_the_stages_are_the_papers_in_its_order(name):
    assert [s.name for s in load(name).stages] == ["keypoints", "detector", "prn"]
    assert [stage(name, i).system.part for i in range(2)] == ["keypoints", "detector"]
    assert (load(name).system.part, load(name).system.assign, load(name).evaluate.flip) == ("whole", "network", "none")


@ALL
def test_whose_keypoint_is_whose_is_learnt_as_by_the_residual_networks_own_configuration(name):
    own = yaml_config.load(CONFIGS.parent / "prn" / "1024_coco.yaml")
    found = stage(name, 2)
    assert (found.system, found.train, found.augment.mirror) == (own.system, own.train, own.augment.mirror)


@ALL
def test_keypoints_are_learnt_by_the_published_recipe(name):
    config = stage(name, 0)
    augment, train = config.augment, config.train
    assert (config.system.crop, config.system.backbone_weights) == ((480, 480), "imagenet")
    assert (augment.rotation, augment.rotation_kind, augment.rotation_chance) == (40, "uniform", 1)
    assert augment.mirror == 0.3 and augment.shift * 480 == pytest.approx(40, abs=0.1)
    shares = [1 / config.data.padding / factor for factor in augment.scale]
    assert shares == pytest.approx([1.2 * 0.6, 0.8 * 0.6], rel=1e-3)
    assert (train.optimizer.name, train.optimizer.learning_rate, train.batch, train.epochs) == ("adam", 1e-4, 6, 80)
    assert (train.schedule.name, train.schedule.factor, train.schedule.patience) == ("plateau", 0.1, 3)
    assert "mask" in system(config.system, skeleton("coco17")).labels and not train.buckets


@ALL
def test_the_detector_is_learnt_by_the_published_recipe_on_the_trunk_as_it_is(name):
    config = stage(name, 1)
    augment, train = config.augment, config.train
    assert (augment.rotation, augment.scale, augment.mirror, augment.shift) == (0, (1, 1), 0.5, 0)
    assert (train.optimizer.name, train.optimizer.learning_rate, train.batch, train.epochs) == ("adam", 1e-5, 1, 8)
    assert (train.schedule.name, train.schedule.factor, train.schedule.patience) == ("plateau", 0.1, 2)
    assert all(min(size) == 800 and not any(side % 32 for side in size) for size in train.buckets)
    assert {size[::-1] for size in train.buckets} == set(train.buckets)
    assert config.system.overlap == 0.3 and config.system.backbone_weights == "none"


@pytest.mark.parametrize("photo", [(480, 640), (427, 640), (640, 480), (500, 375), (640, 640), (375, 500), (333, 500)])
def test_the_shorter_side_of_usual_photos_is_800_pixels(photo):
    factors = [min(b / p for b, p in zip(bucket, photo)) for bucket in stage("r50_480x480_coco", 1).train.buckets]
    assert max(factors) * min(photo) == pytest.approx(800)


def test_the_light_network_for_devices_has_its_weights_and_its_cost():
    network = built(LIGHT)
    assert count.parameters(network)[0] == 1_129_607
    assert round(count.macs(method(LIGHT).deployed(network)) / 1e9, 3) == 1.837
    assert "1.13 M parameters, 1.837 GMAC" in (CONFIGS / f"{LIGHT}.yaml").read_text()


def test_the_light_network_learns_in_the_same_stages():
    assert [s.name for s in load(LIGHT).stages] == ["keypoints", "detector", "prn"]
    keypoints, detector, owners = (stage(LIGHT, i) for i in range(3))
    assert keypoints.train.schedule.minimum == detector.train.schedule.minimum == 1e-5
    assert not keypoints.train.buckets and {min(size) for size in detector.train.buckets} == {320}
    assert (owners.system.network, load(LIGHT).system.assign) == ("assignment", "network")
