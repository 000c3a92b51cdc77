"""Distillation: what it costs not to say what the teacher says, what stays as it is, and which teachers are refused."""

import csv
import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose.config import Distill
from tfpose.skeleton import COCO17, skeleton
from tfpose.systems import base
from tfpose.train import distill, feed, loop
from tfpose.train.trainee import Trainee

ONE = tf.distribute.get_strategy()


def taught(weight, *more):
    """The configuration of a run that the tiny run teaches, at a weight."""
    teacher = f"train.distill={{teacher: {tiny.run()}, weight: {weight}}}"
    return tiny.config("train.pictures=0", "train.epochs=1", teacher, *more)


@functools.cache
def run(folder, weight=1.0):
    return loop.assemble(taught(weight), folder, ONE)


@functools.cache
def batch(folder):
    """Images, targets and what the student says, before it has learnt anything."""
    whole = run(folder)
    inputs, targets = next(iter(feed.samples(whole, whole.timeline.stretches[0], 0)))
    return inputs, targets, whole.trainee.network(inputs["image"], training=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("student")


def cost(teacher, inputs, targets, outputs):
    return float(teacher.cost(inputs["image"], targets, outputs))


def test_at_no_weight_the_loss_is_the_ordinary_one(folder):
    whole, (inputs, targets, outputs) = run(folder), batch(folder)
    losses = []
    for teacher in (None, distill.Teacher(whole.trainee.teacher.network, whole.system, 0.0)):
        trainee = Trainee(whole.trainee.network, whole.system, teacher=teacher)
        losses.append(float(trainee.compute_loss(inputs, targets, outputs)))
    assert losses[0] == losses[1] > 0


def test_a_student_that_is_the_teacher_costs_nothing_and_another_something(folder):
    teacher, (inputs, targets, outputs) = run(folder).trainee.teacher, batch(folder)
    assert cost(teacher, inputs, targets, teacher.network(inputs["image"], training=False)) == 0
    assert cost(teacher, inputs, targets, outputs) > 1e-4


def test_what_is_not_known_of_a_view_costs_nothing(folder):
    teacher, (inputs, targets, outputs) = run(folder).trainee.teacher, batch(folder)
    unknown = targets | {"weights": tf.zeros_like(targets["weights"])}
    assert cost(teacher, inputs, unknown, outputs) == 0


def test_the_cost_is_as_many_times_as_large_as_the_weight(folder):
    teacher, (inputs, targets, outputs) = run(folder).trainee.teacher, batch(folder)
    half = distill.Teacher(teacher.network, teacher.system, 0.5)
    assert cost(half, inputs, targets, outputs) == pytest.approx(cost(teacher, inputs, targets, outputs) / 2)


@pytest.mark.slow
def test_a_few_steps_bring_the_student_nearer_and_leave_the_teacher_alone(tmp_path):
    whole = loop.assemble(taught(1.0), tmp_path, ONE)
    before = whole.trainee.teacher.network.get_weights()
    data = feed.samples(whole, whole.timeline.stretches[0], 0)
    few = list(itertools.islice(iter(data), 4))
    history = whole.trainee.fit(tf.data.Dataset.from_generator(lambda: few * 4, output_signature=data.element_spec))
    assert "distill" in history.history
    for expected, found in zip(before, whole.trainee.teacher.network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    inputs, targets = few[0]
    untaught = loop.assemble(taught(1.0), tmp_path, ONE).trainee.network
    first, last = (
        cost(whole.trainee.teacher, inputs, targets, network(inputs["image"], training=False))
        for network in (untaught, whole.trainee.network)
    )
    assert last < 0.9 * first


@pytest.mark.slow
def test_a_run_logs_the_term_and_keeps_no_teacher(tmp_path):
    folder = loop.train(taught(0.5), tmp_path / "run")
    with (folder / "log.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    parts = [float(row[name]) for name in ("heatmaps_0", "heatmaps_1", "distill")]
    assert float(row["loss"]) == pytest.approx(sum(parts), rel=1e-5) and parts[2] > 0
    networks = [keras.models.load_model(f / "network.keras", compile=False) for f in (folder, tiny.run())]
    assert [layer.name for layer in networks[0].layers] == [layer.name for layer in networks[1].layers]
    counts = [len(np.load(f / "checkpoint.npz").files) for f in (folder, tiny.run())]
    assert counts[0] == counts[1]


def test_a_teacher_of_other_views_is_refused():
    system = base.system(tiny.config("system.size=[96, 64]").system, COCO17)
    with pytest.raises(ValueError, match=r"sees views of \(64, 48\), the student of \(96, 64\)"):
        distill.teacher(Distill(str(tiny.run())), system, [system.size])


def test_a_teacher_of_other_keypoints_is_refused():
    system = base.system(tiny.config().system, skeleton("mpii16"))
    with pytest.raises(ValueError, match=r"keypoints \['nose', .*, the student's are \['"):
        distill.teacher(Distill(str(tiny.run())), system, [system.size])


def test_a_teacher_that_keras_cannot_run_is_refused(tmp_path):
    (tmp_path / "int8.tflite").write_bytes(b"")
    tiny.spec().save(tmp_path / "pose.json")
    system = base.system(tiny.config().system, COCO17)
    with pytest.raises(ValueError, match=r"int8\.tflite, expected a run folder or a \.keras file"):
        distill.teacher(Distill(str(tmp_path)), system, [tiny.SIZE])


def test_a_weight_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"train\.distill\.weight: found -1"):
        Distill("runs/try", -1)
