"""A sweep: what is tried, what runs at a time, and a table that outlives failures and interruptions."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny

from tfpose import cli, yaml_config
from tfpose.sweep import choices, pool
from tfpose.sweep.choices import Choices, Range
from tfpose.watch import status

ROOT = Path(__file__).resolve().parent.parent
# What stands for `tfpose train` here: its loss is the distance of the learning rate from 0.003.
TRAIN = """
import sys, time
from pathlib import Path
from tfpose import yaml_config
from tfpose.watch import accuracy, status
command, file, *overrides = sys.argv[1:]
if command == "evaluate":
    accuracy.add(Path(file), [{"what": "boxes", "network": "n", "data": "d", "options": "", "figures": {"AP": 0.5}}])
    sys.exit(0)
folder = Path(overrides[-1])
config = yaml_config.load(file, tuple(overrides[:-2]))
(folder / "config.yaml").write_text(yaml_config.dump(config))
(folder / "runs.txt").open("a").write("x")
status.write(folder, status.RUNNING)
if config.train.batch == 13:
    status.write(folder, status.FAILED, "no luck")
    sys.exit(1)
if config.train.epochs == 99:
    time.sleep(600)
loss = abs(config.train.optimizer.learning_rate - 3e-3)
(folder / "log.csv").write_text(f"epoch,loss,val_loss\\n1,{loss + 1},{loss}\\n2,{loss},{loss + 0.5}\\n")
status.write(folder, status.FINISHED)
"""
RATES = "train.optimizer.learning_rate=[1e-3,3e-3,1e-2]"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A configuration file, for trainings that are pretended."""
    monkeypatch.setattr(pool, "PROGRAM", TRAIN)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml_config.dump(tiny.config()))
    return path


def sweep(file, *arguments):
    return cli.main(["sweep", str(file), "--workdir", str(file.parent / "sweep"), *arguments])


def table(file):
    with (file.parent / "sweep" / "sweep.csv").open(newline="") as content:
        return list(csv.DictReader(content))


def test_a_grid_has_every_combination_once():
    fixed, varied = choices.parsed(["train.batch=[8,16,8]", "seed=3", "system.size=[[64,48],[32,24]]"])
    trials = choices.grid(varied)
    assert fixed == ("seed=3",) and len(trials) == 4 == len({t.name for t in trials})
    assert trials[0].overrides == ("train.batch=8", "system.size=[64, 48]")
    assert [yaml_config.changed(tiny.config(), t.overrides).train.batch for t in trials] == [8, 8, 16, 16]


def test_what_is_drawn_lies_in_its_range_and_more_of_it_begins_with_the_same():
    varied = [Range("rate", 1e-5, 1e-1, False), Range("batch", 4, 64, True), Choices("kind", ("adam", "sgd"))]
    trials = choices.drawn(varied, 200, seed=1)
    assert choices.drawn(varied, 20, seed=1) == trials[:20] != choices.drawn(varied, 20, seed=2)
    rates = [float(t.values["rate"]) for t in trials]
    assert min(rates) >= 1e-5 and max(rates) <= 1e-1 and 60 < sum(r < 1e-3 for r in rates) < 140
    assert {t.values["kind"] for t in trials} == {"adam", "sgd"} and all(
        4 <= int(t.values["batch"]) <= 64 for t in trials
    )
    assert len(choices.drawn([Choices("kind", ("a", "b"))], 9, seed=0)) == 2


def test_folders_of_different_trials_have_different_names_that_fit():
    long = [choices.named({"a.path": f"{'x' * 200}{i}", "b.path": "1"}) for i in range(2)]
    odd = [choices.named({"a.x": "a/b"}), choices.named({"a.x": "a:b"})]
    for first, second in (long, odd):
        assert first.name != second.name and len(first.name) < 130 and "/" not in first.name
    assert choices.named({"train.batch": "16", "seed": "1"}).name == "batch=16,seed=1"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.batch=16"], "nothing is varied"),
        (["train.bach=[1,2]"], r"train\.bach: no such option"),
        (["train.batch=[8,many]"], r"train\.batch: found 'many'; expected a whole number"),
        (["train.batch=8..64"], r"a range is drawn from by chance; say how often, as in --trials 20"),
        (["train.batch=64..8"], "expected the lower end first"),
        (["train.batch=[]"], "no choices"),
        (["system.size=[64,48]"], r"system\.size: found 64; expected a list; of lists, .* double brackets"),
        (["train.batch=[8]", "train.batch=[16]"], "varied twice"),
        ([RATES, "--metric", "losses"], "--metric: found losses; expected loss, val_loss"),
        ([RATES, "--metric", "PCK"], "--metric: found PCK, but evaluate.metric=oks is AP"),
        ([RATES, "--metric", "val_loss", "stages=[[{name: one}]]"], "this configuration has stages; take AP"),
        ([RATES, "--jobs", "0"], "--jobs and --trials: found 0"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_is_trained(file, capsys, overrides, message):
    assert sweep(file, *overrides) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (file.parent / "sweep").exists()


def test_the_table_has_the_best_trial_first_and_a_line_for_one_that_failed(file, capsys):
    assert sweep(file, "train.optimizer.learning_rate=[1e-3,3e-3]", "train.batch=[8,13]", "--jobs", "2") == 0
    rows = table(file)
    assert [row["learning_rate"] for row in rows[:2]] == ["3e-3", "1e-3"]
    assert [row["state"] for row in rows] == ["finished"] * 2 + ["failed: no luck"] * 2
    assert [float(row["val_loss"]) for row in rows[:2]] == pytest.approx([0, 0.002]) and rows[0]["epoch"] == "1"
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-6].split() == ["state", "val_loss", "epoch", "learning_rate", "batch"]
    page = (file.parent / "sweep" / "sweep.html").read_text()
    assert "<script" not in page and "refresh" not in page and "4 of 4 trials have ended" in page and "<circle" in page


def test_a_trial_that_finished_is_kept_and_one_that_failed_is_tried_again(file):
    for rates in ("[1e-3]", "[1e-3,3e-3]"):
        sweep(file, f"train.optimizer.learning_rate={rates}", "train.batch=[8,13]")
    runs = {p.parent.name: len(p.read_text()) for p in (file.parent / "sweep").glob("*/runs.txt")}
    assert runs["learning_rate=1e-3,batch=8"] == 1 and runs["learning_rate=1e-3,batch=13"] == 2
    assert len(runs) == 4 and len(table(file)) == 4


def test_a_folder_with_trials_of_another_sweep_is_refused(file, capsys):
    assert sweep(file, RATES) == 0
    assert sweep(file, RATES, "seed=5") == 1
    assert "holds a trial of another sweep; choose another --workdir" in capsys.readouterr().err


def test_a_figure_of_evaluate_is_measured_after_each_training_and_the_highest_is_best(file, capsys):
    assert sweep(file, RATES, "--metric", "AP") == 0
    assert [row["AP"] for row in table(file)] == ["0.5"] * 3
    assert "the highest first" in (file.parent / "sweep" / "sweep.html").read_text()
    assert sweep(file, RATES, "--metric", "loss", "--maximize") == 0
    assert table(file)[0]["learning_rate"] == "1e-2" and "3 of them finished" in capsys.readouterr().out


def test_a_sweep_without_any_figure_fails_and_says_why(file, capsys):
    assert sweep(file, "train.batch=[13]") == 1
    assert "none of 1 trials has a val_loss; the first: failed: no luck" in capsys.readouterr().err


def test_who_interrupts_a_sweep_ends_its_trainings_and_the_rest_is_done_later(file, capsys):
    def interrupt():
        begun = file.parent / "sweep" / "epochs=99" / "runs.txt"
        while not begun.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    assert sweep(file, "train.epochs=[2,99]") == 1
    assert "stopped; nothing that was written is lost" in capsys.readouterr().err
    assert [row["state"] for row in table(file)] == ["finished", "running"]


def test_a_place_has_its_share_of_cores_and_a_gpu_of_its_own():
    assert [pool.cores(range(8), place, 2) for place in (0, 1)] == [{0, 2, 4, 6}, {1, 3, 5, 7}]
    assert pool.cores([0, 1], 2, 4) == {0, 1}
    found = [pool.environment({"CUDA_VISIBLE_DEVICES": "2,5"}, place)["CUDA_VISIBLE_DEVICES"] for place in (0, 1, 2)]
    assert found == ["2", "5", "2"]
    assert pool.environment({"CUDA_VISIBLE_DEVICES": "-1"}, 1)["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.slow
def test_a_sweep_trains(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml_config.dump(tiny.config("train.epochs=1", "train.pictures=0")))
    command = [sys.executable, "-c", pool.PROGRAM, "sweep", str(path), "train.batch=[4,1000]", "--metric", "AP"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--workdir", str(tmp_path / "sweep")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "failed: train.batch: 1000 samples in a batch" in done.stdout
    assert status.read(tmp_path / "sweep" / "batch=4")["state"] == "finished"
