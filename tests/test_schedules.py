"""The learning rate falls where the validation loss no longer does, and a resumed run knows how long it has waited."""

import csv
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny

from tfpose.config import Optimizer, Schedule
from tfpose.train import checkpoint, loop, optimizers, schedules

PLATEAU = "train.schedule={name: plateau, patience: 2, factor: 0.5, minimum: 1e-3}"


def rates(losses, **options) -> list[float]:
    """The learning rate after each epoch, of a run that began with 1 and has these validation losses."""
    state, optimizer = {"best": None, "waited": 0}, SimpleNamespace(learning_rate=1.0)
    callback, found = schedules.Plateau(Schedule("plateau", **options), state), []
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    for epoch, loss in enumerate(losses):
        logs = {} if loss is None else {"val_loss": loss}
        callback.on_epoch_end(epoch, logs)
        if loss is not None and (state["best"] is None or loss < state["best"]):  # as the keeper does
            state["best"] = loss
        found.append(optimizer.learning_rate)
    return found


def test_the_rate_stays_while_the_loss_falls_and_falls_after_so_many_that_are_no_better():
    assert rates([5, 4, 3, 2, 1]) == [1] * 5
    assert rates([5, 4, 4.5, 4, 6, 7, 8, 9], patience=3) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_a_better_loss_begins_the_waiting_anew_and_a_hair_is_not_better():
    assert rates([5, 6, 4, 6, 6], patience=2) == pytest.approx([1, 1, 1, 1, 0.1])
    assert rates([5, 4.9999, 4.9998], patience=2) == pytest.approx([1, 1, 0.1])


def test_epochs_without_validation_do_not_count():
    assert rates([5, None, None, None, 5, None], patience=1) == pytest.approx([1, 1, 1, 1, 0.1, 0.1])


def test_the_rate_never_falls_below_its_minimum():
    assert rates([1] * 6, patience=1, factor=0.1, minimum=0.05) == pytest.approx([1, 0.1] + [0.05] * 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "found patience 0, minimum 0.0; expected at least 1 and 0"),
        ({"minimum": -1.0}, "found patience 3, minimum -1.0"),
        ({"warmup_steps": 5}, r"warmup_steps: found 5 with plateau, which has none; set 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Schedule("plateau", **options)


def log(folder) -> list[dict]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_stopped_run_waits_on_and_ends_as_one_that_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(schedules, "BETTER", 2.0)  # no loss is ever so much lower
    config = tiny.config(PLATEAU, "train.epochs=5", "train.pictures=0")
    whole, stopped = (tmp_path / name for name in ("whole", "stopped"))
    save = checkpoint.save

    def seen(path, trainee, state):
        save(path, trainee, state)
        if state["epoch"] == 4:  # a run that is killed now leaves this
            assert state["waited"] == 1
            shutil.copytree(whole, stopped)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", seen)
        loop.train(config, whole)
    loop.train(config, stopped)
    assert log(stopped) == log(whole)
    assert [float(row["learning_rate"]) for row in log(whole)] == pytest.approx([3e-3] * 3 + [1.5e-3] * 2)
    first, second = (np.load(folder / "checkpoint.npz") for folder in (whole, stopped))
    assert str(first["state"]) == str(second["state"])
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_the_fallen_rate_is_among_the_numbers_of_a_checkpoint(tmp_path):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

    def trainee():
        rate = schedules.rate(0.5, Schedule("plateau"), (), 10)
        made = SimpleNamespace(network=network, optimizer=optimizers.optimizer(Optimizer("adam"), rate))
        made.optimizer.build(network.trainable_variables)
        return made

    first, second = trainee(), trainee()
    first.optimizer.learning_rate = 0.05
    checkpoint.save(tmp_path / "checkpoint.npz", first, {"best": 2.5, "waited": 1})
    assert checkpoint.restore(tmp_path / "checkpoint.npz", second) == {"best": 2.5, "waited": 1}
    assert float(second.optimizer.learning_rate) == pytest.approx(0.05)
