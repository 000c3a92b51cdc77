"""Heatmaps: what is drawn is found again, and what is absent is not drawn."""

import bodies
import numpy as np
import pytest
import tensorflow as tf

from tfpose.decode import topdown
from tfpose.encode.heatmaps import heatmaps, people, weights
from tfpose.skeleton import OPENPOSE18

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


FIELD, WIDE = (20, 26), 0.875  # a grid at stride 8, and 7 pixels in its cells
VIEW = (FIELD[0] * 8, FIELD[1] * 8)


def crowd(*shape: int, seed: int = 0) -> np.ndarray:
    return bodies.crowd(np.random.default_rng(seed), shape, VIEW, 0.9)


def everybody(keypoints) -> np.ndarray:
    return people(keypoints, FIELD, 8, WIDE).numpy()


def plain(keypoints) -> np.ndarray:
    """The heatmaps (h, w, K + 1) of one view's keypoints (P, K, 3), one after the other and whole."""
    rows, columns = np.mgrid[: FIELD[0], : FIELD[1]]
    maps = np.zeros((*FIELD, keypoints.shape[1] + 1))
    for person in keypoints.astype(np.float64):
        for k, (x, y, v) in enumerate(person):
            squares = ((x + 0.5) / 8 - 0.5 - columns) ** 2 + ((y + 0.5) / 8 - 0.5 - rows) ** 2
            maps[..., k] = np.maximum(maps[..., k], np.exp(-squares / (2 * WIDE**2)) * (v > 0))
    maps[..., -1] = 1 - maps[..., :-1].max(axis=-1)
    return maps


def test_maps_of_people_are_those_of_a_loop_over_people_and_keypoints():
    views = crowd(3, 6)
    np.testing.assert_allclose(everybody(views), [plain(view) for view in views], atol=1e-5)


def test_one_persons_maps_are_the_exact_ones():
    alone = crowd(4, 1)
    exact = heatmaps(alone[:, 0], FIELD, 8, WIDE).numpy()
    np.testing.assert_allclose(everybody(alone)[..., :-1], exact, atol=1e-5)


def test_of_people_the_largest_value_counts():
    views = crowd(2, 5)
    alone = [everybody(views[:, i : i + 1])[..., :-1] for i in range(5)]
    np.testing.assert_allclose(everybody(views)[..., :-1], np.max(alone, axis=0), atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_of_nobody_everything_is_background(count):
    maps = everybody(np.zeros((2, count, 18, 3), np.float32))
    assert not maps[..., :-1].any() and (maps[..., -1] == 1).all()


def test_the_background_is_what_the_keypoints_leave():
    maps = everybody(crowd(2, 4))
    np.testing.assert_array_equal(maps[..., -1], 1 - maps[..., :-1].max(axis=-1))


def test_absent_people_and_the_order_of_people_change_nothing():
    views = crowd(2, 4)
    filled = np.concatenate([np.zeros_like(views), views[:, ::-1]], axis=1)
    np.testing.assert_allclose(everybody(filled), everybody(views), atol=1e-6)


def test_a_keypoint_just_outside_the_view_still_reaches_into_it():
    maps = everybody(keypoint(-4.5, 83.5)[None])  # one cell from the first column
    assert maps[0, 10, 0, 0] == pytest.approx(np.exp(-1 / (2 * WIDE**2)), abs=1e-6) and maps[..., 0].argmax() == 260
    assert not everybody(keypoint(1e5, -1e5)[None])[..., 0].any()


def test_mirroring_people_mirrors_their_heatmaps():
    views = crowd(2, 3)
    mirrored = views[..., list(OPENPOSE18.mirror), :] * [-1, 1, 1] + [VIEW[1] - 1, 0, 0]
    channels = [*OPENPOSE18.mirror, 18]
    np.testing.assert_allclose(everybody(mirrored)[:, :, ::-1], everybody(views)[..., channels], atol=1e-5)


def test_a_step_of_one_stride_moves_peoples_heatmaps_by_one_cell():
    views = crowd(2, 3)
    moved = everybody(views + [8, -8, 0])
    np.testing.assert_allclose(moved[:, :-1, 1:], everybody(views)[:, 1:, :-1], atol=1e-5)


def test_the_same_maps_come_out_of_a_data_set_of_any_number_of_people():
    views = [crowd(2, count, seed=count) for count in (1, 3, 0)]
    signature = tf.TensorSpec((None, None, 18, 3), tf.float32)
    data = tf.data.Dataset.from_generator(lambda: iter(views), output_signature=signature)
    data = data.map(lambda k: people(k, FIELD, 8, WIDE))
    assert data.element_spec.shape.as_list() == [None, *FIELD, 19]
    for view, maps in zip(views, data, strict=True):
        np.testing.assert_allclose(maps.numpy(), everybody(view), atol=1e-6)
