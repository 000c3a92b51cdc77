"""ImagePredictor of a network of heatmaps and boxes: mirrored views and several scales find the people of one view."""

from dataclasses import replace

import numpy as np
import perfect
import pytest
from perfect import SIZE, STRIDE, distance, people, photo, told

from tfpose.anchors import anchors
from tfpose.poses import bounds, mapped_boxes
from tfpose.predict_images import ImagePredictor

PHOTOS = {"wide": (240, 480), "view": SIZE, "narrow": (640, 240), "large": (960, 1280)}
WIDE = PHOTOS["wide"]
SPEC = replace(perfect.SPEC, system="multiposenet", decoder={"name": "boxes", "stride": STRIDE, "score": 0.5})


def around(who) -> np.ndarray:
    return np.array([bounds(k) for k in who], np.float32).reshape(-1, 4)


def network(*photos, heatmaps=True):
    """The `run` of a network that knows everybody, and the box around everybody's keypoints."""
    maps = perfect.network(*photos)

    def boxes(view):
        known, there = perfect.seen(view, photos)
        return told(mapped_boxes(around(known), there), view.shape[:2])

    def run(views):
        each = [boxes(view) for view in views]
        found = {name: np.stack([one[name] for one in each]) for name in each[0]}
        return found | ({"heatmaps": maps(views)["heatmaps"]} if heatmaps else {})

    return run


@pytest.mark.parametrize("size", PHOTOS.values(), ids=PHOTOS)
@pytest.mark.parametrize(
    "options",
    [{"flip": "aligned"}, {"scales": (1.0, 1.5)}, {"flip": "aligned", "scales": (0.75, 1.0, 1.5)}, {"scales": (1.4,)}],
    ids=["flip", "scales", "flip and scales", "another scale"],
)
def test_mirrored_views_and_scales_find_everybody_once_with_their_boxes(size, options):
    who = people(size)
    found = ImagePredictor(SPEC, network((size, who)), **options)(photo(size))
    pixel = max(size[0] / SIZE[0], size[1] / SIZE[1])  # of the view, in pixels of the photo
    assert distance(found.keypoints, who) < 0.5 * pixel * (2 if options.get("scales") == (1.4,) else 1)
    order = np.argsort(found.boxes[:, 0])
    assert np.abs(found.boxes[order] - around(who)).max() < 1.5 * pixel


def test_views_of_any_scale_have_sides_that_the_detector_can_halve_five_times():
    sizes = []
    run = network((WIDE, people(WIDE)))
    predictor = ImagePredictor(SPEC, lambda v: (sizes.append(v.shape[1:3]), run(v))[1], scales=(1.0, 0.7, 1.3, 0.01))
    predictor(photo(WIDE))
    assert sizes == [(256, 320), (192, 224), (320, 416), (32, 32)]


def test_somebody_whom_one_scale_alone_finds_is_found():
    who = people(WIDE)
    whole, half = network((WIDE, who)), network((WIDE, who[:1]))
    predictor = ImagePredictor(SPEC, lambda v: (whole if v.shape[1:3] == SIZE else half)(v), scales=(1.0, 0.5))
    assert len(predictor(photo(WIDE))) == 2 and len(replace(predictor, scales=(0.5,))(photo(WIDE))) == 1


def test_what_comes_of_scales_has_the_shapes_of_one_view_and_goes_to_the_same_decoder():
    run = network((WIDE, people(WIDE)))
    one, more = (ImagePredictor(SPEC, run, scales=s).outputs([photo(WIDE)]) for s in ((1.0,), (1.0, 1.5)))
    assert {n: v.shape for n, v in one.items() if n != "heatmaps"} == {
        n: v.shape for n, v in more.items() if n != "heatmaps"
    }
    assert one["heatmaps"].shape == more["heatmaps"].shape and one["boxes"].shape[1] == len(anchors(SIZE))


def test_a_detector_alone_is_tested_at_several_scales_too():
    predictor = ImagePredictor(SPEC, network((WIDE, people(WIDE)), heatmaps=False), scales=(1.0, 1.5), flip="aligned")
    (parts,) = predictor.parts([photo(WIDE)])
    order = np.argsort(parts.boxes[:, 0])
    assert np.abs(parts.boxes[order] - around(people(WIDE))).max() < 2 and not parts.mask.any()
