"""Trainings in a row: each starts from the one before, what is frozen stays, and the whole has every part's weights.

One that learns whose keypoint is whose starts from nothing, and becomes a file that goes wherever the whole goes.
"""

import functools
import os

import keras
import numpy as np
import pytest
import tiny
from PIL import Image

from tfpose import fields, jobs, protocol, yaml_config
from tfpose import spec as specs
from tfpose.config import Stage
from tfpose.decode import owners
from tfpose.export import bundle, verify
from tfpose.models import multiposenet
from tfpose.predictions import load_predictor
from tfpose.skeleton import COCO17
from tfpose.train import stages, transfer

SMALL = "{name: multiposenet, part: whole, size: [128, 128], crop: [128, 128], backbone: light, width: 16, head: 16, "
OPTIONS = (f"system={SMALL}depth: 1, norm: true}}", "train.epochs=1", "train.batch=4", "evaluate.flip=none")
PARTS = "{name: keypoints, options: [system.part=keypoints]}, {name: detector, options: [system.part=detector]}"
ASSIGNMENT = "{name: prn, network: assignment, grid: [4, 3], nodes: 16}"
ALL = f"[{PARTS}, {{name: prn, options: ['system={ASSIGNMENT}', train.batch=8, augment.noise=0.5]}}]"


def config(*more):
    return tiny.config(*OPTIONS, "system.assign=network", f"stages={ALL}", *more)


@functools.cache
def run():
    """A run of all stages, an epoch each."""
    return stages.train(config(), tiny.people().parent / "stages")


def network(name=""):
    return keras.models.load_model(run() / name / "network.keras", compile=False)


def same(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.slow
def test_the_trunk_stays_as_the_first_stage_left_it_and_the_rest_learns():
    first, second = network("keypoints"), network("detector")
    shared = [layer for layer in multiposenet.trunk(second) if layer.weights]
    assert len(shared) > 10
    assert all(same(layer, first.get_layer(layer.name)) for layer in shared)


@pytest.mark.slow
def test_the_whole_has_the_weights_of_every_part():
    whole = transfer.weighted(network())
    for part in ("keypoints", "detector"):
        layers = transfer.weighted(network(part))
        assert layers.keys() < whole.keys()
        assert all(same(whole[name], layer) for name, layer in layers.items())


@pytest.mark.slow
def test_the_whole_reads_what_the_last_stage_learnt_about_whose_a_keypoint_is():
    asked, found = owners.load(run() / owners.FILE, COCO17)
    (expected,) = (layer.kernel for layer in network("prn").layers if layer.name == "hidden2")
    np.testing.assert_allclose(found.weights["hidden2/kernel"], expected, atol=1e-3)
    assert (asked.network, load_predictor(run()).decode.assign) == ("assignment", str(run() / owners.FILE))
    assert "assign" not in specs.load(run() / "keypoints" / "pose.json").decoder


@pytest.mark.slow
def test_a_bundle_has_the_file_too_and_finds_the_same_people(tmp_path):
    jobs.export(run(), config("export.files=[float32]", "export.max_ap_drop=1"), tmp_path)
    what = specs.load(tmp_path / "pose.json").files[owners.FILE]
    assert what["kind"] == bundle.ASSIGN and bundle.describe(tmp_path / owners.FILE, bundle.ASSIGN) == what
    photo = np.asarray(Image.open(sorted((tiny.people() / "validation").iterdir())[0]))
    here, there = (load_predictor(path)(photo) for path in (run(), tmp_path))
    np.testing.assert_allclose(here.scores, there.scores, atol=1e-5)
    (tmp_path / owners.FILE).unlink()
    with pytest.raises(ValueError, match=r"assign\.npz: no such file, in which a network says"):
        load_predictor(tmp_path)
    with pytest.raises(ValueError, match=r"assign\.npz: not the file that pose\.json describes"):
        verify.measure(tmp_path, tiny.views(1))


@pytest.mark.slow
def test_asked_for_the_largest_score_the_network_is_not_asked():
    predictor = protocol.predictor(run(), config("evaluate.assign=max", "evaluate.rule=mutual").evaluate)
    assert (predictor.decode.assign, predictor.decode.rule) == ("", "mutual")


@pytest.mark.slow
def test_the_whole_is_evaluated_by_its_poses_its_boxes_and_its_mask():
    found = jobs.evaluate(run(), config())
    figures = found["whole images"].figures
    assert {"AP", "box AP", "box AP50", "mask IoU"} <= figures.keys()
    assert 0 <= figures["mask IoU"] <= 1 and 0 <= figures["box AP"] <= figures["box AP50"] <= 1


@pytest.mark.slow
def test_with_the_annotations_boxes_and_keypoints_nearly_everybody_is_right():
    options = ("evaluate.keypoints=annotations", "evaluate.boxes=annotations")
    assert jobs.evaluate(run(), config(*options))["whole images"].figures["AP"] > 0.9


@pytest.mark.slow
def test_a_part_alone_is_measured_by_what_it_finds_and_finds_no_people():
    for name, nothing in (("keypoints", "box AP"), ("detector", "mask IoU")):
        figures = jobs.evaluate(run() / name, config("evaluate.flip=aligned"))["whole images"].figures
        assert figures[nothing] == 0 and figures["AP"] == 0
        with pytest.raises(ValueError, match="one part of a whole, which alone finds people"):
            load_predictor(run() / name)(np.zeros((128, 128, 3), np.uint8))


@pytest.mark.slow
def test_each_stage_draws_what_it_is_taught():
    for name, columns in (("keypoints", 6), ("detector", 2)):
        picture = np.asarray(Image.open(run() / name / "pictures" / "epoch_001.png"))
        assert picture.shape[1] // 128 == columns


@pytest.mark.slow
def test_the_steps_from_a_photo_to_people_in_boxes_are_drawn(tmp_path):
    photo = sorted((tiny.people() / "validation").iterdir())[0]
    said = fields.write(run(), photo, tmp_path / "steps.png")
    assert [word.rstrip(",:") for word in said.split()[1:6:2]] == ["peaks", "boxes", "people"]
    assert Image.open(tmp_path / "steps.png").size == (2 * 640 + 12, 3 * 640 + 16)


def test_a_stage_alone_needs_the_one_before(tmp_path):
    with pytest.raises(ValueError, match=r"keypoints/network\.keras: missing; stage detector starts from it"):
        stages.train(config(), tmp_path, "detector")
    with pytest.raises(ValueError, match="--stage: found boxes; choose from keypoints, detector, prn"):
        stages.train(config(), tmp_path, "boxes")


@pytest.mark.slow
def test_a_whole_of_which_a_part_is_never_trained_is_refused(tmp_path):
    alone = yaml_config.changed(config(), ("stages=[{name: keypoints, options: [system.part=keypoints]}]",))
    (tmp_path / "keypoints").mkdir()
    network("keypoints").save(tmp_path / "keypoints" / "network.keras")
    with pytest.raises(ValueError, match="stages: none of them trains detector_"):
        stages.assemble(alone, tmp_path)
    both = yaml_config.changed(config(), (f"stages=[{PARTS}]",))
    (tmp_path / "detector").mkdir()
    network("detector").save(tmp_path / "detector" / "network.keras")
    with pytest.raises(
        ValueError, match=r"stages: none of them trains assign\.npz, which system\.assign=network asks for"
    ):
        stages.assemble(both, tmp_path)


def test_stages_need_names_of_their_own_that_can_be_folders():
    with pytest.raises(ValueError, match="stages: a, a; each needs a name of its own"):
        tiny.config("stages=[{name: a}, {name: a}]")
    with pytest.raises(ValueError, match=r"name '\.\./a'; it names a folder"):
        Stage("../a")


def test_a_system_was_taught_last_by_its_own_last_stage():
    parts = PARTS.replace("part=detector", "part=detector, augment.rotation=3")
    taught = config(f"stages=[{parts}, {{name: prn, options: ['system={ASSIGNMENT}', augment.noise=0.5]}}]")
    assert taught.augment.rotation != 3 and stages.latest(taught).augment.rotation == 3
    assert stages.latest(taught).augment.noise == 0  # what the network of keypoints' owners was taught after it
    assert stages.latest(tiny.config()) == tiny.config()


@pytest.mark.slow
def test_weights_are_taken_by_the_names_of_layers_or_not_at_all():
    first, other = network("keypoints"), network("detector")
    before = other.get_weights()
    wide = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="trunk_stem")])
    with pytest.raises(ValueError, match="layer trunk_stem has weights"):
        transfer.take(other, wide)
    with pytest.raises(ValueError, match="no layer has the name"):
        transfer.take(other, keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="else")]))
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), before, strict=True))
    assert transfer.take(other, first) == len(transfer.weighted(first).keys() & transfer.weighted(other).keys())


def test_what_the_stage_before_lacks_comes_from_the_initial_weights_of_the_same_system(tmp_path):
    before = tmp_path / "keypoints" / "network.keras"
    before.parent.mkdir()
    before.touch()
    labels = "{name: owners, options: ['system={name: prn}']}"
    made = config(f"stages=[{PARTS}, {labels}]", "train.initial_weights=start.keras")
    found = [stages.stage(made, tmp_path, i).train.initial_weights for i in range(3)]
    assert found == ["start.keras", os.pathsep.join(["start.keras", str(before)]), ""]


def test_of_several_initial_weights_a_later_networks_count(tmp_path):
    def made(*names):
        inner = [keras.layers.Dense(2, name=name, bias_initializer="normal") for name in names]
        return keras.Sequential([keras.Input((2,)), *inner])

    first, second, network = made("a", "b"), made("b"), made("a", "b", "c")
    for name, source in (("first", first), ("second", second)):
        source.save(tmp_path / f"{name}.keras")
    transfer.initial(network, os.pathsep.join(str(tmp_path / f"{name}.keras") for name in ("first", "second")))
    assert same(network.get_layer("a"), first.get_layer("a")) and same(network.get_layer("b"), second.get_layer("b"))
