"""ImagePredictor: all of a photo goes there and everybody on it comes back, in pixels of the photo."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import perfect
import pytest
import tiny
from perfect import SIZE, SPEC, STRIDE, distance, network, people, photo
from PIL import Image

from tfpose import evaluate, geometry, protocol, runners, yaml_config
from tfpose.config import Evaluate
from tfpose.decode import maps
from tfpose.poses import bounds
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor
from tfpose.skeleton import COCO17, OPENPOSE18

# (height, width): wider than a view, as wide, narrower; smaller and larger.
PHOTOS = {"wide": (240, 480), "view": SIZE, "narrow": (640, 240), "small": (128, 160), "large": (960, 1280)}
WIDE = PHOTOS["wide"]
MIRROR = list(OPENPOSE18.mirror)


def noise(views):
    """A network that looks at every pixel and knows nothing: maps that differ with the view and have no symmetry."""
    weights = np.random.default_rng(3).normal(0, 1, (3 * STRIDE**2, 57)).astype(np.float32)
    count, height, width = (len(views), *(side // STRIDE for side in views.shape[1:3]))
    cells = views.reshape(count, height, STRIDE, width, STRIDE, 3).swapaxes(2, 3).reshape(count, height, width, -1)
    values = (cells / np.float32(255) - 0.5) @ weights / 8
    return {"heatmaps": values[..., :19], "pafs": values[..., 19:]}


def picture(size=WIDE):
    return np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)


def view_pixels(size):
    """How many pixels of the view a pixel of the photo is long."""
    return min(SIZE[0] / size[0], SIZE[1] / size[1])


def same(first, second, tolerance=1e-5):
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].shape == second[name].shape and np.abs(first[name] - second[name]).max() < tolerance, name


@pytest.mark.parametrize("size", PHOTOS.values(), ids=PHOTOS)
def test_everybody_is_found_in_pixels_of_the_photo_whatever_its_size(size):
    who = people(size)
    found = ImagePredictor(SPEC, network((size, who)))(photo(size))
    assert distance(found.keypoints, who) < 0.01


@pytest.mark.parametrize("size", PHOTOS.values(), ids=PHOTOS)
def test_a_persons_box_is_that_of_its_keypoints_within_half_a_pixel_of_photo_or_view(size):
    found = ImagePredictor(SPEC, network((size, people(size))))(photo(size))
    corners = [found.keypoints[..., :2].min(axis=1), np.ptp(found.keypoints[..., :2], axis=1)]
    assert np.abs(found.boxes - np.concatenate(corners, axis=1)).max() < 0.5 * max(1, 1 / view_pixels(size))


@pytest.mark.parametrize("flip", ["none", "aligned"])
def test_a_mirrored_photo_has_mirrored_people(flip):
    who, mirror = people(WIDE), geometry.mirroring(WIDE[1])
    predictor = ImagePredictor(SPEC, network((WIDE, who)), flip=flip)
    found = predictor(np.ascontiguousarray(photo(WIDE)[:, ::-1]))
    assert distance(found.keypoints, perfect.mapped(who[:, MIRROR], mirror)) < 0.01


def test_with_flip_a_mirrored_view_has_mirrored_maps_whatever_the_network():
    predictor, image = ImagePredictor(SPEC, noise, flip="aligned"), picture(SIZE)
    mirrored = predictor.outputs([np.ascontiguousarray(image[:, ::-1])])
    same(maps.unmirrored(mirrored, OPENPOSE18), predictor.outputs([image]))
    plain = replace(predictor, flip="none")
    assert np.abs(plain.outputs([image])["pafs"] - predictor.outputs([image])["pafs"]).max() > 0.1


def test_the_flip_changes_nothing_for_a_network_that_respects_mirroring():
    run = network((WIDE, people(WIDE)))
    plain, flipped = (ImagePredictor(SPEC, run, flip=flip).outputs([photo(WIDE)]) for flip in ("none", "aligned"))
    same(plain, flipped)


def test_the_flip_takes_back_what_a_network_sees_too_far_to_one_side():
    size, who = SIZE, people(SIZE)
    plain, flipped = (ImagePredictor(SPEC, network((size, who), shift=2), flip=f) for f in ("none", "aligned"))
    assert distance(plain(photo(size)).keypoints, who) == pytest.approx(2, abs=0.01)
    assert distance(flipped(photo(size)).keypoints, who) < 0.01


@pytest.mark.parametrize("size", PHOTOS.values(), ids=PHOTOS)
@pytest.mark.parametrize("scales", [(1.0, 0.5), (1.0, 1.5), (1.5, 1.0, 2.0)], ids=str)
def test_several_scales_find_the_people_of_one(size, scales):
    who = people(size)
    found = ImagePredictor(SPEC, network((size, who)), scales=scales)(photo(size))
    # Maps are read between their cells along straight lines: that costs half a pixel of the view.
    assert distance(found.keypoints, who) * view_pixels(size) < 0.5


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.5])
def test_one_other_scale_finds_the_same_people_within_a_sixth_of_its_cells(scale):
    who = people(WIDE)
    found = ImagePredictor(SPEC, network((WIDE, who)), scales=(scale,))(photo(WIDE))
    assert distance(found.keypoints, who) * view_pixels(WIDE) < STRIDE / scale / 6


def test_a_scale_counts_as_often_as_it_is_named_and_wherever_it_stands():
    def outputs(*scales):
        return ImagePredictor(SPEC, noise, scales=scales).outputs([picture()])

    same(outputs(1.0, 1.0), outputs(1.0))
    same(outputs(1.0, 0.5), outputs(0.5, 1.0))
    one, half, both = outputs(1.0), outputs(0.5), outputs(1.0, 0.5, 0.5)
    same({name: (one[name] + 2 * half[name]) / 3 for name in one}, both)


def test_flip_and_scales_together_are_the_mean_of_each_scales_flip():
    predictor = ImagePredictor(SPEC, noise, flip="aligned", scales=(1.0, 1.5))
    each = [replace(predictor, scales=(scale,)).outputs([picture()]) for scale in predictor.scales]
    same({name: (each[0][name] + each[1][name]) / 2 for name in each[0]}, predictor.outputs([picture()]))


def test_a_view_of_a_scale_is_of_whole_cells_and_shows_all_of_the_photo():
    seen = []
    predictor = ImagePredictor(SPEC, lambda views: (seen.append(views), noise(views))[1], scales=(1.0, 0.7, 0.001))
    predictor(photo(WIDE))
    assert [views.shape[1:3] for views in seen] == [(256, 320), (176, 224), (8, 8)]
    lit = [np.argwhere(views[0, ..., 1] > 127) for views in seen]
    assert [tuple(np.ptp(places, axis=0) + 1) for places in lit] == [(160, 320), (112, 224), (4, 8)]


def test_many_photos_of_all_sizes_are_found_as_each_by_itself_however_they_are_batched():
    known = [(PHOTOS[name], people(PHOTOS[name], count)) for count, name in enumerate(("wide", "small", "narrow"), 1)]
    images, sizes = [photo(size, i) for i, (size, _) in enumerate(known, 1)], []
    run = network(*known)
    for batch in (1, 2, 3):
        predictor = ImagePredictor(SPEC, lambda v: (sizes.append(len(v)), run(v))[1], batch=batch, scales=(1.0, 1.5))
        found = predictor.many(iter(images))
        assert all(distance(f.keypoints, predictor(i).keypoints) < 1e-3 for f, i in zip(found, images, strict=True))
        assert max(sizes) <= batch


def test_no_photo_is_no_answer_and_an_empty_photo_is_nobody():
    predictor = ImagePredictor(SPEC, network((WIDE, people(WIDE)[:0])), flip="aligned", scales=(1.0, 0.5))
    assert predictor.many([]) == []
    nobody = predictor(photo(WIDE))
    assert (nobody.keypoints.shape, nobody.scores.shape, nobody.boxes.shape) == ((0, 18, 3), (0,), (0, 4))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"flip": "shifted"}, r"^flip: found 'shifted'; choose from none, aligned for a network of whole images"),
        ({"scales": ()}, r"^scales: found \[\]; expected factors of the view"),
        ({"scales": (1.0, 0.0)}, r"^scales: found \[1\.0, 0\.0\]; expected factors of the view"),
        ({"spec": replace(SPEC, view="person")}, r"^pose\.json: view 'person'; expected 'image'"),
        ({"spec": replace(SPEC, decoder={"name": "nine"})}, "^decoder: no name 'nine'; choose from topdown, pafs"),
    ],
)
def test_wrong_options_say_what_was_found_and_what_may_stand_there(options, message):
    with pytest.raises(ValueError, match=message):
        ImagePredictor(**{"spec": SPEC, "run": noise} | options)


@pytest.mark.parametrize("image", [picture()[..., 0], picture() / 255, picture()[..., :1]], ids=["grey", "float", "1"])
def test_a_wrong_image_is_refused_before_the_network_runs(image):
    with pytest.raises(ValueError, match=r"^image: found \w+ \(.*; expected uint8 \(height, width, 3\)"):
        ImagePredictor(SPEC, None)(image)


def coco(*photos):
    """The records and the COCO content of photos ((height, width), people of COCO17, path), numbered from 1."""
    records, people = [], []
    for i, (_, keypoints, path) in enumerate(photos, 1):
        boxes = [bounds(k).tolist() for k in keypoints]
        for k, (x, y, w, h) in zip(keypoints, boxes):
            entry = {"id": len(people) + 1, "image_id": i, "category_id": 1, "bbox": [x, y, w, h], "area": w * h}
            people.append(entry | {"iscrowd": 0, "keypoints": k.ravel().tolist()})
        ids = np.array([p["id"] for p in people if p["image_id"] == i])
        records.append(SimpleNamespace(image_id=i, path=path, boxes=boxes, keypoints=keypoints, annotation_ids=ids))
    images = [{"id": r.image_id} for r in records]
    return records, {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}


@pytest.fixture
def judged(tmp_path):
    """What a perfect network of OpenPose's skeleton looks at, with COCO17's as the truth: predictor, records, truth."""
    known = [(size, people(size, count)) for size, count in ((WIDE, 2), (SIZE, 3))]
    for i, (size, _) in enumerate(known, 1):
        Image.fromarray(photo(size, i)).save(tmp_path / f"{i}.png")
    pairs = [OPENPOSE18.index(name) for name in COCO17.keypoints]
    truth = [(size, who[:, pairs], tmp_path / f"{i}.png") for i, (size, who) in enumerate(known, 1)]
    return ImagePredictor(SPEC, network(*known), flip="aligned"), *coco(*truth)


def test_a_perfect_network_gets_full_marks_without_boxes_though_coco_has_another_skeleton(judged):
    made = evaluate.evaluate(*judged, skeleton=COCO17, bar=lambda images, *_: images)
    assert made.figures["AP"] > 0.99 and len(made.results) == 5
    assert {len(result["keypoints"]) for result in made.results} == {3 * COCO17.count}


@pytest.mark.parametrize("options, what", [({"metric": "pck"}, "pck"), ({"detections": []}, "detected boxes")])
def test_figures_that_need_boxes_are_refused(judged, options, what):
    with pytest.raises(ValueError, match=f"^evaluate: {what} for a network that finds people in whole images"):
        evaluate.evaluate(*judged, **options)


NETWORK = Path("run/network.keras")


@pytest.fixture
def loaded(monkeypatch):
    """Any path is this network of whole images; of a .tflite it is only said that it is one."""
    monkeypatch.setattr(runners, "specification", lambda _: SPEC)
    monkeypatch.setattr(runners, "load", lambda _: (SPEC, noise))
    monkeypatch.setattr(runners, "network_file", lambda path: path)


@pytest.mark.usefixtures("loaded")
def test_flip_and_scales_of_a_configuration_reach_the_predictor():
    config = yaml_config.defaults(("evaluate.scales=[1.0, 0.5]", "evaluate.flip=none"))
    made = protocol.predictor(NETWORK, config.evaluate)
    assert isinstance(made, ImagePredictor) and (made.scales, made.flip) == ((1.0, 0.5), "none")
    assert protocol.predictor(NETWORK, Evaluate()).scales == (1.0,)


@pytest.mark.usefixtures("loaded")
def test_scales_need_a_network_that_takes_views_of_any_size():
    with pytest.raises(ValueError, match=r"^evaluate\.scales: run/int8\.tflite has views of one size; take the run's"):
        protocol.predictor(Path("run/int8.tflite"), Evaluate(scales=(1.0, 0.5)))
    assert protocol.predictor(Path("run/int8.tflite"), Evaluate()).scales == (1.0,)


def test_scales_of_a_configuration_reach_the_predictor_of_people_in_boxes(monkeypatch):
    monkeypatch.setattr(runners, "specification", lambda _: tiny.spec())
    monkeypatch.setattr(runners, "load", lambda _: (tiny.spec(), None))
    made = protocol.predictor(NETWORK, Evaluate(scales=(0.8, 1.0)))
    assert isinstance(made, Predictor) and made.scales == (0.8, 1.0)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "option",
    [{"refine": "dark"}, {"blur": 5}, {"smooth": 3}, {"score": "box"}, {"nms": "hard"}, {"detections": "boxes.json"}]
    + [{"ensemble": ("other",)}],
    ids=lambda option: next(iter(option)),
)
def test_options_of_people_in_boxes_are_refused_by_name(option):
    with pytest.raises(ValueError, match=rf"^evaluate\.{next(iter(option))}: .*{re.escape(str(NETWORK))} finds people"):
        protocol.predictor(NETWORK, Evaluate(**option))
