"""A file that decodes itself finds what the file of its network and the NumPy decoder find, and is that network."""

from functools import cache
from pathlib import Path

import numpy as np
import perfect
import pytest
import tiny
from test_export_images import coded, reader

from tfpose import geometry, runners
from tfpose import spec as specs
from tfpose.decode import decoder
from tfpose.export import bundle, decoded, flatbuffer, join, tflite, verify
from tfpose.litert import LiteRT
from tfpose.poses import Poses
from tfpose.predict import Predictor, person_scores, read_image
from tfpose.predict_images import ImagePredictor

ROOT = Path(__file__).resolve().parent.parent
BUNDLES = [ROOT / "runs" / run / "bundle" for run in ("lspet", "mpn")]


@cache
def readers() -> tuple[bytes, bytes]:
    """The int8 file of a network of whole images that reads people from pixels, and the one that decodes itself."""
    views = [coded(perfect.people(perfect.SIZE, count)) for count in (1, 2, 5)]
    content = tflite.convert(reader(), "int8", views)
    return content, decoded.decoded(content, perfect.SPEC)


@cache
def one_person(kind: str = "int8") -> tuple[bytes, bytes]:
    """The same of a network of one person, which has random weights."""
    content = tflite.convert(tiny.network(), kind, tiny.views())
    return content, decoded.decoded(content, tiny.spec())


def people(spec, outputs: dict) -> Poses:
    """What NumPy makes of one view's maps."""
    found = decoder(spec.decoder, spec.skeleton)(outputs)
    return Poses(found, person_scores(found), np.zeros((1, 4))) if spec.view == "person" else found[0]


def agree(spec, network: bytes, file: bytes, views) -> int:
    """Compares the file with the network and NumPy on each view; how many people there were."""
    maps, call, total = LiteRT(network), LiteRT(file), 0
    for view in views:
        expected, found = people(spec, runners.last_stage(maps(view[None]))), call(view[None])
        count = int(found["count"][0])
        assert count == len(expected)
        np.testing.assert_allclose(found["keypoints"][0, :count], expected.keypoints, atol=0.01)
        np.testing.assert_allclose(found["scores"][0, :count], expected.scores, atol=1e-3)
        total += count
    return total


@pytest.mark.parametrize("kind", [pytest.param("float32", marks=pytest.mark.slow), "int8"])
def test_one_person_is_found_as_by_the_network_and_numpy(kind):
    assert agree(tiny.spec(), *one_person(kind), tiny.views()) == len(tiny.views())


def test_everybody_is_found_as_by_the_network_and_numpy():
    views = [coded(perfect.people(perfect.SIZE, count)) for count in (3, 4)]
    assert agree(perfect.SPEC, *readers(), [*views, np.zeros_like(views[0])]) == 7


def test_the_network_in_the_file_is_the_one_that_was_put_there():
    network, file = (flatbuffer.read(content) for content in readers())
    first = flatbuffer.operations(network)
    assert flatbuffer.operations(file)[: len(first)] == first
    for ours, theirs in zip(network.buffers, file.buffers):
        assert np.array_equal([] if ours.data is None else ours.data, [] if theirs.data is None else theirs.data)


def test_the_file_takes_the_image_of_the_network_and_people_are_float32():
    file, graph = LiteRT(readers()[1]), flatbuffer.read(readers()[1]).subgraphs[0]
    assert file.size == perfect.SIZE
    types = {flatbuffer.schema.TensorType.FLOAT32: "float32", flatbuffer.schema.TensorType.INT32: "int32"}
    assert sorted(types[graph.tensors[i].type] for i in graph.outputs) == ["float32", "float32", "int32"]


def test_a_predictor_takes_a_file_that_decodes_itself():
    image = coded(perfect.people(perfect.SIZE, 3))
    found, expected = (ImagePredictor(perfect.SPEC, LiteRT(content))(image) for content in readers()[::-1])
    assert len(found) == len(expected) == 3
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.05)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.05)


def test_one_predictor_takes_many_persons_of_a_file_that_decodes_itself():
    image, boxes = tiny.views()[0], [[2, 3, 30, 40], [5, 1, 20, 50], [0, 0, 48, 64]]
    maps, whole = (LiteRT(content) for content in one_person())
    found, expected = (Predictor(tiny.spec(), run)(image, boxes) for run in (whole, maps))
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.01)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_people_of_a_file_that_decodes_itself_cannot_be_averaged():
    maps, image = LiteRT(readers()[1]), np.zeros((*perfect.SIZE, 3), np.uint8)
    with pytest.raises(ValueError, match="the file decodes itself and gives no maps: set flip to none"):
        ImagePredictor(perfect.SPEC, maps, flip="aligned")(image)
    with pytest.raises(ValueError, match="the file decodes itself and gives no maps"):
        Predictor(tiny.spec(), LiteRT(one_person()[1]), flip="aligned")(image)


def test_a_bundle_gets_the_file_and_says_what_it_is(tmp_path):
    (tmp_path / "int8.tflite").write_bytes(one_person()[0])
    tiny.spec().save(tmp_path / bundle.SPEC)
    file = decoded.add(tmp_path, "int8")
    what = specs.load(tmp_path / bundle.SPEC).files[file.name]
    assert file.name == "decoded_int8.tflite" and what["kind"] == "decoded_int8"
    verify.check(file, what)


def test_a_decoder_without_its_network_is_refused():
    assert decoded.split(("saved_model", "int8", "decoded_int8")) == (["saved_model", "int8"], ["int8"])
    with pytest.raises(ValueError, match="found decoded_float32 without float32"):
        decoded.split(("int8", "decoded_int8", "decoded_float32"))


def test_files_that_do_not_fit_are_refused():
    network = one_person()[0]
    for shapes, message in (
        ({"heatmaps": (1, 12, 16, 17)}, "heatmaps: found shape"),
        (
            {"heatmaps": (1, 16, 12, 17), "pafs": (1, 16, 12, 2)},
            "pafs: no such output of the network, which has images, heatmaps",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            join.joined(network, decoded.decoder(tiny.spec(), shapes))


@pytest.mark.slow
@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.parent.name)
def test_people_are_found_as_by_a_trained_network_and_numpy(folder):
    pictures = sorted((ROOT / "data" / "synthetic" / "validation").glob("*.jpg"))[:4]
    if not (folder / "int8.tflite").is_file() or not pictures:
        pytest.skip(f"{folder} or data/synthetic is not there: train and export first")
    spec, network = specs.load(folder / bundle.SPEC), (folder / "int8.tflite").read_bytes()
    views = []
    for picture in map(read_image, pictures):
        affine = geometry.letterbox(picture.shape[:2], spec.size)
        views.append(geometry.warp(picture, affine, spec.size))
    assert agree(spec, network, decoded.decoded(network, spec), views) >= len(views)
