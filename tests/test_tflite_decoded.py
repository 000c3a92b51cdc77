"""A file that decodes itself finds the people that the bundle's other file and the NumPy decoder find."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import perfect
import pytest
import tiny
from PIL import Image

from tflite import interpreter, measure
from tflite.decoded import Decoded
from tfpose.decode import decoder
from tfpose.predict_images import ImagePredictor

ROOT = Path(__file__).resolve().parent.parent
BOXES = [[10, 10, 50, 90], [60, 20, 90, 100], [300, 300, 10, 10]]
WIDE = (240, 480)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """The tiny bundle with an int8 file that decodes itself beside the int8 file; no test writes to it."""
    from tfpose.export import decoded

    folder = shutil.copytree(tiny.bundle(), tmp_path_factory.mktemp("decoded") / "bundle")
    decoded.add(folder, "int8")
    return folder


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (140, 170, 3), dtype=np.uint8)


def decoding(run, people: int = 5):
    """A network of whole images as one that decodes itself and has places for so many people."""

    def call(views):
        (found,) = decoder(perfect.SPEC.decoder, perfect.SPEC.skeleton)(run(views))
        keypoints, scores = np.zeros((1, people, 18, 3), np.float32), np.zeros((1, people), np.float32)
        keypoints[0, : len(found)], scores[0, : len(found)] = found.keypoints, found.scores
        return {"keypoints": keypoints, "scores": scores, "count": np.array([len(found)], np.int32)}

    return call


@pytest.mark.parametrize("count", [0, 1, 3])
def test_everybody_on_a_photo_is_where_the_predictor_has_them(count):
    known = perfect.network((WIDE, perfect.people(WIDE, count)) if count else (WIDE, np.zeros((0, 18, 3))))
    found = Decoded(perfect.SPEC, decoding(known))(perfect.photo(WIDE))
    expected = ImagePredictor(perfect.SPEC, known)(perfect.photo(WIDE))
    assert len(found) == count
    for ours, theirs in zip(vars(found).values(), vars(expected).values()):
        assert np.abs(ours - theirs).max(initial=0) < 1e-3


def test_the_person_in_each_box_is_the_one_that_the_predictor_finds(bundle, photo):
    found, expected = (interpreter.predictor(bundle, kind)(photo, BOXES) for kind in ("decoded_int8", "int8"))
    for ours, theirs in zip(vars(found).values(), vars(expected).values()):
        assert np.abs(ours - theirs).max() < 0.01


def test_no_box_is_nobody_and_no_boxes_are_one_person(bundle, photo):
    find = interpreter.predictor(bundle, "decoded_int8")
    assert len(find(photo, [])) == 0 and len(find(photo)) == 1


def test_a_file_that_decodes_itself_is_run_only_where_it_is_named(bundle):
    assert interpreter.choose(bundle).name == "int8.tflite"
    assert isinstance(interpreter.predictor(bundle, "decoded_int8"), Decoded)


def test_keypoints_cannot_be_averaged_with_mirrored_ones(bundle):
    with pytest.raises(ValueError, match=r"decoded_int8\.tflite: gives keypoints"):
        interpreter.predictor(bundle, "decoded_int8", flip=True)


def test_a_file_that_decodes_itself_is_measured_without_a_decoder(bundle):
    costs = measure.measure(bundle, None, runs=1, kind="decoded_int8")
    assert "decode" not in costs["milliseconds"] and "decoded_int8.tflite" in costs["milliseconds"]


def test_the_minimal_program_prints_the_same_person_with_nothing_of_tfpose(bundle, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    program = shutil.copy(ROOT / "tflite" / "minimal.py", tmp_path)
    command = [sys.executable, "-I", program, bundle / "decoded_int8.tflite", tmp_path / "photo.png", "1.25"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if not line.startswith("person")]
    (expected,) = interpreter.predictor(bundle, "int8")(photo).keypoints
    # Its view is cut by Pillow: a grey level may differ, and by it a peak of a network that was never trained.
    assert np.median(np.abs(np.array(lines, float) - expected).max(axis=1)) < 0.1
