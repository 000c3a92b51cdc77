"""The whole way of a system of labels: trained without a photo, resumed to the bit, evaluated, exported, and read."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny
from weightless import built

from tfpose import evaluate_labels, jobs, losses, protocol, runners, show, yaml_config
from tfpose.data.coco import Record
from tfpose.decode import owners
from tfpose.predict_labels import LabelPredictor
from tfpose.predictions import load_predictor
from tfpose.skeleton import COCO17
from tfpose.systems import base
from tfpose.train import callbacks, feed, loop

NETWORKS = {
    "residual": "{name: prn, grid: [14, 9], nodes: 32, dropout: 0.1}",
    "assignment": "{name: prn, network: assignment, grid: [4, 3], nodes: 32}",
}
TRAIN = "train={epochs: 2, batch: 8, optimizer: {name: adam, learning_rate: 3e-3}, schedule: {name: constant}}"
FILES = {"residual": "export.files=[float32, dynamic]", "assignment": "export.files=[]"}
every = pytest.mark.parametrize("name", ["residual", pytest.param("assignment", marks=pytest.mark.slow)])
CONFIGS = sorted((Path(__file__).resolve().parent.parent / "configs" / "prn").glob("*.yaml"))
ONE = tf.distribute.get_strategy()


def config(name, *more):
    """A configuration that names no folder of images."""
    parts = [(p, tiny.people() / "annotations" / f"person_keypoints_{p}.json") for p in ("train", "validation")]
    data = [f"data.{part}.annotations={file}" for part, file in parts]
    return yaml_config.defaults((f"system={NETWORKS[name]}", TRAIN, "augment.noise=0.5", FILES[name], *data, *more))


@functools.cache
def run(name):
    return loop.train(config(name), tiny.people().parent / f"labels_{name}")


@functools.cache
def bundle(name):
    jobs.export(run(name), config(name), run(name) / "bundle")
    return run(name) / "bundle"


@every
def test_a_run_has_what_every_run_has_but_pictures(name):
    there = {path.name for path in run(name).iterdir()}
    assert {"config.yaml", "network.keras", "best.keras", "pose.json", "checkpoint.npz", "log.csv"} <= there
    assert "pictures" not in there
    assert len((run(name) / "log.csv").read_text().splitlines()) == 3


@pytest.mark.slow
@every
def test_a_run_that_was_stopped_and_resumed_ends_as_one_that_never_stopped(name, tmp_path, monkeypatch):
    keep = callbacks.Keeper.on_epoch_end

    def stop(self, epoch, logs=None):
        keep(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callbacks.Keeper, "on_epoch_end", stop)
        loop.train(config(name), tmp_path)
    loop.train(config(name), tmp_path)
    whole, stopped = (np.load(folder / "checkpoint.npz") for folder in (run(name), tmp_path))
    assert whole.files == stopped.files
    assert all(np.array_equal(whole[key], stopped[key]) for key in whole.files)


@every
def test_a_batch_that_is_not_finite_is_named_by_annotations_of_the_file(name):
    made = loop.assemble(config(name), run(name), ONE)
    names = feed.batch_names(made, made.timeline.stretches[0], 1, 0).split(", ")
    assert {int(n) for n in names} <= {i for r in made.parts.train.records for i in r.annotation_ids.tolist()}


@every
def test_evaluation_says_the_ap_of_every_rule_the_one_asked_for_first(name):
    found = jobs.evaluate(run(name), config(name, "evaluate.rule=mutual"))
    assert list(found) == ["mutual", "peak", "assigned"]
    assert all(0 < e.figures["AP"] <= 1 for e in found.values())
    assert next(iter(jobs.evaluate(run(name), config(name)))) == "assigned"


def crowd() -> tuple[Record, dict]:
    """Two people in one place, as a record and as a COCO file has them."""
    boxes = np.float32([[0, 0, 60, 80], [8, 4, 60, 80]])
    points = boxes[:, None, :2] + np.random.default_rng(0).uniform(0, 1, (2, 17, 2)) * boxes[:, None, 2:]
    keypoints = np.concatenate([points, np.full((2, 17, 1), 2)], axis=-1).astype(np.float32)
    people = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": box.tolist(), "keypoints": k.ravel().tolist()}
        for i, (box, k) in enumerate(zip(boxes, keypoints), 1)
    ]
    image = {"id": 1, "file_name": "", "height": 90, "width": 70}
    record = Record(1, "", 70, 90, keypoints, boxes, boxes[:, 2:].prod(axis=1), np.array([1, 2]))
    return record, {"images": [image], "annotations": people}


@pytest.mark.parametrize("right", [True, False])
def test_a_network_that_knows_gets_everything_right_and_one_that_exchanges_halves_little(right):
    record, truth = crowd()
    candidates, boxes = evaluate_labels.shuffled(record)
    owner = (record.keypoints[:, None, :, :2] == candidates[:, None, 1:3]).all(axis=-1).any(axis=-1)  # (P, N)
    mine = owner[[int(np.flatnonzero((record.boxes == box).all(axis=1))[0]) for box in boxes]]
    exchanged = (candidates[:, 0] % 2 == 1) & (not right)
    logits = np.where(mine != exchanged, 9.0, -9.0)[None]
    spec = base.system(config("assignment").system, COCO17).spec(1.0)
    predictor = LabelPredictor(spec, lambda _: {"boxes": logits, "candidates": logits})
    found = evaluate_labels.find(predictor, [record], truth, bar=lambda values, *_: values)
    aps = [e.figures["AP"] for e in found.values()]
    assert min(aps) > 0.999 if right else max(aps) < 0.5


@every
def test_a_file_of_weights_says_what_the_network_says(name):
    files = (bundle(name) / file for file in ("network.keras", owners.FILE))
    predictors = [protocol.predictor(file, config(name).evaluate) for file in files]
    candidates, boxes = evaluate_labels.shuffled(crowd()[0])
    one, other = (p(candidates, boxes) for p in predictors)
    np.testing.assert_allclose(one.scores, other.scores, atol=2e-3)
    np.testing.assert_array_equal(one.keypoints[..., :2], other.keypoints[..., :2])


def test_a_tflite_file_takes_any_number_of_boxes_and_says_what_keras_says():
    maps = np.random.default_rng(0).random((5, 14, 9, 17)).astype(np.float32) ** 8
    expected = runners.load(bundle("residual") / "network.keras")[1]({"maps": maps})["poses"]
    for file, limit in (("float32.tflite", 1e-5), ("dynamic.tflite", 0.05)):
        run = runners.load(bundle("residual") / file)[1]
        found = np.concatenate([run({"maps": maps[:1]})["poses"], run({"maps": maps[1:]})["poses"]])
        assert np.abs(found - expected).max() < limit * np.ptp(expected)


def test_a_bundle_says_what_each_file_is_and_kinds_that_there_are_not_are_refused():
    said = json.loads((bundle("residual") / "pose.json").read_text())["files"]
    assert {name: what["kind"] for name, what in said.items()} == {
        "network.keras": "keras",
        owners.FILE: "assign",
        "float32.tflite": "float32",
        "dynamic.tflite": "dynamic",
    }
    with pytest.raises(ValueError, match=r"export\.files: a network of labels has no saved_model"):
        jobs.export(run("residual"), config("residual", "export.files=[saved_model]"), run("residual") / "other")
    with pytest.raises(ValueError, match=r"ships as assign\.npz, for NumPy; set export\.files=\[\]"):
        jobs.export(run("assignment"), config("assignment", "export.files=[dynamic]"), run("assignment") / "other")


@every
def test_what_needs_photos_refuses_a_network_that_sees_none_in_a_line(name):
    with pytest.raises(ValueError, match=r"finds none; `tfpose evaluate` measures it"):
        load_predictor(run(name))
    with pytest.raises(ValueError, match=r"evaluate\.scales: .* sees labels alone; leave it out"):
        jobs.evaluate(run(name), config(name, "evaluate.scales=[1.0, 0.5]"))
    phases = f"train.phases=[{{start: 0, size: {list(config(name).system.grid)}, batch: 8}}]"
    with pytest.raises(ValueError, match=r"train\.phases: found some, but labels have no size"):
        loop.assemble(config(name, phases), run(name), ONE)


def test_show_counts_the_multiplications_of_one_box():
    found = show.totals(config("residual"))
    assert found["macs"] == found["kernel_parameters"] == 14 * 9 * 17 * 32 * 2
    assert 0 < show.totals(config("assignment"))["macs"] < 1e6


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_head_of_a_configuration_says_the_weights_that_its_network_has(path):
    method = base.system(yaml_config.load(path).system, COCO17)
    weights = built(lambda: method.build((None, None))).count_params()
    assert f"{weights:,} weights" in path.read_text()


def test_no_answer_costs_less_than_the_truth():
    draw = np.random.default_rng(0)
    owned = np.zeros((1, 3, 8), np.float32)
    owned[0, draw.integers(0, 3, 7), np.arange(7)] = 1  # the last is nobody's
    inside, kinds = np.ones_like(owned), np.eye(8, dtype=np.float32)[None]
    sure = 20 * (2 * owned - 1)
    assert float(losses.whose(owned, sure, inside)) < 1e-6 and float(losses.which(owned, sure, inside, kinds)) < 1e-6
    other = sure.copy()
    other[0, :, 0] *= -1
    assert float(losses.whose(owned, other, inside)) > 1 < 20 * float(losses.which(owned, other, inside, kinds))
    maps = np.float32([[0.2, 0.8]])
    costs = [float(losses.cross_entropy(maps, maps + shift)) for shift in (-0.1, 0.0, 0.1)]
    assert costs[1] < min(costs[0], costs[2])
