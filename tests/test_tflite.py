"""A photo's way to a view, and a bundle's files behind the predictor: warps, kinds, delegates."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tiny

from tflite import image, interpreter
from tfpose import geometry
from tfpose.litert import LiteRT

BOXES = {
    "inside": (30, 20, 60, 90),
    "over the edge": (-40, -30, 200, 300),
    "much smaller": (50, 40, 7, 9),
    "outside": (300, 300, 40, 60),
}
# The least that LiteRT calls a delegate: it takes no operation, and leaves a file when it is asked.
DELEGATE = """
#include <stdio.h>
#include <stdlib.h>
struct Delegate { void* data; int (*prepare)(void*, struct Delegate*); void* rest[8]; };
static int prepare(void* context, struct Delegate* self) { fclose(fopen("WITNESS", "w")); return 0; }
void* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  struct Delegate* delegate = calloc(1, sizeof(struct Delegate));
  delegate->prepare = prepare;
  return delegate;
}
void tflite_plugin_destroy_delegate(void* delegate) { free(delegate); }
"""


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (140, 170, 3), dtype=np.uint8)


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


def test_a_file_of_the_bundle_stands_for_the_bundle_with_that_file():
    assert interpreter.choose(tiny.bundle() / "float32.tflite") == tiny.bundle() / "float32.tflite"
    assert interpreter.choose(tiny.bundle(), "float16") == tiny.bundle() / "float16.tflite"


def test_without_xnnpack_a_file_gives_the_same_maps():
    path = tiny.bundle() / "float32.tflite"
    with_it, without = (LiteRT(path, xnnpack=on)(tiny.views(1))["heatmaps"] for on in (True, False))
    assert 0 < np.abs(with_it - without).max() < 1e-5  # other kernels, so not to the last bit


@pytest.mark.parametrize("library", ["missing", "no library", "no delegate"])
def test_a_delegate_that_cannot_be_loaded_is_named_in_one_line(library, tmp_path):
    path = tmp_path / "x.so"
    if library == "no library":
        path.write_bytes(b"nothing of the kind")
    if library == "no delegate":
        path = next(Path(np.__file__).parent.rglob("_multiarray_umath*.so"))
    with pytest.raises(ValueError, match=r"\.so: not a delegate that LiteRT can load") as found:
        LiteRT(tiny.bundle() / "int8.tflite", delegate=path)
    assert "\n" not in str(found.value)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a delegate with")
def test_a_delegate_is_asked_for_the_operations_it_takes(tmp_path):
    (tmp_path / "delegate.c").write_text(DELEGATE.replace("WITNESS", str(tmp_path / "asked")))
    library = tmp_path / "delegate.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "delegate.c"], check=True)
    found = LiteRT(tiny.bundle() / "int8.tflite", delegate=library)(tiny.views(1))["heatmaps"]
    assert (tmp_path / "asked").is_file()
    assert np.array_equal(found, LiteRT(tiny.bundle() / "int8.tflite")(tiny.views(1))["heatmaps"])
