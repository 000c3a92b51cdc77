"""Blurred cells: OpenCV's pictures to the last bit that matters, drawn where the keypoint is and nowhere else."""

import cv2
import numpy as np
import pytest

from tfpose.decode import topdown
from tfpose.encode.blurred import heatmaps, visible, weights

GRID, STRIDE = (64, 48), 4
widths = pytest.mark.parametrize("width", [15, 11, 9, 7, 5])


def people(count=3, keypoints=17) -> np.ndarray:
    """Keypoints (count, keypoints, 3) anywhere in a view of 256 x 192, all visible."""
    points = np.random.default_rng(0).uniform(-0.5, [191.4, 255.4], (count, keypoints, 2))
    return np.concatenate([points, np.full((count, keypoints, 1), 2)], axis=-1).astype(np.float32)


def keypoint(x, y, v=2) -> np.ndarray:
    return np.array([[[x, y, v]]], np.float32)


def by_opencv(x, y, width) -> np.ndarray:
    """What the published code draws; its coordinates count from the corner of the first pixel."""
    drawn = np.zeros(GRID, np.float32)
    drawn[int((y + 0.5) / STRIDE), int((x + 0.5) / STRIDE)] = 1
    # Newer versions have a table entry for 9 cells too; a deviation that is given is never looked up.
    deviation = 0.15 * width + 0.35 if width > 7 else 0
    drawn = cv2.GaussianBlur(drawn, (width, width), deviation)
    return drawn / drawn.max()


@widths
def test_a_map_is_the_one_that_opencv_smooths_up_to_the_border(width):
    corners = [[0, 0, 2], [191, 0, 2], [2, 255, 2], [7, 9, 2], [186, 250, 2]]
    keypoints = np.concatenate([people(1)[0], np.array(corners, np.float32)])
    maps = heatmaps(keypoints, GRID, STRIDE, width).numpy()
    for k, (x, y, _) in enumerate(keypoints):
        np.testing.assert_allclose(maps[..., k], by_opencv(x, y, width), atol=2e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_has_the_maps_of_its_people(count):
    whole = heatmaps(people(count), GRID, STRIDE, 7).numpy()
    assert whole.shape == (count, *GRID, 17) and whole.dtype == np.float32
    for one, maps in zip(people(count), whole):
        np.testing.assert_array_equal(heatmaps(one, GRID, STRIDE, 7).numpy(), maps)


@widths
def test_the_peak_is_one_in_the_cell_that_the_keypoint_lies_in(width):
    inner = np.clip(people(), 0, [130, 190, 2]) + np.float32([30, 30, 0])
    maps = heatmaps(inner, GRID, STRIDE, width).numpy()
    assert (maps.max(axis=(1, 2)) == 1).all()
    error = topdown.decode(maps, STRIDE, "none")[..., :2] - inner[..., :2]
    assert np.abs(error).max() <= STRIDE / 2 + 1e-4


@pytest.mark.parametrize(("x", "cell"), [(-0.5, 0), (3.4, 0), (79.4, 19), (79.6, 20), (83.4, 20), (191.4, 47)])
def test_the_cell_is_the_one_whose_pixels_are_around_the_keypoint(x, cell):
    assert heatmaps(keypoint(x, 100), GRID, STRIDE, 5).numpy()[0, 25, :, 0].argmax() == cell


@pytest.mark.parametrize("absent", [(80, 120, 0), (-0.6, 120, 2), (191.6, 120, 2), (80, -3, 2), (80, 256, 1)])
def test_a_keypoint_that_is_absent_or_outside_the_view_draws_nothing_and_weighs_nothing(absent):
    assert not heatmaps(keypoint(*absent), GRID, STRIDE, 9).numpy().any()
    assert not weights(keypoint(*absent), GRID, STRIDE).numpy().any()


def test_hidden_keypoints_are_drawn_and_weigh_until_only_visible_ones_are_asked_for():
    hidden = keypoint(80, 120, 1)
    assert heatmaps(hidden, GRID, STRIDE, 9).numpy().max() == 1 and weights(hidden, GRID, STRIDE).numpy() == 1
    assert not heatmaps(visible(hidden), GRID, STRIDE, 9).numpy().any()
    np.testing.assert_array_equal(visible(people()), people())
