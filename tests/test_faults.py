"""What happens to a run's files when something breaks: a whole checkpoint stays, and a line says what is wrong."""

import contextlib
import resource
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfpose.train import callbacks, checkpoint, loop
from tfpose.train.trainee import Trainee

LARGE = 64  # a network of 16 kilobytes, four times what a full disk takes here


class Taught:
    """A stand-in for a system."""

    terms = ("maps",)


def trainee(value=0.0):
    image = keras.Input((4,), name="image")
    made = Trainee(keras.Model(image, keras.layers.Dense(LARGE**2 // 4, name="wide")(image)), Taught())
    made.compile(keras.optimizers.SGD(0.1))
    made.optimizer.build(made.network.trainable_variables)
    for variable in made.network.variables:
        variable.assign(np.full(variable.shape, value))
    return made


def saved(folder, *epochs):
    """The path of a run's checkpoint after so many epochs, whose weights are the epoch's number."""
    for epoch in epochs:
        checkpoint.save(folder / checkpoint.FILE, trainee(epoch), {"epoch": epoch})
    return folder / checkpoint.FILE


def restored(path):
    """The epoch of the state and of the weights that come back."""
    made = trainee()
    return checkpoint.restore(path, made)["epoch"], made.network.get_weights()[0].max()


@contextlib.contextmanager
def full_disk(size=4096):
    """No file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_in_place_of_a_torn_checkpoint_the_one_before_is_taken_and_a_line_says_so(tmp_path, capsys, part):
    path = saved(tmp_path, 1, 2)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert restored(path) == (1, 1)
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{path}: not a whole checkpoint; the previous one is, and continues after epoch 1"]


def test_no_bit_of_a_checkpoint_changes_unnoticed(tmp_path, capsys):
    path, rng = saved(tmp_path, 1, 2), np.random.default_rng(1)
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(rng.integers(8))]) + whole[place + 1 :])
        epoch, weight = restored(path)
        assert epoch == weight and (epoch == 2 or "not a whole checkpoint" in capsys.readouterr().out)


def test_a_kill_between_two_checkpoints_leaves_the_first(tmp_path):
    path = saved(tmp_path, 1)
    path.rename(checkpoint.previous(path))  # the new one was not moved into its place yet
    assert checkpoint.exists(tmp_path) and restored(path) == (1, 1)


def test_two_torn_checkpoints_are_refused(tmp_path):
    path = saved(tmp_path, 1, 2)
    for file in (path, checkpoint.previous(path)):
        file.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"checkpoint\.npz and previous_checkpoint\.npz: not whole .* delete both"):
        restored(path)


def test_on_a_full_disk_both_checkpoints_stay_and_nothing_else(tmp_path):
    path = saved(tmp_path, 1, 2)
    with (
        full_disk(),
        pytest.raises(OSError, match=r"checkpoint\.npz: cannot be written \(File too large\); .* is whole"),
    ):
        saved(tmp_path, 3)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["checkpoint.npz", "previous_checkpoint.npz"]
    assert restored(path) == (2, 2) and restored(checkpoint.previous(path)) == (1, 1)


def test_on_a_full_disk_the_best_network_stays(tmp_path):
    run, path = loop.assemble(tiny.config(), tmp_path, loop.devices.strategy("cpu")), tmp_path / "best.keras"
    shutil.copy(tiny.run() / "best.keras", path)
    before = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match=r"best\.keras: cannot be written"):
        callbacks.save_network(run.trainee.network, run.system, run.config, path)
    assert path.read_bytes() == before and [f.name for f in tmp_path.iterdir()] == ["best.keras"]


class Spoil(keras.callbacks.Callback):
    """Does something to a photo when the second epoch begins."""

    def __init__(self, photo, spoil):
        super().__init__()
        self.photo, self.spoil = photo, spoil

    def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002 keras's own signature
        if epoch == 1:
            self.spoil(self.photo)


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [Path.unlink, lambda photo: photo.write_bytes(b"torn")], ids=["vanished", "torn"])
def test_a_photo_that_breaks_during_a_run_is_named_and_the_run_goes_on_once_it_is_mended(tmp_path, spoil):
    people = shutil.copytree(tiny.people(), tmp_path / "people")
    named = (people / "annotations" / "person_keypoints_train.json", people / "train")
    options = ("train.epochs=20", "train.pictures=0", f"data.train={{annotations: {named[0]}, images: {named[1]}}}")
    photo = named[1] / "000000000001.jpg"
    content, config = photo.read_bytes(), tiny.config(*options)
    with pytest.raises(ValueError, match=rf"^cannot decode {photo}; mend or remove what is broken$"):
        loop.train(config, tmp_path / "run", callbacks=(Spoil(photo, spoil),))
    photo.write_bytes(content)
    run = loop.assemble(config, tmp_path / "run", loop.devices.strategy("cpu"))
    assert loop.begin(run)["epoch"] >= 1


def test_a_run_goes_on_from_the_checkpoint_before_a_torn_one(tmp_path, capsys):
    shutil.copytree(tiny.run(), tmp_path / "run")
    file = tmp_path / "run" / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:5000])
    loop.train(tiny.config(), tmp_path / "run")
    assert "continuing after epoch 1 of 2" in capsys.readouterr().out
    first, second = (keras.models.load_model(f / "network.keras") for f in (tmp_path / "run", tiny.run()))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
