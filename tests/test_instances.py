"""Maps of boxes keep their keypoints: sums, places and shapes, as scikit-image's blur would leave them."""

import numpy as np
import pytest
import tensorflow as tf

from tfpose.decode import assign
from tfpose.encode import instances

GRID, KINDS = (56, 36), 17
BOXES = np.float32([[40, 30, 120, 200], [90, 60, 60, 150]])


def drawn(candidates, boxes=BOXES, margin=0.21):
    return instances.inputs(np.float32(candidates), np.float32(boxes), GRID, margin, KINDS).numpy()


def scene(seed, count=30):
    draw = np.random.default_rng(seed)
    points = draw.uniform((95, 60), (140, 200), (count, 2))
    return np.column_stack([draw.integers(0, KINDS, count), points, np.ones(count)]).astype(np.float32)


def skimage(cells, sigma):
    """Kernels cut at four standard deviations that sum to 1, one axis after the other, nothing beyond the border."""
    span = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    kernel = np.exp(-0.5 * (span / sigma) ** 2)
    for axis in (0, 1):
        cells = np.apply_along_axis(np.convolve, axis, cells, kernel / kernel.sum(), "same")
    return cells


def test_maps_are_single_cells_blurred_as_scikit_image_does():
    cells = np.zeros(GRID)
    cells[20, 10] = cells[3, 35] = 1
    x, y = (np.array([10, 35]) + 0.5) / 36 * 36 - 0.5, np.array([20, 3])
    maps = drawn(np.column_stack([[5, 5], x, y, [1, 1]]), [[0, 0, 36, 56]], margin=0)
    assert np.allclose(maps[0, ..., 5], skimage(cells, 1), atol=1e-6)
    own = np.zeros((1, KINDS, 3), np.float32)
    own[0, 5] = 10, 20, 2
    target = instances.targets(own, np.float32([[0, 0, 36, 56]]), GRID, 0.0).numpy()
    cells[3, 35] = 0
    assert np.allclose(target[0, ..., 5], skimage(cells, 2), atol=1e-6)


def test_the_peak_of_a_candidates_map_is_its_cell_in_every_box():
    for kind, x, y, score in scene(1, 10):
        maps = drawn([[kind, x, y, score]])
        place = assign.places(np.array([[kind, x, y, score]]), BOXES, 0.21)[:, 0]
        for box, (px, py) in zip(maps[..., int(kind)], place):
            assert np.unravel_index(box.argmax(), GRID) == (int(py * 56), int(px * 36))


def test_a_candidate_outside_the_enlarged_box_draws_nothing():
    beyond = [[0, 40 - 0.3 * 120, 100, 1]]
    assert drawn(beyond).sum() == 0
    assert drawn(beyond, margin=0.5)[0].sum() == pytest.approx(1, abs=1e-3)


def test_a_row_without_a_score_draws_nothing():
    candidates = np.concatenate([scene(2), np.zeros((5, 4), np.float32)])
    assert np.array_equal(drawn(candidates), drawn(scene(2)))


def test_the_order_of_candidates_does_not_matter_and_equal_cells_count_once():
    candidates = scene(3)
    again = np.concatenate([candidates[::-1], candidates])
    assert np.allclose(drawn(candidates), drawn(again), atol=1e-6)


def test_maps_do_not_change_where_everything_moves_or_grows():
    candidates, boxes = scene(4).astype(float), BOXES.astype(float)
    moved = (candidates * [1, 2, 2, 1] + [0, 0.5 + 64, 0.5 + 32, 0], boxes * 2 + [64, 32, 0, 0])
    assert np.allclose(drawn(candidates), drawn(*moved), atol=1e-6)


def test_batches_of_boxes_are_the_boxes_one_by_one():
    batch = np.stack([scene(5), scene(6)])
    together = instances.inputs(batch, np.stack([BOXES, BOXES[::-1]]), GRID, 0.21, KINDS)
    assert np.allclose(together[1], drawn(scene(6), BOXES[::-1]))


def test_targets_have_a_sum_of_one_for_each_keypoint_that_is_labelled():
    own = np.zeros((2, KINDS, 3), np.float32)
    own[0, 3] = own[1, 4] = 110, 120, 1
    sums = instances.targets(own, BOXES, GRID, 0.21).numpy().sum(axis=(1, 2))
    assert np.allclose(sums, np.eye(KINDS)[[3, 4]], atol=1e-5)


def test_the_maps_are_made_in_a_graph():
    made = tf.function(lambda c, b: instances.inputs(c, b, GRID, 0.21, KINDS), reduce_retracing=True)
    assert np.allclose(made(scene(7), BOXES), drawn(scene(7)))
