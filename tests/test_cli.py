"""The command line as its user meets it: exit codes, one line for what can be mended, files for what was done."""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tfpose import arguments, cli, yaml_config

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = str(ROOT / "configs" / "ppnet" / "m2-d2-w32_256x192_coco.yaml")
COMMANDS = (
    "train",
    "evaluate",
    "predict",
    "export",
    "quantize",
    "sweep",
    "find-rate",
    "show",
    "data",
    "check-data",
    "serve",
    "quickstart",
)


def tfpose(capsys, *arguments):
    """Exit code, stdout and stderr of a command."""
    try:
        code = cli.main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration file of the tiny run."""
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml_config.dump(tiny.config()))
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8)).save(path)
    return path


def test_the_commands_are_those_of_the_manual():
    (commands,) = (a for a in arguments.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert tuple(commands.choices) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(capsys, command):
    code, out, _ = tfpose(capsys, command, "--help")
    assert code == 0 and f"tfpose {command} " in out.split("example")[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("trian", "x.yaml"),
        ("train",),
        ("train", "x.yaml", "--work-dir", "y"),
        ("train", "x.yaml", "--workdir", "y", "stray"),
        ("predict", "network"),
        ("predict", "network", "photo.jpg", "--box", "1,2,3"),
        ("predict", "network", "photo.jpg", "--flip", "train.batch=3"),
        ("check-data", "--part", "test"),
    ],
    ids=" ".join,
)
def test_a_mistyped_command_is_exit_code_2_with_its_usage(capsys, arguments):
    code, _, err = tfpose(capsys, *arguments)
    assert code == 2 and err.startswith("usage: tfpose") and "Traceback" not in err


def test_what_cannot_be_done_is_exit_code_1_and_one_line_that_names_it(capsys, config, photo, tmp_path):
    missing, run = tmp_path / "missing", tiny.run()
    for words, message in [
        (("train", missing), "missing: no such configuration"),
        (("train", config, "train.bach=3"), "train.bach: no such option"),
        (
            ("train", config, f"data.train.annotations={missing}", "--workdir", tmp_path / "run"),
            "no such annotation file",
        ),
        (("train", config, "train.batch=4", "--workdir", run), "another configuration"),
        (("show", config, "system.size=[65, 48]"), "size is (65, 48), expected multiples of"),
        (("evaluate", missing, "--config", config), "missing: no such file or folder"),
        (("evaluate", run / "network.keras", "--detections", missing), "missing: no such file"),
        (("predict", missing, photo), "missing: no such file or folder"),
        (("predict", run, missing), "missing: no such file or folder"),
        (("predict", run, photo, "--boxes", missing), "missing: no such annotation file"),
        (("predict", run, tmp_path / "run"), "no photos"),
        (("export", missing), "missing/config.yaml: no such configuration"),
        (("check-data",), "no data named"),
        (("check-data", "--annotations", missing), "missing: no such annotation file"),
    ]:
        code, _, err = tfpose(capsys, *words)
        last = err.strip().splitlines()[-1]
        assert code == 1 and last.startswith(f"tfpose {words[0]}: ") and message in last, (words, err)
        assert "Traceback" not in err


def test_overrides_may_stand_after_a_flag():
    options = arguments.parsed(["show", "x.yaml", "train.batch=4", "--json", "system.width=24"])
    assert options.json and options.overrides == ["train.batch=4", "system.width=24"]


def test_show_prints_what_the_published_network_costs(capsys):
    code, out, _ = tfpose(capsys, "show", PUBLISHED, "--json")
    found = json.loads(out)
    assert code == 0 and set(found) == {"trainable_parameters", "kernel_parameters", "macs", "input_size", "outputs"}
    assert found["trainable_parameters"] == 7_026_690 and round(found["macs"] / 2**30, 3) == 3.366
    assert found["input_size"] == [256, 192]
    assert found["outputs"] == {"heatmaps/0": [64, 48, 17], "heatmaps/1": [64, 48, 17]}


def test_show_prints_a_table_of_layers(capsys, config):
    code, out, _ = tfpose(capsys, "show", config)
    assert code == 0 and out.startswith("layer") and "stem_conv1 " in out and "trainable parameters" in out


def test_predict_writes_a_coco_annotation_file_and_a_picture(capsys, photo, tmp_path):
    boxes = ("--box", "5,5,40,60", "--box", "30,20,40,60")
    code, out, err = tfpose(capsys, "predict", tiny.run(), photo, *boxes, "--output", tmp_path / "out")
    assert code == 0 and "1 photos, 2 people" in out, err
    assert Image.open(tmp_path / "out" / "pictures" / "photo.png").size == (80, 90)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "out" / "poses.json")
        people = coco.loadAnns(coco.getAnnIds())
        judge = COCOeval(coco, coco.loadRes([dict(p) for p in people]), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert [p["bbox"] for p in people] == [[5, 5, 40, 60], [30, 20, 40, 60]] and judge.stats[0] == pytest.approx(1)
    assert {v for p in people for v in p["keypoints"][2::3]} <= {1, 2}
    assert coco.loadCats([1])[0]["keypoints"][0] == "nose"


def test_a_photo_that_cannot_be_read_is_named_and_the_others_are_done(capsys, photo, tmp_path):
    text, output = tmp_path / "text.jpg", tmp_path / "out"
    text.write_text("not an image")
    code, out, err = tfpose(capsys, "predict", tiny.run(), text, photo, "--output", output)
    assert code == 1 and "text.jpg: not a readable image" in err and "1 of 2 photos could not be read" in err
    assert out.startswith("1 photos") and len(json.loads((output / "poses.json").read_text())["annotations"]) == 1


def test_photos_of_one_name_in_two_folders_get_a_picture_each(capsys, photo, tmp_path):
    (tmp_path / "other").mkdir()
    again = photo.rename(tmp_path / "other" / photo.name)
    Image.open(again).save(photo)
    code, _, err = tfpose(capsys, "predict", tiny.run(), photo, tmp_path / "other", "--output", tmp_path / "out")
    assert code == 0, err
    assert [f.name for f in sorted((tmp_path / "out" / "pictures").iterdir())] == ["00001_photo.png", "00002_photo.png"]


def test_boxes_of_a_file_belong_to_photos_by_name(capsys, photo, tmp_path):
    content = {
        "images": [{"id": 7, "file_name": "photo.png"}],
        "annotations": [{"image_id": 7, "bbox": [1, 2, 30, 40]}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    options = ("--boxes", tmp_path / "boxes.json", "--output", tmp_path / "out")
    assert tfpose(capsys, "predict", tiny.run(), photo, *options)[0] == 0
    poses = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert [p["bbox"] for p in poses["annotations"]] == [[1, 2, 30, 40]]
    code, _, err = tfpose(capsys, "predict", tiny.run(), photo.rename(tmp_path / "new.png"), *options)
    assert code == 1 and "new.png is not one of its 1 images" in err


def test_evaluate_prints_figures_of_both_kinds_of_boxes_as_json(capsys, tmp_path):
    truth = json.loads((tiny.people() / "annotations" / "person_keypoints_validation.json").read_text())
    found = [{k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.9} for a in truth["annotations"]]
    (tmp_path / "detections.json").write_text(json.dumps(found))
    code, out, err = tfpose(capsys, "evaluate", tiny.run(), "--detections", tmp_path / "detections.json", "--json")
    assert code == 0, err
    figures = json.loads(out)
    assert set(figures) == {"annotation boxes", "detected boxes"} and 0 <= figures["annotation boxes"]["AP"] <= 1


def test_a_folder_whose_name_is_a_number_is_still_a_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = tfpose(capsys, "check-data", "--annotations", "people.json", "--images", "2017")
    assert code == 1 and "people.json: no such annotation file" in err


def test_the_installed_command_ends_without_a_trace_where_tensorflow_is_missing(config):
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras')))\n"
        "from tfpose.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "show", str(config)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("tfpose show: ") and "tfpose[train]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
