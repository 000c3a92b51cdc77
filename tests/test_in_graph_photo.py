"""A file that takes photos finds in them what a predictor finds, with the same network behind both."""

import numpy as np
import perfect
import pytest
import tiny
from test_in_graph_files import coded, one_person, readers

from tfpose import geometry
from tfpose.config import Export
from tfpose.export import bundle, photo, verify
from tfpose.litert import LiteRT
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor

SIZE = (140, 170)
BOX = np.array([[40.5, 20.25, 60.0, 90.0]], np.float32)


def run(content: bytes, image: np.ndarray, **boxes) -> dict:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content).get_signature_runner()(images=image[None], **boxes)


def picture(size=SIZE) -> np.ndarray:
    """A photo of soft colours."""
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(x / a + y / b) for a, b in ((9, 14), (17, 8), (12, -11))]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("box", [BOX, BOX - [[60, 40, 0, 0]], BOX + [[100, 0, 0, 80]]], ids=["in", "left", "right"])
def test_the_view_in_the_file_is_that_of_the_reference(box):
    spec, levels = tiny.spec(), np.arange(256)[::-1].astype(np.uint8)
    expected = geometry.warp(picture(), geometry.crop(box[0], spec.size, padding=spec.padding), spec.size)
    found = run(photo.view(spec, SIZE, levels), picture(), boxes=box.astype(np.float32))["view"][0]
    assert np.abs(levels[found].astype(int) - expected).max() <= 1


def test_a_person_is_found_in_pixels_of_the_photo(tmp_path):
    (network, _), file = one_person(), tmp_path / "photo.tflite"
    file.write_bytes(photo.photo(network, tiny.spec(), SIZE))
    assert verify.foreign(file) == []
    expected = Predictor(tiny.spec(), LiteRT(network), score="keypoints")(picture(), BOX)
    found = run(file.read_bytes(), picture(), boxes=BOX)
    # A view that differs by a grey level moves a peak by little, and seldom to another one.
    assert np.median(np.abs(found["keypoints"][0] - expected.keypoints)) < 0.05
    np.testing.assert_allclose(found["scores"][0], expected.scores, atol=0.01)


def test_everybody_is_found_in_pixels_of_the_photo():
    image, (network, _) = coded(perfect.people(perfect.SIZE, 3)), readers()
    expected = ImagePredictor(perfect.SPEC, LiteRT(network))(image)
    found = run(photo.photo(network, perfect.SPEC, perfect.SIZE), image)
    count = int(found["count"][0])
    assert count == len(expected) == 3
    np.testing.assert_allclose(found["keypoints"][0, :count], expected.keypoints, atol=0.02)
    assert not found["keypoints"][0, count:].any()


def test_a_photo_of_another_size_is_letterboxed_in_the_file():
    size, (network, _) = (100, 300), readers()
    people = ImagePredictor(perfect.SPEC, LiteRT(network))(picture(size))
    found = run(photo.photo(network, perfect.SPEC, size), picture(size))
    assert int(found["count"][0]) == min(len(people), 20)


def test_a_bundle_gets_the_file_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "int8.tflite").write_bytes(readers()[0])
    perfect.SPEC.save(tmp_path / bundle.SPEC)
    file = photo.add(tmp_path, "int8", SIZE)
    assert file == tmp_path / "photo" / "int8.tflite"
    assert run(file.read_bytes(), picture())["keypoints"].shape == (1, 20, 18, 3)
    bundle.clear(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{"photo": (480,)}, {"photo": (0, 640)}, {"photo": (480, 640)}])
def test_sizes_of_no_photo_and_photos_without_a_decoded_file_are_refused(options):
    with pytest.raises(ValueError, match=r"export.photo: "):
        Export(**options)
    assert Export(photo=(480, 640), files=("int8", "decoded_int8")).photo == (480, 640)
