"""The status line: how a run is doing, whoever reads it and however the run ends."""

import json
import threading

import pytest

from tfpose.train import stop
from tfpose.watch import status


def ends(folder, error=None):
    """The line of a run that ends so, and how often it was told."""
    told = []
    try:
        with status.lasting(folder, told.append):
            assert status.read(folder)["state"] == "running"
            status.write(folder, status.RUNNING, step=7, steps=30, loss=0.5)
            if error is not None:
                raise error
    except BaseException as found:
        assert found is error
    (line,) = (folder / status.FILE).read_text().splitlines()
    assert told == [folder, folder] and {p.name for p in folder.iterdir()} == {status.FILE}
    return json.loads(line)


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (None, "finished", "finished"),
        (stop.Saved("after step 4 of epoch 2"), "stopped", "stopped: SIGTERM, saved after step 4 of epoch 2"),
        (KeyboardInterrupt(), "stopped", "stopped: Ctrl-C; the same command continues from the last checkpoint"),
        (ValueError("no such\n  file"), "failed", "failed: no such file"),
        (AssertionError(), "failed", "failed: AssertionError"),
    ],
)
def test_the_last_line_of_a_run_says_how_it_ended_and_how_far_it_was(tmp_path, error, state, message):
    line = ends(tmp_path, error)
    assert (line["state"], line["message"]) == (state, message)
    assert (line["step"], line["steps"], line["loss"]) == (7, 30, 0.5)


def test_a_loss_that_is_not_finite_is_null_so_that_every_reader_takes_the_line(tmp_path):
    status.write(tmp_path, status.RUNNING, loss=float("nan"))
    assert json.loads((tmp_path / status.FILE).read_text(), parse_constant=pytest.fail)["loss"] is None


def test_a_reader_never_sees_half_a_line(tmp_path):
    status.write(tmp_path, status.RUNNING, step=0)
    wrong = []

    def reader():
        while not done.is_set():
            if status.read(tmp_path).get("state") != "running":
                wrong.append(status.read(tmp_path))

    done, thread = threading.Event(), threading.Thread(target=reader)
    thread.start()
    for step in range(300):
        status.write(tmp_path, status.RUNNING, step=step, filling="x" * 5000)
    done.set()
    thread.join()
    assert not wrong


def test_a_folder_that_cannot_be_written_ends_no_run(tmp_path):
    with status.lasting(tmp_path / "gone", None):
        pass
    assert status.read(tmp_path / "gone") == {}
