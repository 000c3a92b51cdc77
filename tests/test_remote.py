"""Data and run folders elsewhere, by the names of TensorFlow's file systems: `ram://` stands for gs:// and the like."""

import json
import shutil
import time
from pathlib import Path

import folders
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose import cli, remote, yaml_config
from tfpose.config import Augment
from tfpose.data import check, coco, mpii, pipeline
from tfpose.paths import Remote, path
from tfpose.skeleton import COCO17, MPII16


@pytest.fixture
def place(request):
    """A folder elsewhere that no other test has."""
    return path(f"ram://{request.node.name.replace('[', '_').strip(']')}/run")


def copied(folder: Path, place: Remote) -> None:
    """Copies a folder and what is below it elsewhere."""
    for file in folder.rglob("*"):
        if file.is_file():
            target = place / str(file.relative_to(folder))
            target.parent.mkdir()
            target.write_bytes(file.read_bytes())


def test_a_name_with_a_scheme_keeps_it_and_others_are_paths():
    assert path("data/people") == Path("data/people")
    inside = path("gs://bucket/people/") / "train" / "1.jpg"
    assert str(inside) == "gs://bucket/people/train/1.jpg" and str(path(inside)) == str(inside)
    assert (inside.name, inside.stem, inside.suffix) == ("1.jpg", "1", ".jpg")
    assert str(inside.parent) == "gs://bucket/people/train" and str(inside.with_name("2")) == str(inside.parent / "2")


def test_a_scheme_without_a_file_system_is_an_error_of_one_line():
    with pytest.raises(OSError, match=r"nowhere://a: .*'nowhere' not implemented"):
        path("nowhere://a").is_file()


def test_a_coco_folder_elsewhere_gives_the_samples_of_one_here(tmp_path, place):
    images = [folders.photo(tmp_path, i) for i in (1, 2)]
    folders.write(tmp_path, images, [folders.person(i, i) for i in (1, 2)])
    copied(tmp_path, place)
    found = []
    for folder in (tmp_path, place):
        records = coco.load(folder / "people.json", folder, COCO17).records
        options = {"size": (64, 48), "padding": 1.25, "skeleton": COCO17, "augment": Augment(), "batch": 2, "seed": 0}
        found += list(pipeline.training(records, lambda b: b, **options).take(1).as_numpy_iterator())
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    check.contact_sheet(coco.Split(records), COCO17, tmp_path / "sheet.png")


def test_a_missing_and_a_broken_photo_elsewhere_are_named(tmp_path, place):
    images = [folders.photo(tmp_path, i) for i in (1, 2)]
    folders.write(tmp_path, images, [folders.person(i, i) for i in (1, 2)])
    copied(tmp_path, place)
    (place / "000001.jpg").unlink()
    content = (place / "000002.jpg").read_bytes()
    (place / "000002.jpg").unlink()  # `ram://` writes behind what is there
    (place / "000002.jpg").write_bytes(content[:-200])
    problems = coco.load(place / "people.json", place, COCO17, on_bad="skip").problems
    assert "000001.jpg: no such file" in problems[0] and "000002.jpg: a JPEG without an end" in problems[1]


def test_mpii_elsewhere_is_read(tmp_path, place):
    folders.photo(tmp_path, 1)
    person = {"image": "000001.jpg", "joints": [[5, 5]] * 16, "joints_vis": [1] * 16, "center": [9, 9], "scale": 0.1}
    copied(tmp_path, place)
    (place / "people.json").write_text(f"[{str(person).replace(chr(39), chr(34))}]")
    (record,) = mpii.load(place / "people.json", place, MPII16).records
    assert record.path == str(place / "000001.jpg") and record.width == 120


def test_a_folder_here_is_worked_on_itself(tmp_path):
    with remote.here(tmp_path) as folder:
        assert folder is tmp_path


def test_a_folder_elsewhere_is_fetched_and_what_changed_is_sent(place):
    (place / "log").mkdir()
    (place / "log" / "old.txt").write_text("old")
    (place / "gone.txt").write_text("gone")
    with remote.here(place) as folder:
        assert (folder / "log" / "old.txt").read_text() == "old"
        (folder / "log" / "new.txt").write_text("new")
        (folder / "gone.txt").unlink()
    assert [p.name for p in (place / "log").iterdir()] == ["new.txt", "old.txt"] and not folder.exists()
    assert not (place / "gone.txt").is_file()


def test_what_changed_is_sent_while_it_is_worked_on_and_after_an_error(place):
    with pytest.raises(ValueError, match="broken"), remote.here(place, new=True, every=0.02) as folder:
        (folder / "log.csv").write_text("one")
        for _ in range(200):
            if (place / "log.csv").is_file():
                break
            time.sleep(0.02)
        assert (place / "log.csv").read_text() == "one"
        (folder / "log.csv").write_text("one, two")
        raise ValueError("broken")
    assert (place / "log.csv").read_text() == "one, two"


def test_a_file_elsewhere_is_never_half_there(tmp_path, place, monkeypatch):
    (place / "checkpoint.npz").write_text("whole")
    (tmp_path / "checkpoint.npz").write_text("another")
    monkeypatch.setattr(shutil, "copyfileobj", lambda source, file: (file.write(source.read(3)), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        remote.Mirror(tmp_path, place).send()
    assert (place / "checkpoint.npz").read_text() == "whole"


@pytest.mark.slow
def test_a_run_elsewhere_is_trained_found_again_and_exported(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml_config.dump(tiny.config()))
    for _ in range(2):  # the second call finds it trained
        assert cli.main(["train", str(file), "--workdir", "ram://runs/tiny"]) == 0
        assert len(path("ram://runs/tiny/log.csv").read_text().splitlines()) == 3
    assert cli.main(["export", "ram://runs/tiny", "export.files=[float32]", "export.max_ap_drop=1"]) == 0
    assert tf.io.gfile.exists("ram://runs/tiny/bundle/float32.tflite")


def test_a_networks_file_elsewhere_is_fetched_with_what_is_beside_it(place):
    for name in ("int8.tflite", "pose.json", "float32.tflite"):
        (place / name).write_text(name)
    file = remote.fetched(place / "int8.tflite")
    assert sorted(p.name for p in file.parent.iterdir()) == ["int8.tflite", "pose.json"]
    assert remote.fetched(place / "int8.tflite") == file and remote.fetched(file) == file
    assert sorted(p.name for p in remote.fetched(place).iterdir()) == ["float32.tflite", "int8.tflite", "pose.json"]


def test_what_is_to_be_read_and_is_not_elsewhere_is_named(place):
    for read in (remote.fetched, lambda missing: remote.here(missing).__enter__()):
        with pytest.raises(ValueError, match=r"ram://.*/missing: no such file or folder"):
            read(place / "missing")


def test_a_network_elsewhere_is_evaluated_on_data_elsewhere_and_its_report_is_sent(capsys, place):
    copied(tiny.run(), place)
    copied(tiny.people() / "validation", place / "photos")
    (place / "people.json").write_bytes(people().read_bytes())
    found = []
    for run, data in ((tiny.run(), people()), (place, place / "people.json")):
        images = tiny.people() / "validation" if data == people() else place / "photos"
        assert cli.main(["evaluate", str(run), "--annotations", str(data), "--images", str(images), "--json"]) == 0
        found.append(capsys.readouterr().out.splitlines()[-1])
    assert found[0] == found[1] and "AP" in found[0]
    assert (place / "report.html").is_file()


def test_photos_elsewhere_are_predicted_and_what_is_found_is_sent(place):
    copied(tiny.run(), place / "run")
    photo = sorted((tiny.people() / "validation").iterdir())[0]
    (place / "photos" / photo.name).write_bytes(photo.read_bytes())
    words = [str(place / name) for name in ("run/network.keras", "photos", "found")]
    assert cli.main(["predict", *words[:2], "--output", words[2]]) == 0
    assert [image["file_name"] for image in json.loads((place / "found" / "poses.json").read_text())["images"]] == [
        photo.name
    ]
    assert (place / "found" / "pictures" / f"{photo.stem}.png").is_file()


def test_a_picture_and_a_configuration_may_be_elsewhere(capsys, place):
    (place / "tiny.yaml").write_text(yaml_config.dump(tiny.config()))
    assert cli.main(["check-data", "--config", str(place / "tiny.yaml"), "--picture", str(place / "data.png")]) == 0
    assert (place / "data.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["show", str(place / "tiny.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["input_size"] == [64, 48]


def people() -> Path:
    return tiny.people() / "annotations" / "person_keypoints_validation.json"
