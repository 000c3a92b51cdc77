"""Decoding is the inverse of encoding, and moves with what it is shown."""

import numpy as np
import pytest

from tfpose import geometry
from tfpose.decode import decoder
from tfpose.decode.peaks import smoothed, window
from tfpose.decode.topdown import decode
from tfpose.skeleton import COCO17

GRID, STRIDE = (64, 48), 4
EXACT = [("parabola", 0), ("dark", 0)]
SMOOTH = [("dark", 3), ("dark", 7), ("dark", 11), ("dark", 17)]
ALL = [("none", 0), ("quarter", 0), ("second", 0), *EXACT, *SMOOTH]


def gaussians(cells, grid=GRID, sigma=2.0):
    """Heatmaps (N, h, w, K) of keypoints at cells (N, K, 2)."""
    rows, columns = np.arange(grid[0])[:, None, None], np.arange(grid[1])[None, :, None]
    x, y = np.moveaxis(np.asarray(cells)[:, None, None], -1, 0)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def interior(count=60, margin=11):
    return np.random.default_rng(2).uniform(margin, np.array(GRID[::-1]) - 1 - margin, (count, 17, 2))


def error(cells, refine, blur, sigma=2.0):
    found = decode(gaussians(cells, sigma=sigma), STRIDE, refine, blur)[..., :2]
    return np.abs(found - geometry.stride(STRIDE).inverse.apply(cells)).max()


@pytest.mark.parametrize("refine, blur", EXACT + SMOOTH)
def test_decoding_inverts_encoding_to_a_hundredth_of_a_pixel(refine, blur):
    for sigma in (1.5, 2.0, 3.0):
        assert error(interior(), refine, blur, sigma) < 0.01, sigma


@pytest.mark.parametrize("refine, blur", EXACT + SMOOTH)
def test_up_to_the_border_it_is_as_exact(refine, blur):
    cells = np.random.default_rng(3).uniform(-0.5, np.array(GRID[::-1]) - 0.5, (60, 17, 2))
    assert error(cells, refine, blur) < 0.01


def test_a_quarter_is_exact_on_its_own_lattice():
    draw = np.random.default_rng(4)
    cells = np.rint(interior()) + draw.choice([-0.25, 0.25], (60, 17, 2))
    assert error(cells, "quarter", 0) < 1e-4


def test_a_quarter_is_never_off_by_more_than_a_quarter_of_a_cell_and_no_offset_by_more_than_half():
    assert error(interior(), "quarter", 0) <= STRIDE / 4
    assert STRIDE / 4 < error(interior(), "none", 0) <= STRIDE / 2


@pytest.mark.parametrize("refine, blur", ALL)
def test_shifted_maps_give_shifted_keypoints(refine, blur):
    maps = gaussians(interior(margin=14))
    moved = np.roll(maps, (3, -2), axis=(1, 2))
    difference = decode(moved, STRIDE, refine, blur) - decode(maps, STRIDE, refine, blur)
    assert np.abs(difference - (-2 * STRIDE, 3 * STRIDE, 0)).max() < 0.01


@pytest.mark.parametrize("refine, blur", ALL)
def test_mirrored_maps_give_mirrored_keypoints(refine, blur):
    maps = np.random.default_rng(5).random((20, *GRID, 17)).astype(np.float32)
    found = decode(maps[:, :, ::-1], STRIDE, refine, blur)
    found[..., :2] = geometry.mirroring(GRID[1] * STRIDE).apply(found[..., :2])
    assert np.abs(found - decode(maps, STRIDE, refine, blur)).max() < 1e-3


@pytest.mark.parametrize("refine, blur", ALL)
def test_turning_the_maps_over_their_diagonal_swaps_x_and_y(refine, blur):
    maps = np.random.default_rng(6).random((20, *GRID, 17)).astype(np.float32)
    swapped = decode(maps.transpose(0, 2, 1, 3), STRIDE, refine, blur)[..., [1, 0, 2]]
    assert np.abs(swapped - decode(maps, STRIDE, refine, blur)).max() < 1e-3


@pytest.mark.parametrize("refine, blur", ALL)
def test_twice_the_stride_is_twice_the_image(refine, blur):
    maps = gaussians(interior(5))
    twice = geometry.resizing(2, 2).apply(decode(maps, STRIDE, refine, blur)[..., :2])
    assert np.abs(twice - decode(maps, 2 * STRIDE, refine, blur)[..., :2]).max() < 1e-3


def test_the_score_is_the_value_of_the_peak_between_0_and_1():
    maps = gaussians(np.rint(interior(3))) * np.array([0.25, 1.5, -1])[:, None, None, None]
    scores = decode(maps, STRIDE)[..., 2]
    assert (scores[0] == 0.25).all() and (scores[1] == 1).all() and (scores[2] == 0).all()


@pytest.mark.parametrize("refine, blur", ALL)
def test_maps_of_an_int8_file_with_ties_zeros_and_negatives_decode_to_finite_points(refine, blur):
    levels = np.random.default_rng(7).integers(-3, 3, (30, *GRID, 17)) / np.float32(127)
    for maps in (levels, np.zeros_like(levels), -np.ones_like(levels), np.ones_like(levels)):
        found = decode(maps, STRIDE, refine, blur)
        cells = decode(maps, STRIDE, "none")
        assert np.isfinite(found).all() and np.abs(found - cells).max() <= STRIDE


@pytest.mark.parametrize("refine, blur, limit", [("parabola", 0, 0.15), ("dark", 0, 0.12), ("dark", 11, 0.04)])
def test_the_rounding_of_an_int8_file_costs_little(refine, blur, limit):
    cells = interior()
    found = decode(np.rint(gaussians(cells) * 127) / np.float32(127), STRIDE, refine, blur)[..., :2]
    assert np.abs(found - geometry.stride(STRIDE).inverse.apply(cells)).max() < limit


def test_a_window_repeats_the_edge_and_keeps_maps_apart():
    maps = np.arange(2 * 5 * 6 * 3, dtype=np.float32).reshape(2, 5, 6, 3)
    cells = np.array([[[0, 0], [5, 4], [2, 2]]] * 2)
    around = window(maps, cells, 1)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for n, k in np.ndindex(2, 3):
        x, y = cells[n, k]
        assert (around[n, k] == padded[n, y : y + 3, x : x + 3, k]).all()


@pytest.mark.parametrize("refine, blur", EXACT + SMOOTH)
def test_it_inverts_the_encoder_that_training_uses(refine, blur):
    heatmaps = pytest.importorskip("tfpose.encode.heatmaps").heatmaps
    points = geometry.stride(STRIDE).inverse.apply(interior(4)).astype(np.float32)
    keypoints = np.concatenate([points, np.full((4, 17, 1), 2, np.float32)], axis=-1)
    maps = np.asarray(heatmaps(keypoints, GRID, STRIDE, 2.0, centre="exact"))
    assert np.abs(decode(maps, STRIDE, refine, blur)[..., :2] - points).max() < 0.01


def test_a_decoder_is_data():
    outputs = {"heatmaps": gaussians(interior(2))}
    decode_it = decoder({"name": "topdown", "stride": 4, "refine": "dark", "blur": 11})
    assert (decode_it(outputs) == decode(outputs["heatmaps"], 4, "dark", 11)).all()
    assert decode_it(outputs).shape == (2, COCO17.count, 3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "topdwn"}, "choose from topdown"),
        ({"refine": "half"}, "none, quarter, second, parabola, dark"),
        ({"refin": "dark"}, "its options are stride, refine, blur"),
        ({"blur": 4}, "3, 5, 7"),
        ({"refine": "quarter", "blur": 5}, "with 'dark'"),
        ({"stride": 0}, "at least 1"),
    ],
)
def test_a_wrong_decoder_names_the_choices(change, message):
    with pytest.raises(ValueError, match=message):
        decoder({"name": "topdown", "stride": 4, "refine": "dark"} | change)


def test_the_second_refinement_goes_a_quarter_of_a_cell_towards_the_second_largest_value():
    maps = np.zeros((1, 9, 9, 2), np.float32)
    maps[0, 4, 4], maps[0, 7, 8, 0], maps[0, 4, 3, 1] = 1, 0.5, 0.5
    found = geometry.stride(STRIDE).apply(decode(maps, STRIDE, "second")[0, :, :2])
    np.testing.assert_allclose(found, [[4 + 0.25 * 0.8, 4 + 0.25 * 0.6], [3.75, 4]], atol=1e-6)


def test_smoothed_maps_hide_a_single_bright_cell_and_keep_the_score_of_the_map():
    maps = 0.8 * gaussians(np.full((1, 1, 2), 30.0))
    maps[0, 5, 5, 0] = 0.9
    assert decode(maps, STRIDE, "none")[0, 0].tolist() == pytest.approx([21.5, 21.5, 0.9])
    assert decode(maps, STRIDE, "none", smooth=5)[0, 0].tolist() == pytest.approx([121.5, 121.5, 0.8])


@pytest.mark.parametrize("width", [3, 5, 7, 9])
def test_smoothing_is_opencvs_with_nothing_beyond_the_border(width):
    cv2 = pytest.importorskip("cv2")
    maps = np.random.default_rng(6).random((1, 12, 9, 1), np.float32)
    deviation = 0 if width < 9 else 0.15 * width + 0.35  # newer releases have a table for 9 as well
    expected = cv2.GaussianBlur(maps[0, :, :, 0], (width, width), deviation, borderType=cv2.BORDER_CONSTANT)
    np.testing.assert_allclose(smoothed(maps, width)[0, :, :, 0], expected, atol=1e-6)
