"""What a bundle says of itself: a table with costs, a picture, a card; and files that give people, not maps."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny

from tfpose import cli, runners
from tfpose import spec as specs
from tfpose.export import bundle, card, charts, cost, decoded, report, tables, verify
from tfpose.export.cost import Cost
from tfpose.export.findings import Report, Row

DRAWN = card.Origin("drawn people", "other drawn people", "AP", drawn=True)
PHOTOS = card.Origin("photos/train.json", "photos/val.json", "PCK")
ROWS = (
    Row("int8.tflite", "int8", 2_000_000, "heatmaps", 0.09, 0.001, 0.98, 0.68),
    Row("int8.tflite", "int8", 2_000_000, "pafs", 0.08, 0.002, None, 0.68),
    Row("decoded_int8.tflite", "decoded_int8", 2_100_000, "people", None, None, 0.97, None),
)
COSTS = {
    "network.keras": Cost(40, 69),
    "int8.tflite": Cost(2.3, 11),
    "decoded_int8.tflite": Cost(2.4, 12),
}
FOUND = Report(ROWS, 0.69, COSTS, 8_000_000)


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(tiny.bundle(), tmp_path / "bundle")


def test_the_report_has_every_file_with_its_score_its_time_and_its_memory(tmp_path):
    report.write(FOUND, tmp_path, "PCK")
    text = (tmp_path / "report.md").read_text()
    assert "| network.keras | 8.00 |  |  |  |  | 69.00 | 40.0 | 69 |" in text
    assert "| int8.tflite | 2.00 | heatmaps | 9.00 | 0.1000 | 98.00 | 68.00 | 2.3 | 11 |" in text
    assert "| decoded_int8.tflite | 2.10 | people |  |  | 97.00 |  | 2.4 | 12 |" in text


def test_what_is_true_of_a_whole_file_is_said_once():
    assert ["", "", "pafs", "8.00", "0.2000", "", "", "", ""] in FOUND.cells()


def test_a_picture_is_there_only_where_something_was_scored(tmp_path):
    report.write(replace(FOUND, figure=None, rows=ROWS[2:]), tmp_path, "PCK")
    assert not (tmp_path / "report.png").exists()
    report.write(FOUND, tmp_path, "PCK")
    assert (tmp_path / "report.png").stat().st_size > 1000


def test_a_point_is_drawn_where_its_value_is():
    panel = {"ms": [("slow", 100.0, 60.0), ("fast", 1.0, 50.0)]}
    picture = np.asarray(charts.points(panel, "score")).astype(int)[:, :500]  # without the names beside it
    slow, fast = (np.argwhere((picture == colour).all(axis=2)).mean(axis=0) for colour in charts.COLOURS[:2])
    assert slow[0] < fast[0] - 200 and slow[1] > fast[1] + 200


def test_a_bar_is_as_long_as_its_value():
    picture = np.asarray(charts.bars([("a", 4.0), ("b", 1.0)], "title"))
    long, short = sorted(
        ({len(np.flatnonzero((row == charts.BAR).all(axis=1))) for row in picture} - {0}), reverse=True
    )
    assert long / short == pytest.approx(4, rel=0.02)


def test_the_card_says_what_a_user_must_know():
    spec = replace(tiny.spec(), calibration={"views": 8, "percentile": 99.9, "keep_float": ["stem_conv1"]})
    text = card.text(spec, PHOTOS, FOUND, "bundle")
    for said in ("64x48", "coco17", "left_wrist", "1.25 times", "photos/train.json", "99.9 %", "stem_conv1", "68.00"):
        assert said in text
    assert "python -m tflite.predict bundle photo.jpg" in text and "holds for\nthem too" in text


def test_the_card_of_a_network_that_saw_drawn_people_claims_no_photos():
    assert "drawn people alone" in card.text(tiny.spec(), DRAWN, FOUND, "bundle")


def test_a_folder_with_somebody_elses_readme_is_left_alone(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match=r"has a README.md and no pose.json"):
        bundle.clear(tmp_path)


def test_reports_of_an_earlier_bundle_are_removed(copy):
    for name in bundle.REPORTS:
        (copy / name).write_text("old")
    bundle.clear(copy)
    assert not list(copy.iterdir())


def test_running_a_file_takes_time_and_memory():
    found = cost.measure(tiny.bundle() / "float32.tflite", runs=3)
    assert 0 < found.milliseconds < 1000 and 0 < found.memory < 200


def test_a_cost_that_cannot_be_measured_says_whose(tmp_path):
    with pytest.raises(ValueError, match=r"none\.tflite: its cost could not be measured"):
        cost.measure(tmp_path / "none.tflite")


def test_a_file_that_decodes_itself_is_compared_by_its_people(copy):
    for kind in ("float16", "int8"):
        (copy / bundle.FILES[kind]).unlink()
    shutil.rmtree(copy / "saved_model")
    spec = specs.load(copy / "pose.json")
    replace(spec, files={name: spec.files[name] for name in ("network.keras", "float32.tflite")}).save(
        copy / "pose.json"
    )
    decoded.add(copy, "float32")
    scored = []
    found = verify.measure(copy, tiny.views(), lambda path: scored.append(path.name) or 0.5)
    (row,) = [row for row in found.rows if row.kind == "decoded_float32"]
    assert (row.output, row.largest, row.figure) == ("people", None, None)
    assert sorted(scored) == ["float32.tflite", "network.keras"]


def test_a_table_is_markdown_with_numbers_to_the_right():
    cells = [["file", "MB", "what"], ["a", "1.50", "maps"], ["long name", "10%", ""]]
    assert tables.markdown(cells).splitlines()[1] == "| --- | ---: | --- |"
    assert tables.aligned(cells).splitlines() == ["file         MB  what", "a          1.50  maps", "long name   10%"]


@pytest.mark.slow
def test_export_writes_report_card_and_layers_and_keeps_a_layer_in_float(tmp_path, capsys):
    arguments = ["export.files=[int8]", "export.calibration_views=8", "export.max_ap_drop=1"]
    done = cli.main(
        [
            "export",
            str(tiny.run()),
            "--layers",
            "--keep-float",
            "stem_conv1",
            *arguments,
            "--output",
            str(tmp_path / "b"),
        ]
    )
    assert done == 0, capsys.readouterr().err
    assert {"README.md", "report.md", "report.png", "layers.md", "layers.png"} <= {
        p.name for p in (tmp_path / "b").iterdir()
    }
    assert specs.load(tmp_path / "b" / "pose.json").calibration["keep_float"] == ["stem_conv1"]
    assert "int8.tflite" in capsys.readouterr().out


def test_of_several_files_in_a_folder_the_smallest_network_runs(tmp_path):
    for name in ("decoded_int8", "float32", "int8", "int16"):
        (tmp_path / f"{name}.tflite").touch()
    assert runners.network_file(tmp_path).stem == "int8"
