import json
import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

from tflite import benchmark, image, interpreter, predict
from tfpose import geometry
from tfpose.litert import LiteRT

BOXES = {
    "inside": (30, 20, 60, 90),
    "over the edge": (-40, -30, 200, 300),
    "much smaller": (50, 40, 7, 9),
    "outside": (300, 300, 40, 60),
}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (140, 170, 3), dtype=np.uint8)


@pytest.fixture
def folder(photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        Image.fromarray(photo).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("warp", [image.warp_by_pillow, image.warp_by_opencv])
def test_a_fast_warp_agrees_with_the_reference(photo, warp, box):
    affine = geometry.crop(box, (64, 48))
    difference = warp(photo, affine, (64, 48)).astype(int) - geometry.warp(photo, affine, (64, 48))
    assert np.abs(difference).max() <= 1


def test_a_fast_warp_agrees_with_the_reference_on_a_turned_view(photo):
    affine = geometry.crop((30, 20, 60, 90), (64, 48), turn=30)
    difference = image.warp_by_pillow(photo, affine, (64, 48)).astype(int) - geometry.warp(photo, affine, (64, 48))
    assert np.abs(difference).max() <= 1


def test_without_opencv_pillow_warps(photo, monkeypatch):
    monkeypatch.setattr(image, "cv2", None)
    affine = geometry.crop((30, 20, 60, 90), (64, 48))
    assert np.array_equal(image.warp(photo, affine, (64, 48)), image.warp_by_pillow(photo, affine, (64, 48)))


def test_a_file_gives_the_same_maps_for_one_view_as_for_many():
    file = LiteRT(tiny.bundle() / "int8.tflite")
    together = file(tiny.views(3))["heatmaps"]
    assert np.array_equal(together[1:2], file(tiny.views(3)[1:2])["heatmaps"])


def test_views_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected uint8"):
        LiteRT(tiny.bundle() / "int8.tflite")(np.zeros((1, 64, 64, 3), np.uint8))


def test_a_file_that_is_no_tflite_file_says_so(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"not a \.tflite file"):
        LiteRT(tmp_path / "x.tflite")


def test_int8_is_chosen_where_no_file_is_named(tmp_path):
    assert interpreter.choose(tiny.bundle()).name == "int8.tflite"
    assert interpreter.choose(tiny.bundle(), "float16.tflite").name == "float16.tflite"
    with pytest.raises(ValueError, match=r"no file 'x\.tflite'; it has int8\.tflite, float16"):
        interpreter.choose(tiny.bundle(), "x.tflite")
    with pytest.raises(ValueError, match=r"no pose\.json"):
        interpreter.choose(tmp_path)


def test_a_bundle_without_int8_runs_its_next_best_file(tmp_path):
    for name in ("pose.json", "float32.tflite"):
        shutil.copy(tiny.bundle() / name, tmp_path)
    assert interpreter.predictor(tmp_path).run.kind == "float32"


def test_predict_prints_each_keypoint_and_draws_each_photo(folder, tmp_path, capsys):
    boxes = ["--boxes", "10,10,50,90", "60,10,50,90"]
    assert predict.main([str(tiny.bundle()), str(folder), *boxes, "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 2 * (1 + 17)
    assert lines[0].startswith(f"{folder / 'a.png'}: person 1 of 2") and lines[1].split()[0] == "nose"
    assert [Image.open(p).size for p in sorted((tmp_path / "out").iterdir())] == [(170, 140)] * 2


def test_predict_prints_json_as_the_predictor_finds_it(folder, photo, tmp_path, capsys):
    assert predict.main([str(tiny.bundle()), str(folder / "a.png"), "--json", "--output", str(tmp_path)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["people"] == interpreter.predictor(tiny.bundle())(photo).to_coco(0)


def test_an_error_is_one_line_and_exit_code_1(tmp_path, capsys):
    assert predict.main([str(tiny.bundle()), str(tmp_path / "none.jpg"), "--output", str(tmp_path)]) == 1
    assert benchmark.main([str(tmp_path)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tflite.")]
    assert "none.jpg" in lines[0] and "pose.json" in lines[1]


def test_wrong_usage_is_exit_code_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main([str(tiny.bundle()), "a.jpg", "--boxes", "1,2,3"])
    assert "expected x,y,w,h" in capsys.readouterr().err


def test_benchmark_times_the_warp_every_file_and_the_decoder(capsys):
    assert benchmark.main([str(tiny.bundle()), "--runs", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    names = {"int8.tflite", "float16.tflite", "float32.tflite", "decode"}
    assert names < set(result["milliseconds"]) and any(name.startswith("warp") for name in result["milliseconds"])
    times = result["milliseconds"]
    assert result["int8/float32"] == times["int8.tflite"] / times["float32.tflite"]
