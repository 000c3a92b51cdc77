"""Predictor: views there and keypoints back, whatever runs the network."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tfpose import geometry, runners
from tfpose.predict import SCORES, Predictor, person_scores, read_image
from tfpose.skeleton import COCO17, LSP14
from tfpose.spec import PoseSpec

SIZE = (128, 96)
SPEC = PoseSpec("ppnet", "person", SIZE, COCO17, {"name": "topdown", "stride": 4, "refine": "dark"})
BOXES = np.array([[20, 30, 60, 150], [100, 20, 90, 90], [150, 100, 20, 80]], np.float32)


def photo(height=240, width=320):
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def blobs(views):
    """A stand-in for a network: each keypoint's map is one Gaussian whose place depends on the view's pixels."""
    grey = views.mean(axis=-1) / 255
    shift = grey[:, 40:80, 30:60].mean(axis=(1, 2))[:, None] * 8
    x, y = 8 + np.arange(17) / 2 + shift, 6 + np.arange(17) + shift
    rows, columns = np.arange(32)[:, None, None], np.arange(24)[None, :, None]
    maps = np.exp(-((columns - x[:, None, None]) ** 2 + (rows - y[:, None, None]) ** 2) / 8)
    return {"heatmaps": maps.astype(np.float32)}


def marked(points, image):
    """The image with its nearest pixels to `points` (K, 2) raised to their number + 1, all else 0."""
    image = np.zeros_like(image)
    for k, (x, y) in enumerate(np.rint(points).astype(int)):
        image[y, x] = 10 * (k + 1)
    return image


def seen(views):
    """Maps that peak where a view of `marked` has each keypoint's grey level, found at full resolution."""
    maps = np.zeros((len(views), *views.shape[1:3], 17), np.float32)
    for k in range(17):
        maps[..., k] = views[..., 0] == 10 * (k + 1)
    return {"heatmaps": maps}


def test_a_keypoint_comes_back_to_its_pixel_of_the_image():
    points = np.stack([30 + 3 * np.arange(17), 40 + 5 * np.arange(17)], axis=-1)
    spec = replace(SPEC, decoder={"name": "topdown", "stride": 1, "refine": "none"}, padding=1.0)
    found = Predictor(spec, seen)(marked(points, photo()), [[20, 30, *SIZE[::-1]]])
    assert np.abs(found.keypoints[0, :, :2] - points).max() < 0.01


def test_no_boxes_is_one_person_as_large_as_the_image():
    found = Predictor(SPEC, blobs)(photo())
    again = Predictor(SPEC, blobs)(photo(), [[0, 0, 320, 240]])
    assert len(found) == 1 and (found.keypoints == again.keypoints).all()


def test_no_box_at_all_is_nobody():
    assert Predictor(SPEC, blobs)(photo(), np.zeros((0, 4))).keypoints.shape == (0, 17, 3)


def test_batches_across_images_change_nothing():
    items = [(photo(), BOXES, [0.5, 1.0, 0.2]), (photo(200, 200), BOXES[:0], None), (photo(), BOXES[1:], None)]
    one, many = Predictor(SPEC, blobs, batch=1), Predictor(SPEC, blobs, batch=4).many(items)
    for item, found in zip(items, many):
        assert found.keypoints == pytest.approx(one(*item).keypoints)
        assert found.scores == pytest.approx(one(*item).scores)


def test_the_flip_test_changes_nothing_for_a_network_that_respects_mirroring():
    maps = np.random.default_rng(0).random((3, 32, 24, 17)).astype(np.float32)
    views = np.random.default_rng(1).integers(0, 255, (3, *SIZE, 3), np.uint8)

    def equivariant(images):
        same = (images == views).all()
        return {"heatmaps": maps if same else maps[:, :, ::-1][..., list(COCO17.mirror)]}

    assert (Predictor(SPEC, equivariant, flip="aligned").heatmaps(views) == maps).all()


def test_with_flip_a_mirrored_image_has_mirrored_poses_whatever_the_network():
    predictor, mirror = Predictor(SPEC, blobs, flip="aligned"), geometry.mirroring(320)
    image = photo()
    found = predictor(image, BOXES)
    other = predictor(image[:, ::-1].copy(), BOXES * (-1, 1, 1, 1) + BOXES[:, 2:3] * (-1, 0, 0, 0) + (320, 0, 0, 0))
    back = mirror.apply(other.keypoints[..., :2])[:, list(COCO17.mirror)]
    assert np.abs(back - found.keypoints[..., :2]).max() < 0.05


@pytest.mark.parametrize("flip", ["none", "aligned"])
@pytest.mark.parametrize("scales", [(0.8,), (1.3,), (0.8, 1.0, 1.25)], ids=str)
def test_a_person_is_where_it_is_at_whatever_scales_it_is_looked_at(scales, flip):
    def cells(views):
        means = views[..., :1].reshape(len(views), SIZE[0] // 4, 4, SIZE[1] // 4, 4, 1).mean(axis=(2, 4)) / 255
        return {"heatmaps": means.repeat(17, axis=-1).astype(np.float32)}

    predictor, errors = Predictor(SPEC, cells, flip=flip, scales=scales), []
    for spot in np.random.default_rng(0).uniform([50, 70], [85, 110], (16, 2)):
        away = np.mgrid[:240, :320][::-1] - spot[:, None, None]
        image = np.rint(255 * np.exp(-(away**2).sum(axis=0) / 200))[..., None].repeat(3, axis=-1).astype(np.uint8)
        errors.append(predictor(image, [[20, 30, 90, 120]]).keypoints[0, 0, :2] - spot)
    # Maps are read bilinearly, which moves a peak by up to a twelfth of a cell, to any side.
    assert np.abs(errors).max() < 0.4 and np.abs(np.mean(errors, axis=0)).max() < 0.1


def test_scales_change_nothing_in_batches_and_the_views_of_all_have_one_size():
    sizes, scales = [], (0.7, 1.0, 1.4)
    items = [(photo(), BOXES, None), (photo(200, 200), BOXES[:0], None), (photo(), BOXES[1:], None)]
    one = Predictor(SPEC, lambda views: (sizes.append(views.shape), blobs(views))[1], batch=1, scales=scales)
    for item, found in zip(items, Predictor(SPEC, blobs, batch=4, scales=scales).many(items)):
        assert found.keypoints == pytest.approx(one(*item).keypoints, abs=1e-3)
    assert set(sizes) == {(1, *SIZE, 3)} and len(sizes) == 5 * len(scales)


def test_a_person_scores_the_mean_of_what_is_seen_times_its_box():
    keypoints = np.zeros((2, 4, 3))
    keypoints[0, :, 2] = (0.9, 0.5, 0.1, 0.0)
    assert person_scores(keypoints) == pytest.approx([0.7, 0])
    full = Predictor(SPEC, blobs)(photo(), BOXES[:1])
    half = Predictor(SPEC, blobs)(photo(), BOXES[:1], [0.5])
    assert half.scores == pytest.approx(full.scores / 2)


def test_a_keypoint_counts_in_a_persons_score_above_the_threshold_not_at_it():
    keypoints = np.zeros((1, 4, 3))
    keypoints[0, :, 2] = (0.8, 0.5, 0.25, 0.0)
    found = [person_scores(keypoints, threshold)[0] for threshold in (0.0, 0.25, 0.5, 0.8)]
    assert found == pytest.approx([(0.8 + 0.5 + 0.25) / 3, 0.65, 0.8, 0])


def test_a_person_scores_as_the_box_as_the_keypoints_or_as_their_product():
    keypoints = np.zeros((1, 17, 3))
    keypoints[0, :2, 2] = (0.9, 0.3)
    scores = [Predictor(SPEC, blobs, score=name).scores(keypoints, np.array([0.5])) for name in SCORES]
    assert np.concatenate(scores) == pytest.approx([0.5 * 0.6, 0.5, 0.6])
    strict = Predictor(SPEC, blobs, keypoint_threshold=0.5)
    assert strict.scores(keypoints, np.array([0.5])) == pytest.approx([0.5 * 0.9])


def test_an_unknown_flip_or_score_names_the_choices():
    for option in ({"flip": True}, {"score": "best"}):
        with pytest.raises(ValueError, match=f"^{next(iter(option))}: found .*choose from"):
            Predictor(SPEC, blobs, **option)


@pytest.mark.parametrize("scales", [(), (1.0, 0.0)], ids=str)
def test_scales_are_factors(scales):
    with pytest.raises(ValueError, match=r"^scales: found .*; expected factors of the person, as in \[0\.8"):
        Predictor(SPEC, blobs, scales=scales)


def test_wrong_images_boxes_and_decoders_are_refused():
    predictor = Predictor(SPEC, blobs)
    for image, boxes in ((photo()[..., 0], None), (photo() / 255, None), (photo(), [[np.nan, 0, 1, 1]])):
        with pytest.raises(ValueError, match="expected"):
            predictor(image, boxes)
    with pytest.raises(ValueError, match="choose from topdown"):
        Predictor(replace(SPEC, decoder={"name": "nine"}), blobs)


def test_a_photo_is_turned_upright_only_when_asked(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo()).save(tmp_path / "phone.jpg", exif=exif)
    assert read_image(tmp_path / "phone.jpg").shape == (240, 320, 3)
    assert read_image(tmp_path / "phone.jpg", upright=True).shape == (320, 240, 3)


def test_a_missing_or_broken_image_is_named(tmp_path):
    Image.fromarray(photo()).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture")
    for name in ("missing.jpg", "cut.jpg", "text.png"):
        with pytest.raises(ValueError, match=name):
            read_image(tmp_path / name)


def test_prediction_needs_neither_tensorflow_nor_keras():
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'pycocotools', 'cv2', 'ai_edge_litert'): sys.modules[name] = None\n"
        "import tfpose.predict, tfpose.runners, tfpose.evaluate, tfpose.draw\n"
        "try: tfpose.runners.keras_file('x.keras')\n"
        "except ValueError as error: assert 'tfpose[train]' in str(error)\n"
        "else: raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_last_stage_of_a_training_network_is_the_one_used():
    assert runners.last_stage({"heatmaps/9": 1, "heatmaps/10": 2, "heatmaps/2": 3, "mask": 4}) == {
        "heatmaps": 2,
        "mask": 4,
    }


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    import keras

    folder = tmp_path_factory.mktemp("run")
    image = keras.Input((*SIZE, 3), name="image", dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    stages = [keras.layers.Conv2D(LSP14.count, 4, 4, name=f"head_{i}")(x) for i in range(2)]
    network = keras.Model(image, {f"heatmaps/{i}": stage for i, stage in enumerate(stages)})
    network.save(folder / "network.keras")
    replace(SPEC, skeleton=LSP14).save(folder / "pose.json")
    return folder, network


def exported(network, folder):
    """A bundle of its last stage: a SavedModel and a float .tflite."""
    import keras

    from tfpose.export import serving_signatures, tflite

    deployed = keras.Model(network.input, {"heatmaps": network.output["heatmaps/1"]})
    serving_signatures.save(deployed, SPEC, folder / "saved_model")
    (folder / "network_float32.tflite").write_bytes(tflite.convert(deployed, "float32"))
    replace(SPEC, skeleton=LSP14).save(folder / "pose.json")


def test_a_run_folder_a_saved_model_and_a_tflite_file_give_the_same_maps(run_folder, tmp_path):
    folder, network = run_folder
    exported(network, tmp_path)
    views = np.random.default_rng(0).integers(0, 255, (3, *SIZE, 3), np.uint8)
    expected = np.asarray(network(views)["heatmaps/1"])
    for path in (folder, folder / "network.keras", tmp_path / "saved_model", tmp_path):
        spec, run = runners.load(path)
        assert spec.skeleton == LSP14
        assert run(views)["heatmaps"] == pytest.approx(expected, abs=1e-4), path


def test_a_batch_that_is_filled_up_returns_only_what_was_asked(run_folder):
    folder, network = run_folder
    run = runners.network(network)
    assert run(np.zeros((5, *SIZE, 3), np.uint8))["heatmaps"].shape == (5, 32, 24, LSP14.count)
    assert folder.is_dir()


def test_a_path_with_nothing_to_run_says_what_was_expected(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for path, message in (
        (tmp_path, "nothing to run"),
        (tmp_path / "no", "no such"),
        (tmp_path / "notes.txt", ".keras"),
    ):
        with pytest.raises(ValueError, match=message):
            runners.load(path)
