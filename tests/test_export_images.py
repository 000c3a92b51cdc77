"""A bundle of a network of whole images: its int8 file gives the maps, and finds the people, that the network does."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import perfect
import pytest
import tiny
from perfect import SIZE, SPEC, STRIDE, distance
from PIL import Image

from benchmarks.ideal import drawn
from tflite import benchmark, image, interpreter, predict
from tfpose import cli, geometry, runners, yaml_config
from tfpose import spec as specs
from tfpose.export import bundle, calibrate, verify
from tfpose.litert import LiteRT
from tfpose.predict import read_image
from tfpose.predict_images import ImagePredictor
from tfpose.skeleton import OPENPOSE18, skeleton
from tfpose.systems.base import system
from tfpose.train.callbacks import save_network

CHANNELS = {"heatmaps": 19, "pafs": 38}
CONTRAST = 300  # grey levels of a map's whole range, spread over the 192 numbers of a cell's pixels
PEOPLE = perfect.people(SIZE, 3)

LIGHT = ("system.trunk=mobilenet", "system.width=16", "system.norm=true", "system.size=[96, 128]")
SYSTEMS = [
    pytest.param(("system.name=openpose", "system.stages=1"), marks=pytest.mark.slow),
    pytest.param(("system.name=mln",), marks=pytest.mark.slow),
]


def code():
    """What a cell's pixels (192) are multiplied by to give its maps (57), columns orthogonal and of length one."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(3 * STRIDE**2, sum(CHANNELS.values()))))[0]


def coded(people):
    """A photo of the view's size whose pixels spell the ideal maps of people, cell by cell, in grey levels."""
    grid = tuple(side // STRIDE for side in SIZE)
    maps = np.concatenate(drawn(people, OPENPOSE18.pairs, grid), axis=-1)
    cells = (127.5 + CONTRAST * maps @ code().T).reshape(*grid, STRIDE, STRIDE, 3)
    return np.rint(np.clip(cells, 0, 255)).astype(np.uint8).swapaxes(1, 2).reshape(*SIZE, 3)


def reader():
    """The network that reads such photos, a convolution for each kind of maps."""
    photo = keras.Input((*SIZE, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, -0.5, name="normalise")(photo)
    heads = {n: keras.layers.Conv2D(c, STRIDE, STRIDE, use_bias=False, name=n) for n, c in CHANNELS.items()}
    network = keras.Model(photo, {name: head(x) for name, head in heads.items()})
    kernel = (code() * 255 / CONTRAST).reshape(STRIDE, STRIDE, 3, -1)
    for head, weights in zip(heads.values(), np.split(kernel, [CHANNELS["heatmaps"]], axis=-1)):
        head.set_weights([weights])
    return network


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """The bundle of the network that reads photos, calibrated on other people than are looked for."""
    views = [coded(perfect.people(SIZE, count)) for count in (1, 2, 5)]
    return bundle.write(reader(), SPEC, tmp_path_factory.mktemp("reader"), ("float32", "int8"), views)


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(coded(PEOPLE)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture(scope="module", params=SYSTEMS, ids=lambda options: options[0].partition("=")[2])
def exported(request, tmp_path_factory):
    """What `tfpose export` makes of a run whose network is as it was drawn."""
    parts = [(p, tiny.people() / "annotations" / f"person_keypoints_{p}.json") for p in ("train", "validation")]
    data = [f"data.{p}={{annotations: {file}, images: {tiny.people() / p}}}" for p, file in parts]
    options = ("export.files=[int8]", "export.calibration_views=8")
    config = yaml_config.defaults((*request.param, *LIGHT, *data, *options))
    run, method = tmp_path_factory.mktemp("run"), system(config.system, skeleton(config.data.skeleton))
    keras.utils.set_random_seed(3)
    save_network(method.build((None, None)), method, config, run / "network.keras")
    (run / "config.yaml").write_text(yaml_config.dump(config))
    assert cli.main(["export", str(run)]) == 0
    return run / "bundle"


def views_of(folder, spec):
    images = [read_image(path) for path in sorted(folder.iterdir())]
    return np.stack([image.warp(i, geometry.letterbox(i.shape[:2], spec.size), spec.size) for i in images])


def test_an_exported_int8_file_gives_the_maps_of_the_network(exported):
    views = views_of(tiny.people() / "validation", specs.load(exported / "pose.json"))
    truth, found = (runners.load(exported / name)[1](views) for name in ("network.keras", "int8.tflite"))
    assert {n: m.shape for n, m in found.items()} == {n: (8, 12, 16, c) for n, c in CHANNELS.items()}
    for name, maps in truth.items():
        largest, mean = verify.difference(maps, found[name])
        assert largest < 0.15 and mean < 0.02, name


def test_an_exported_bundle_says_how_whole_images_are_seen_and_read(exported):
    spec = specs.load(exported / "pose.json")
    assert (spec.view, spec.size, spec.skeleton) == ("image", (96, 128), OPENPOSE18)
    assert (spec.decoder["name"], spec.decoder["stride"]) == ("pafs", 8)
    assert set(spec.files) == {"network.keras", "int8.tflite"}
    found = {"part": "train", "seed": 0, "views": 8, "percentile": 100.0, "keep_float": []}
    assert spec.calibration == found


def test_an_exported_int8_file_is_integer_and_finds_what_the_edge_writes(exported, tmp_path):
    assert LiteRT(exported / "int8.tflite").kind == "int8"
    path = sorted((tiny.people() / "validation").iterdir())[0]
    assert predict.main([str(exported), str(path), "--output", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "poses.json").read_text())["annotations"]
    expected = interpreter.predictor(exported)(read_image(path)).to_coco(1)
    assert [person["keypoint_scores"] for person in found] == [person["keypoints"][2::3] for person in expected]
    assert Image.open(tmp_path / "pictures" / path.name).size == Image.open(path).size


@pytest.mark.parametrize("file", ["network.keras", "float32.tflite", "int8.tflite"])
def test_every_file_finds_the_people_of_the_photo(readers, file):
    found = ImagePredictor(SPEC, runners.load(readers / file)[1])(coded(PEOPLE))
    assert distance(found.keypoints, PEOPLE) < (0.5 if file == "int8.tflite" else 0.2)


def test_verification_sees_that_an_int8_file_keeps_the_peaks(readers):
    rows = verify.verify(readers, [coded(PEOPLE[:1])]).rows
    peaks = {(row.file, row.output): row.peaks for row in rows}
    assert peaks["int8.tflite", "heatmaps"] == peaks["float32.tflite", "heatmaps"] == 1
    assert peaks["int8.tflite", "pafs"] is None


def test_the_edge_prints_everybody_without_a_box_and_draws_them(readers, photo, tmp_path, capsys):
    assert predict.main([str(readers), str(photo), "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * (1 + OPENPOSE18.count) + 1 and lines[0].startswith(f"{photo.name}: person 1 of 3")
    picture = np.asarray(Image.open(tmp_path / "out" / "pictures" / photo.name))
    assert picture.shape == (*SIZE, 3) and (picture != coded(PEOPLE)).any()


def test_the_edge_finds_the_people_of_the_keras_network(readers, photo, tmp_path):
    assert predict.main([str(readers), str(photo), "--json-only", "--output", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "poses.json").read_text())["annotations"]
    keypoints = np.array([person["keypoints"] for person in found]).reshape(-1, OPENPOSE18.count, 3)
    truth = ImagePredictor(SPEC, runners.load(readers / "network.keras")[1])(coded(PEOPLE))
    assert distance(keypoints, truth.keypoints) < 0.5


def test_boxes_for_a_network_of_whole_photos_are_refused(readers, photo, tmp_path, capsys):
    assert predict.main([str(readers), str(photo), "--boxes", "1,2,30,40", "--output", str(tmp_path)]) == 1
    assert cli.main(["predict", str(readers), str(photo), "--box", "1,2,30,40", "--output", str(tmp_path)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"tflite.predict: {readers}: finds people in whole images; leave out --boxes"
    assert second == f"tfpose predict: {readers}: finds people in whole images; leave out --box and --boxes"


def test_the_benchmark_times_warp_files_and_decoder_of_a_whole_photo(readers, photo, capsys):
    assert benchmark.main([str(readers), str(photo), "--runs", "3", "--json"]) == 0
    times = json.loads(capsys.readouterr().out)["milliseconds"]
    assert {"int8.tflite", "float32.tflite", "decode", "warp, Pillow"} <= set(times) and min(times.values()) > 0


def test_calibration_sees_each_photo_with_people_once_as_the_predictor_does(tmp_path):
    records = []
    for i, (size, count) in enumerate([((90, 120), 2), ((120, 60), 1), ((50, 50), 0)]):
        Image.fromarray(perfect.photo(size, i + 1)).save(tmp_path / f"{i}.png")
        records.append(SimpleNamespace(path=str(tmp_path / f"{i}.png"), boxes=np.ones((count, 4), np.float32)))
    seen, run = [], perfect.network(*[(SIZE, PEOPLE)] * 2)
    predictor = ImagePredictor(SPEC, lambda views: (seen.extend(views), run(views))[1])
    predictor.many(read_image(record.path) for record in records[:2])
    assert np.array_equal(list(calibrate.views(records, SPEC, 9, seed=0)), seen)


@pytest.mark.parametrize("size", [(140, 170), (600, 200), (333, 1000)], ids=str)
@pytest.mark.parametrize("warp", [image.warp_by_pillow, image.warp_by_opencv])
def test_a_fast_warp_of_a_whole_photo_agrees_with_the_reference(warp, size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    affine = geometry.letterbox(size, SIZE)
    assert np.abs(warp(photo, affine, SIZE).astype(int) - geometry.warp(photo, affine, SIZE)).max() <= 1
