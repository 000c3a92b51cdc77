"""A run, from a configuration to a folder: what it writes, what it refuses, and what stops it."""

import csv
import dataclasses
import itertools
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose import runners, yaml_config
from tfpose.config import Augment, Phase, Schedule, Train
from tfpose.train import callbacks, checkpoint, feed, loop, schedules, transfer
from tfpose.train.fused import FusedBatchNormalization, training_network
from tfpose.train.timeline import timeline
from tfpose.train.trainee import Trainee

ONE = tf.distribute.get_strategy()


def small():
    """A network of two convolutions, each with batch norm."""
    image = x = keras.Input((8, 6, 3), name="image")
    for name in ("first", "second"):
        x = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="glorot_normal", name=name)(x)
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer="ones", name=f"{name}_bn")(x)
    return keras.Model(image, x)


def taught(network):
    """What a network says in training, the gradients of that, and its moving statistics afterwards."""
    images = np.random.default_rng(1).normal(3, 2, (4, 8, 6, 3)).astype("float32")
    with tf.GradientTape() as tape:
        outputs = network(images, training=True)
        loss = tf.reduce_mean(tf.cast(outputs, tf.float32) ** 3)
    gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
    return [np.asarray(v, np.float32) for v in (outputs, *gradients, *network.non_trainable_variables)]


def test_fused_batch_norm_is_batch_norm_in_outputs_gradients_and_statistics():
    plain = small()
    fused = training_network(lambda: plain, "float32")
    assert sum(isinstance(layer, FusedBatchNormalization) for layer in fused.layers) == 2
    for expected, found in zip(taught(plain), taught(fused), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_network_in_sixteen_bits_keeps_its_weights_in_thirty_two():
    for precision in ("bfloat16", "float16"):
        network = training_network(small, precision)
        assert network(np.ones((1, 8, 6, 3), "float32")).dtype == precision
        assert {v.dtype for v in network.variables} == {"float32"}
        assert all(np.isfinite(values).all() for values in taught(network))
    assert keras.config.dtype_policy().name == "float32"


def test_a_run_leaves_everything_that_is_needed_later():
    folder = tiny.run()
    files = {"config.yaml", "versions.json", "network.keras", "best.keras", "pose.json", "checkpoint.npz", "log.csv"}
    files |= {"previous_checkpoint.npz", "status.json", "report.html", "about.json", "samples.json"}
    evaluated = {"evaluation.json"}  # by another test, perhaps
    assert {f.name for f in folder.iterdir()} - evaluated == files | {"tensorboard", "pictures"}
    assert [f.name for f in sorted((folder / "pictures").iterdir())] == ["epoch_001.png", "epoch_002.png"]
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    assert yaml_config.load(folder / "config.yaml") == tiny.config()
    assert {"tfpose", "tensorflow", "keras", "numpy", "python", "seed"} <= set(
        json.loads((folder / "versions.json").read_text())
    )


@pytest.mark.slow
def test_one_seed_gives_the_same_numbers_to_the_last_bit(tmp_path):
    one, again = (np.load(f / "checkpoint.npz") for f in (tiny.run(), loop.train(tiny.config(), tmp_path)))
    assert one.files == again.files and all(np.array_equal(one[name], again[name]) for name in one.files)


def test_the_log_has_a_row_an_epoch_with_the_losses_of_every_module():
    with (tiny.run() / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for row in rows:
        values = {name: float(value) for name, value in row.items()}
        assert values["loss"] == pytest.approx(values["heatmaps_0"] + values["heatmaps_1"], rel=1e-5)
        assert values["val_loss"] == pytest.approx(values["val_heatmaps_0"] + values["val_heatmaps_1"], rel=1e-5)


@pytest.mark.parametrize("name", ["network.keras", "best.keras"])
def test_a_network_of_a_run_predicts(name):
    _, run = runners.load(tiny.run() / name)
    assert run(tiny.views(2))["heatmaps"].shape == (2, 16, 12, 17)


def test_a_folder_with_a_run_of_another_configuration_is_refused():
    with pytest.raises(ValueError, match="holds a run of another configuration; choose another --workdir"):
        loop.train(tiny.config("train.batch=4"), tiny.run())


def test_a_folder_in_which_nothing_was_learned_yet_may_change_its_configuration(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.json: no such annotation file"):
        loop.train(tiny.config("data.train.annotations=missing.json"), tmp_path)
    loop.claim(tiny.config(), tmp_path)
    assert yaml_config.load(tmp_path / "config.yaml") == tiny.config()


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path):
    config = tiny.config("train.schedule={name: steps, at: [1], factor: 1e30}", "train.pictures=0")
    with pytest.raises(ArithmeticError, match=r"loss is (nan|inf) at epoch 2, step 2, annotations [\d, ]+;") as stop:
        loop.train(config, tmp_path)
    named = [int(n) for n in re.search(r"annotations ([\d, ]+);", str(stop.value))[1].split(", ")]
    run = loop.assemble(config, tmp_path, ONE)
    batches = itertools.islice(iter(feed.samples(run, run.timeline.stretches[0], 0)), run.timeline.total)
    assert named == list(batches)[run.timeline.step_at(1) + 1][0]["annotation_id"].numpy().tolist()
    assert checkpoint.restore(tmp_path / "checkpoint.npz", run.trainee)["epoch"] == 1
    assert all(np.isfinite(weights).all() for weights in run.trainee.network.get_weights())


def test_weights_that_the_last_step_spoilt_are_not_kept():
    trainee = Trainee(small(), Taught())
    callback = callbacks.FiniteLoss(name_batch=None)
    callback.set_model(trainee)
    callback.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
    with pytest.raises(ArithmeticError, match="validation loss is not finite after the last step of epoch 2"):
        callback.on_epoch_end(1, {"loss": 1.0, "val_loss": float("nan")})
    trainee.network.trainable_variables[0].assign(np.full((3, 3, 3, 4), np.inf))
    with pytest.raises(ArithmeticError, match="first/kernel is not finite after the last step of epoch 3"):
        callback.on_epoch_end(2, {"loss": 1.0})


class Taught:
    """A stand-in for a system: the network shall say the targets."""

    terms = ("maps/0",)

    def loss(self, targets, outputs):
        return {"maps/0": keras.ops.mean(keras.ops.square(targets["maps/0"] - outputs))}


def compiled(network, optimizer="adam"):
    trainee = Trainee(network, Taught())
    trainee.compile(optimizer=optimizer)
    trainee.optimizer.build(network.trainable_variables)
    return trainee


def test_a_checkpoint_brings_every_number_back(tmp_path):
    first, second = compiled(small()), compiled(small())
    first.optimizer.iterations.assign(7)
    checkpoint.save(tmp_path / "checkpoint.npz", first, {"epoch": 3, "best": 0.25})
    assert checkpoint.restore(tmp_path / "checkpoint.npz", second) == {"epoch": 3, "best": 0.25}
    assert int(second.optimizer.iterations) == 7
    assert all(np.array_equal(a, b) for a, b in zip(first.network.get_weights(), second.network.get_weights()))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_torn_checkpoint_is_refused(tmp_path, part):
    path, trainee = tmp_path / "checkpoint.npz", compiled(small())
    checkpoint.save(path, trainee, {"epoch": 1, "best": None})
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"checkpoint\.npz: not a whole checkpoint .*delete it to start again"):
        checkpoint.restore(path, trainee)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoint.save(tmp_path / "checkpoint.npz", compiled(small()), {"epoch": 1, "best": None})
    with pytest.raises(ValueError, match="of another network"):
        checkpoint.restore(tmp_path / "checkpoint.npz", compiled(small(), "sgd"))


def test_a_run_may_start_from_the_weights_of_another(tmp_path):
    path = tiny.run() / "network.keras"
    run = loop.assemble(tiny.config(f"train.initial_weights={path}", "seed=5"), tmp_path, ONE)
    weights = keras.models.load_model(path, compile=False).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(run.trainee.network.get_weights(), weights, strict=True))


def test_initial_weights_that_do_not_fit_are_refused(tmp_path):
    network = training_network(small, "float32")
    with pytest.raises(ValueError, match=r"initial_weights: .*none\.keras: no such file"):
        transfer.initial(network, str(tmp_path / "none.keras"))
    with pytest.raises(ValueError, match=r"initial_weights: .*network\.keras: of another network"):
        transfer.initial(network, str(tiny.run() / "network.keras"))
    shutil.copy(tiny.run() / "checkpoint.npz", tmp_path / "torn.keras")
    with pytest.raises(ValueError, match=r"initial_weights: .*torn\.keras"):
        transfer.initial(network, str(tmp_path / "torn.keras"))


def test_an_empty_share_of_a_batch_costs_nothing_and_changes_no_mean():
    trainee = Trainee(small(), Taught())
    for count in (3, 0, 1):
        maps = np.zeros((count, 8, 6, 4), "float32")
        loss = trainee.compute_loss({"image": maps}, {"maps/0": maps + count}, maps)
        assert float(loss) == count**2
    assert float(trainee.means["maps/0"].result()) == pytest.approx((3 * 9 + 1 * 1) / 4)


@pytest.mark.parametrize("option", ["epochs", "batch", "validate_every"])
def test_a_number_below_one_is_refused_where_it_is_written(option):
    with pytest.raises(ValueError, match=rf"train\.{option}: found 0; expected at least 1"):
        Train(**{option: 0})


def test_a_timeline_counts_the_steps_of_every_phase():
    plan = timeline(Train(epochs=5, phases=(Phase(0, (32, 24), 4), Phase(3, (64, 48), 8))), (64, 48), people=26)
    assert [(s.start, s.end, s.size, s.steps) for s in plan.stretches] == [(0, 3, (32, 24), 6), (3, 5, (64, 48), 3)]
    assert [plan.step_at(epoch) for epoch in (0, 1, 3, 4, 5)] == [0, 6, 18, 21, 24] and plan.total == 24


def test_the_time_left_counts_the_pixels_of_every_phase_that_is_to_come():
    plan = timeline(Train(epochs=5, phases=(Phase(0, (32, 24), 4), Phase(3, (64, 48), 8))), (64, 48), people=26)
    small, large = 4 * 32 * 24, 8 * 64 * 48
    left = [18 * small + 6 * large, 6 * large, 3 * large, 0]
    assert [plan.pixels_after(step) for step in (0, 18, 21, 24)] == left


def test_a_run_says_that_larger_views_will_take_longer(monkeypatch):
    plan = timeline(Train(epochs=5, phases=(Phase(0, (32, 24), 4), Phase(3, (64, 48), 8))), (64, 48), people=26)
    clock = iter(range(100, 200, 10))
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: float(next(clock)))
    progress = callbacks.Progress(plan, plan.stretches[0])
    progress.on_epoch_begin(0)
    monkeypatch.setattr(progress, "_show", lambda *_: None)
    progress.on_train_batch_end(0)
    progress.on_train_batch_end(1)
    known = progress.known()  # twenty seconds for the four views of the second step
    assert known["images/s"] == pytest.approx(4 / 20) and known["seconds_left"] == 20 * (16 + 6 * 8)


def test_a_calm_phase_has_boxes_that_vary_less_about_the_same_middle():
    phases = Phase(0, (64, 48), 4), Phase(3, (64, 48), 4, jitter=0.25)
    assert [s.jitter for s in timeline(Train(epochs=5, phases=phases), (64, 48), people=26).stretches] == [1, 0.25]
    given = Augment(scale=(1.2, 1.8), shift=0.1, rotation=30)
    assert feed.calmed(given, 1) == given
    calm = feed.calmed(given, 0.25)
    assert calm.scale == pytest.approx((1.425, 1.575)) and calm.shift == 0.025 and calm.rotation == 30


@pytest.mark.slow
def test_a_calm_phases_views_are_those_of_the_calmer_chance(tmp_path):
    still = loop.assemble(tiny.config("augment.scale=[1, 1]", "augment.shift=0"), tmp_path / "still", ONE)
    calm = loop.assemble(tiny.config("augment.scale=[0.5, 1.5]", "augment.shift=0.2"), tmp_path / "calm", ONE)
    stretch = calm.timeline.stretches[0]
    images = [
        next(iter(feed.samples(run, dataclasses.replace(stretch, jitter=jitter), 0)))[0]["image"].numpy()
        for run, jitter in ((still, 1), (calm, 0), (calm, 1))
    ]
    assert np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


@pytest.mark.parametrize("jitter", [-0.1, 1.5])
def test_a_phase_varies_boxes_by_a_share(jitter):
    with pytest.raises(ValueError, match=r"train\.phases: found jitter .*; expected 0 to 1"):
        Phase(0, (64, 48), 4, jitter)


@pytest.mark.parametrize(
    ("train", "replicas", "message"),
    [
        (Train(batch=27), 1, r"train\.batch: 27 samples in a batch, but the training part has only 26"),
        (Train(batch=9), 2, r"train\.batch: found 9; expected a positive multiple of the 2 replica"),
        (Train(phases=(Phase(1, (64, 48), 4),)), 1, r"train\.phases: starts are \[1\]; expected 0 first"),
        (Train(phases=(Phase(0, (32, 24), 4),)), 1, r"train\.phases: the last size is \(32, 24\)"),
    ],
)
def test_a_timeline_that_cannot_be_run_is_refused(train, replicas, message):
    with pytest.raises(ValueError, match=message):
        timeline(train, (64, 48), 26, replicas)


def test_a_phase_of_a_size_that_the_network_cannot_have_is_refused_at_once(tmp_path):
    phases = "train.phases=[{start: 0, size: [66, 48], batch: 4}, {start: 1, size: [64, 48], batch: 4}]"
    with pytest.raises(ValueError, match=r"size is \(66, 48\), expected multiples of 8"):
        loop.assemble(tiny.config(phases), tmp_path, ONE)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Schedule("constant"), [1, 1, 1, 1]),
        (Schedule("steps", factor=0.1), [1, 0.1, 0.01, 0.01]),
        (Schedule("linear"), [1, 0.75, 0.25, 0]),
        (Schedule("cosine"), [1, (1 + np.sqrt(0.5)) / 2, (1 - np.sqrt(0.5)) / 2, 0]),
        (Schedule("constant", warmup_steps=50), [0.02, 0.52, 1, 1]),
    ],
)
def test_the_learning_rate_follows_its_schedule(schedule, factors):
    rate = schedules.LearningRate(2.0, schedule, at=(25, 75), total=100)
    assert [float(rate(step)) / 2 for step in (0, 25, 75, 100)] == pytest.approx(factors, abs=1e-6)


def test_a_half_precision_run_scales_its_loss(tmp_path):
    run = loop.assemble(tiny.config("train.precision=float16"), Path(tmp_path), ONE)
    assert isinstance(run.trainee.optimizer, keras.optimizers.LossScaleOptimizer)


def test_a_stepped_rate_that_never_falls_is_remarked_on():
    assert "never falls" in loop.late_steps(Train(epochs=20)) and not loop.late_steps(Train(epochs=210))
