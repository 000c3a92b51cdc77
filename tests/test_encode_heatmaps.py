"""Heatmaps: what is drawn is found again, and what is absent is not drawn."""

import numpy as np
import pytest

from tfpose.decode import topdown
from tfpose.encode.heatmaps import heatmaps, weights

GRID, STRIDE, SIGMA = (64, 48), 4, 2.0


def keypoint(x: float, y: float, v: float = 2) -> np.ndarray:
    return np.array([[[x, y, v]]], np.float32)


def inside(count: int = 200) -> np.ndarray:
    """Keypoints (1, count, 3) in the interior of a view of 256 x 192."""
    points = np.random.default_rng(0).uniform((40, 40), (150, 210), (count, 2))
    return np.column_stack([points, np.full(count, 2)])[None].astype(np.float32)


@pytest.mark.parametrize("refine", ["parabola", "dark"])
def test_decoding_an_exact_heatmap_gives_the_keypoint(refine):
    maps = heatmaps(inside(), GRID, STRIDE, SIGMA).numpy()
    found = topdown.decode(maps, STRIDE, refine)
    np.testing.assert_allclose(found[..., :2], inside()[..., :2], atol=0.01)


def test_the_quarter_offset_decodes_a_cell_heatmap_to_half_a_cell():
    maps = heatmaps(inside(), GRID, STRIDE, SIGMA, centre="cell").numpy()
    assert np.abs(topdown.decode(maps, STRIDE, "none")[..., :2] - inside()[..., :2]).max() <= STRIDE / 2 + 1e-3


def test_the_peak_of_a_keypoint_on_a_cell_is_one():
    x, y = 20 * STRIDE + 1.5, 30 * STRIDE + 1.5
    maps = heatmaps(keypoint(x, y), GRID, STRIDE, SIGMA).numpy()[0, ..., 0]
    assert maps[30, 20] == 1 and maps[30, 22] == pytest.approx(np.exp(-0.5), abs=1e-6)


def test_a_cell_heatmap_ends_at_three_standard_deviations():
    maps = heatmaps(keypoint(81.5, 121.5), GRID, STRIDE, SIGMA, centre="cell").numpy()[0, ..., 0]
    assert maps[30, 26] > 0 and maps[30, 27] == 0 and maps[37, 20] == 0


def test_an_absent_keypoint_draws_nothing():
    assert not heatmaps(keypoint(80, 120, 0), GRID, STRIDE, SIGMA).numpy().any()


def test_a_hidden_keypoint_is_drawn_as_a_visible_one():
    hidden, visible = (heatmaps(keypoint(80, 120, v), GRID, STRIDE, SIGMA).numpy() for v in (1, 2))
    assert np.array_equal(hidden, visible)


@pytest.mark.parametrize("x, column", [(81.5, 20), (83.4, 20), (83.6, 21), (79.6, 20), (79.4, 19)])
def test_a_cell_centre_is_the_nearest_cell(x, column):
    maps = heatmaps(keypoint(x, 121.5), GRID, STRIDE, SIGMA, centre="cell").numpy()[0, ..., 0]
    assert maps.max() == 1 and np.unravel_index(maps.argmax(), maps.shape) == (30, column)


@pytest.mark.parametrize("point, weight", [((80, 120), 1), ((-20, 120), 1), ((-40, 120), 0), ((80, 300), 0)])
def test_a_keypoint_whose_gaussian_does_not_touch_the_grid_weighs_nothing(point, weight):
    assert weights(keypoint(*point), GRID, STRIDE, SIGMA).numpy().item() == weight


def test_an_absent_keypoint_weighs_nothing():
    assert weights(keypoint(80, 120, 0), GRID, STRIDE, SIGMA).numpy().item() == 0


def test_every_drawn_keypoint_has_a_weight_and_every_other_an_empty_map():
    points = np.random.default_rng(1).uniform(-60, 320, (1, 400, 2))
    points = np.concatenate([points, np.ones((1, 400, 1))], axis=2).astype(np.float32)
    drawn = heatmaps(points, GRID, STRIDE, SIGMA, centre="cell").numpy().any(axis=(1, 2))
    known = weights(points, GRID, STRIDE, SIGMA).numpy() > 0
    assert not (drawn & ~known).any() and 0.2 < known.mean() < 0.8


def test_leading_dimensions_are_free():
    many = np.broadcast_to(inside(3), (2, 5, 3, 3))
    maps = heatmaps(many, GRID, STRIDE, SIGMA).numpy()
    assert maps.shape == (2, 5, *GRID, 3) and weights(many, GRID, STRIDE, SIGMA).shape == (2, 5, 3)
    assert np.array_equal(maps[1, 4], heatmaps(inside(3), GRID, STRIDE, SIGMA).numpy()[0])


def test_mirroring_the_keypoints_mirrors_the_heatmaps():
    mirrored = inside() * [-1, 1, 1] + [GRID[1] * STRIDE - 1, 0, 0]
    maps, other = (heatmaps(k, GRID, STRIDE, SIGMA).numpy() for k in (inside(), mirrored))
    np.testing.assert_allclose(other[:, :, ::-1], maps, atol=1e-5)
