"""Boxes are coded and decoded without loss, matched by overlap alone, thinned out in any order, and cropped exactly."""

import numpy as np
import pytest

from tfpose import geometry
from tfpose.anchors import EACH, RATIOS, SCALES, SIDE, STD, STRIDES, anchors
from tfpose.anchors import mirrored as mirror_images
from tfpose.decode import boxes as decoding
from tfpose.encode import boxes as encoding
from tfpose.poses import mapped_boxes

SIZE = (256, 384)  # multiples of 128: every grid lies within the view, and is its own mirror image
ANCHORS = anchors(SIZE)
GRID = (SIZE[0] // 4, SIZE[1] // 4)
NOTHING = np.zeros((1, *GRID), np.float32)


def people(count: int, seed: int = 0) -> np.ndarray:
    """Boxes (count, 4) inside the view, 30 to 230 pixels wide and high."""
    rng = np.random.default_rng(seed)
    sides = rng.uniform(30, 230, (count, 2))
    return np.concatenate([rng.uniform(0, SIZE[::-1] - sides), sides], axis=1).astype(np.float32)


def encoded(boxes, ignore=NOTHING) -> tuple:
    codes, states = encoding.boxes(np.asarray(boxes, np.float32)[None], ignore, ANCHORS, 4)
    return codes.numpy()[0], states.numpy()[0, :, 0]


def mirrored(boxes) -> np.ndarray:
    return mapped_boxes(boxes, geometry.mirroring(SIZE[1]))


def found(codes, states, **options) -> tuple:
    """The boxes and scores of a detector that says what it was taught."""
    return decoding.detections(codes, np.where(states == 1, 6.0, -6.0)[:, None], ANCHORS, SIZE, **options)


def noise(seed: int, mean=-3.0) -> tuple:
    rng = np.random.default_rng(seed)
    logits = rng.normal(mean, 1.5, (len(ANCHORS), 1)).astype(np.float32)
    return rng.normal(size=(len(ANCHORS), 4)).astype(np.float32), logits


def test_the_anchors_are_as_many_as_published():
    assert [len(anchors(size)) for size in ((480, 480), (384, 576))] == [43_245, 41_445]


def test_an_anchor_lies_on_the_centre_of_its_cell_and_its_shape_keeps_its_area():
    first = anchors((64, 64))[:EACH]
    np.testing.assert_allclose(first[:, :2] + first[:, 2:] / 2, np.full((EACH, 2), 4.0), atol=1e-5)
    np.testing.assert_allclose(
        first[:, 2:].prod(axis=1), np.repeat([1, 2 ** (2 / 3), 2 ** (4 / 3)], 3) * 32**2, rtol=1e-5
    )
    np.testing.assert_allclose(first[:, 2] / first[:, 3], np.tile([0.5, 1, 2], 3), rtol=1e-5)


def test_squares_are_32_to_512_pixels_and_on_larger_scales_fill_the_octave_between():
    squares = anchors((128, 128))[1::3, 2]
    assert len(np.unique(squares)) == 3 * len(STRIDES)
    np.testing.assert_allclose(np.unique(squares), 32 * 2 ** (np.arange(15) / 3), rtol=1e-5)


def test_the_anchors_of_a_mirrored_view_are_the_mirrored_anchors():
    order = np.lexsort(ANCHORS.round(2).T)
    other = mirrored(ANCHORS)
    np.testing.assert_allclose(ANCHORS[order], other[np.lexsort(other.round(2).T)], atol=1e-3)


def test_every_anchor_knows_its_mirror_image_where_there_is_one():
    index, shifts = mirror_images(SIZE)
    np.testing.assert_allclose(ANCHORS[index], mirrored(ANCHORS), atol=1e-3)
    assert not shifts.any()


@pytest.mark.parametrize("width", [480, 352, 32])
def test_where_there_is_none_the_nearest_anchor_is_taken_and_how_far_off_it_is(width):
    size = (64, width)
    among = anchors(size)
    index, shifts = mirror_images(size)
    image = mapped_boxes(among[index], geometry.mirroring(width))
    gaps = image - among
    np.testing.assert_allclose(gaps[:, 0], shifts * STD * among[:, 2], atol=1e-3)
    assert np.abs(gaps[:, 1:]).max() < 1e-3
    stride = np.repeat(STRIDES, [-(-64 // s) * -(-width // s) * EACH for s in STRIDES])
    inside = among[:, 0] + among[:, 2] / 2 <= width  # the last column's centre may be outside, as its image then is
    assert (np.abs(gaps[:, 0])[inside] <= stride[inside] / 2 + 1e-3).all()
    assert not shifts[stride <= 32].any() and shifts.any()


def test_decoding_is_the_inverse_of_encoding():
    boxes = people(len(ANCHORS))
    codes = encoding.codes(boxes, ANCHORS).numpy()
    np.testing.assert_allclose(decoding.decoded(codes, ANCHORS), boxes, atol=0.01)
    np.testing.assert_allclose(decoding.coded(boxes, ANCHORS), codes, atol=1e-3)


def test_an_anchor_itself_has_the_code_zero_and_a_fifth_of_its_side_is_one():
    assert not encoding.codes(ANCHORS, ANCHORS).numpy().any()
    moved = ANCHORS + np.concatenate([ANCHORS[:, 2:] / 5, np.zeros_like(ANCHORS[:, 2:])], axis=1)
    np.testing.assert_allclose(encoding.codes(moved, ANCHORS), 1, atol=1e-3)


def test_every_person_who_is_taught_is_found_again_and_nobody_else():
    boxes = np.array([[10, 20, 60, 120], [100, 30, 80, 200], [250, 100, 120, 130]], np.float32)
    result, scores = found(*encoded(boxes))
    np.testing.assert_allclose(result[np.argsort(result[:, 0])], boxes, atol=0.01)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-6)), rtol=1e-5)


def test_nobody_is_taught_and_found_where_nobody_is():
    for boxes in (np.zeros((0, 4)), np.zeros((3, 4))):
        codes, states = encoded(boxes)
        assert not states.any() and not codes.any()
        assert [len(part) for part in found(codes, states)] == [0, 0]


def test_places_for_people_who_are_not_there_change_nothing():
    boxes = people(4)
    for part, other in zip(encoded(boxes), encoded(np.concatenate([np.zeros((2, 4)), boxes]))):
        np.testing.assert_array_equal(part, other)


def test_states_follow_the_overlap_with_the_nearest_person():
    boxes = people(5)
    best = np.max([decoding.overlaps(box, ANCHORS) for box in boxes], axis=0)
    states = encoded(boxes)[1]
    sure = np.abs(best[:, None] - (0.4, 0.5)).min(axis=1) > 1e-5  # beyond rounding
    np.testing.assert_array_equal(states[sure], np.where(best >= 0.5, 1, np.where(best < 0.4, 0, -1))[sure])
    assert {-1, 0, 1} == set(states)


def test_mirrored_people_are_taught_by_the_mirrored_anchors():
    boxes = people(3)
    here, there = (ANCHORS[encoded(b)[1] == 1] for b in (boxes, mirrored(boxes)))
    here = mirrored(here)
    assert len(here) > 10
    order, other = (np.lexsort(a.round(2).T) for a in (here, there))
    np.testing.assert_allclose(here[order], there[other], atol=1e-3)


def test_anchors_under_what_is_ignored_are_not_background():
    ignore = NOTHING.copy()
    ignore[:, :, : GRID[1] // 2] = 1
    states = encoded(np.zeros((1, 4)), ignore)[1]
    inside = np.clip(ANCHORS[:, 0] + ANCHORS[:, 2], 0, SIZE[1]), np.clip(ANCHORS[:, 0], 0, SIZE[1])
    assert (states[inside[0] <= SIZE[1] / 2] == -1).all()
    assert (states[inside[1] >= SIZE[1] / 2] == 0).all()


def test_a_person_among_ignored_ones_is_taught_all_the_same():
    boxes = people(3)
    here, there = encoded(boxes), encoded(boxes, 1 - NOTHING)
    np.testing.assert_array_equal(here[0], there[0])
    np.testing.assert_array_equal(here[1] == 1, there[1] == 1)
    assert (there[1] != 0).all()


def test_the_covered_share_is_that_of_the_cells_in_the_anchor():
    mask = np.random.default_rng(0).integers(0, 2, (2, *GRID)).astype(np.float32)
    boxes = (4 * np.array([[3, 5, 8, 6], [0, 0, *GRID[::-1]], [-5, -5, 8, 8], [-9, 0, 4, 4]])).astype(np.float32)
    means = np.stack(
        [mask[:, 5:11, 3:11].mean((1, 2)), mask.mean((1, 2)), mask[:, :3, :3].mean((1, 2)), [0, 0]], axis=1
    )
    np.testing.assert_allclose(encoding.coverage(mask, boxes, 4), means, rtol=1e-5)


def test_what_stays_stays_whatever_the_order_and_however_often():
    codes, logits = noise(0)
    logits = logits.round()  # many scores are equal
    boxes, scores = decoding.detections(codes, logits, ANCHORS, SIZE)
    order = np.random.default_rng(1).permutation(len(ANCHORS))
    again = decoding.detections(codes[order], logits[order], ANCHORS[order], SIZE)
    np.testing.assert_array_equal(boxes, again[0])
    assert 10 < len(boxes) == len(decoding.apart(boxes, decoding.OVERLAP))
    assert (np.diff(scores) <= 0).all() and (scores > decoding.SCORE).all()


def test_no_two_that_stay_overlap_and_whoever_goes_overlaps_a_better_one():
    boxes = people(200)
    stay = decoding.apart(boxes, 0.3)
    alike = np.stack([decoding.overlaps(box, boxes) for box in boxes]) > 0.3
    for i in range(len(boxes)):
        assert alike[i, stay[stay < i]].any() != (i in stay)


def test_boxes_are_cut_to_the_view_and_those_outside_are_nobody():
    codes, logits = noise(2)
    boxes, _ = decoding.detections(4 * codes, logits, ANCHORS, SIZE)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= np.array(SIZE[::-1]) + 1e-3).all()


def test_there_are_at_most_as_many_as_asked_for_and_they_are_the_best():
    few, many = (decoding.detections(*noise(0), ANCHORS, SIZE, most=n) for n in (5, 300))
    np.testing.assert_array_equal(few[0], many[0][:5])


def test_outputs_that_are_not_finite_are_refused():
    codes, logits = noise(0)
    with pytest.raises(ValueError, match="not finite; has training diverged"):
        decoding.detections(codes, np.where(logits > 0, np.nan, logits), ANCHORS, SIZE)


def ramp() -> np.ndarray:
    """A map (h, w, 2) that is x and y, in view pixels, of the centre of each cell."""
    x, y = np.meshgrid(*((np.arange(side) + 0.5) * 4 - 0.5 for side in GRID[::-1]))
    return np.stack([x, y], axis=-1).astype(np.float32)


def test_a_crop_of_a_ramp_is_exact():
    boxes = people(6)
    boxes[:, :2] = boxes[:, :2].clip(4, np.array(SIZE[::-1]) - boxes[:, 2:] - 4)  # between centres of cells
    for box, crop in zip(boxes, decoding.crops(ramp(), boxes, (56, 36), 4)):
        x, y = (box[i] + box[2 + i] * (np.arange(n) + 0.5) / n - 0.5 for i, n in enumerate((36, 56)))
        np.testing.assert_allclose(crop, np.stack(np.meshgrid(x, y), axis=-1), atol=1e-2)


def test_a_crop_is_the_warp_of_the_maps_by_the_box():
    maps = np.random.default_rng(0).random((*GRID, 3)).astype(np.float32)
    boxes = np.concatenate([people(3), [[-40, -30, 100, 120], [300, 200, 150, 90]]]).astype(np.float32)
    for box, crop in zip(boxes, decoding.crops(maps, boxes, (14, 9), 4)):
        affine = (
            geometry.resizing(9 / box[2], 14 / box[3]) @ geometry.translation(*-box[:2]) @ geometry.stride(4).inverse
        )
        np.testing.assert_allclose(crop, geometry.warp(maps, affine, (14, 9)), atol=1e-3)


def test_a_crop_outside_the_maps_is_empty_and_no_boxes_have_no_crops():
    outside = np.array([[-200, 0, 100, 50], [0, 400, 50, 50]], np.float32)
    assert not decoding.crops(ramp() + 1, outside, (7, 5), 4).any()
    assert decoding.crops(ramp(), np.zeros((0, 4), np.float32), (7, 5), 4).shape == (0, 7, 5, 2)


def test_keras_cv_has_the_same_anchors_and_teaches_them_the_same():
    pytest.importorskip("keras_cv", reason="keras-cv is not installed: the peer that anchors and states are held to")
    from keras_cv.layers import AnchorGenerator
    from keras_cv.models.retinanet import LabelEncoder

    choices = {"scales": SCALES, "aspect_ratios": RATIOS, "strides": STRIDES, "sizes": [SIDE * s for s in STRIDES]}
    generator = AnchorGenerator("xywh", **{name: list(values) for name, values in choices.items()})
    theirs = np.concatenate([np.asarray(level) for level in generator(image_shape=(*SIZE, 3)).values()])
    np.testing.assert_allclose(theirs, ANCHORS, atol=1e-3)
    boxes = {"boxes": people(6)[None], "classes": np.ones((1, 6), np.float32)}
    classes = np.asarray(LabelEncoder("xywh", generator)(np.zeros((1, *SIZE, 3), np.float32), boxes)[1])[0]
    np.testing.assert_array_equal(np.select([classes == 1, classes == -2], [1, -1]), encoded(people(6))[1])
