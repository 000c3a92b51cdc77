"""pose.json: what is written beside a network is what is read."""

import json

import pytest

from tfpose import spec
from tfpose.skeleton import LSP14
from tfpose.spec import PoseSpec

SPEC = PoseSpec(
    "ppnet",
    "person",
    (256, 192),
    LSP14,
    {"name": "topdown", "stride": 4, "refine": "dark", "blur": 11},
    padding=1.1,
    files={"network_int8.tflite": {"kind": "int8", "sha256": "0f"}},
    versions={"keras": "3.15"},
    calibration={"views": 200},
)


def changed(tmp_path, **fields):
    SPEC.save(tmp_path / "pose.json")
    content = json.loads((tmp_path / "pose.json").read_text()) | fields
    (tmp_path / "pose.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return tmp_path / "pose.json"


def test_a_specification_is_read_as_it_was_written(tmp_path):
    SPEC.save(tmp_path / "pose.json")
    assert spec.load(tmp_path / "pose.json") == SPEC
    assert spec.load(changed(tmp_path)) == SPEC


def test_a_missing_file_names_the_command_that_writes_it(tmp_path):
    with pytest.raises(ValueError, match="tfpose export"):
        spec.load(tmp_path / "pose.json")


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"format": 99}, "format 1"),
        ({"decoder": None}, "decoder"),
        ({"colour": 1}, "colour"),
        ({"skeleton": None}, "skeleton"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        spec.load(changed(tmp_path, **fields))


def test_a_file_that_is_not_json_is_named(tmp_path):
    (tmp_path / "pose.json").write_text("{")
    with pytest.raises(ValueError, match=r"pose\.json"):
        spec.load(tmp_path / "pose.json")
    (tmp_path / "pose.json").write_text("[]")
    with pytest.raises(ValueError, match=r"pose\.json"):
        spec.load(tmp_path / "pose.json")
