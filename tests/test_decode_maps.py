"""Maps and boxes of a mirrored view and of other scales, and maps on finer grids, say the same as the view itself."""

import bodies
import numpy as np
import pytest
from perfect import told

from benchmarks.ideal import drawn, standing
from tfpose import geometry
from tfpose.anchors import anchors
from tfpose.decode import boxes, maps
from tfpose.decode.pafs import Pafs
from tfpose.poses import mapped_boxes
from tfpose.skeleton import OPENPOSE18, Skeleton

STRIDE, GRID = 8, (32, 40)
VIEW = (GRID[0] * STRIDE, GRID[1] * STRIDE)
PEOPLE = standing(3, VIEW, bodies.body())
# The second limb's mirror image is itself, turned about.
TURNED = Skeleton(
    "turned",
    ("left_a", "right_a", "b"),
    (("left_a", "b"), ("left_a", "right_a"), ("right_a", "b")),
    (0.1, 0.1, 0.1),
)


def outputs(people, skeleton=OPENPOSE18, grid=GRID, **options):
    return dict(zip(("heatmaps", "pafs"), drawn(people, skeleton.pairs, grid, **options)))


def same(first, second, tolerance=1e-5):
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].dtype == second[name].dtype == np.float32
        assert np.abs(first[name] - second[name]).max() < tolerance, name


@pytest.mark.parametrize("skeleton, people", [(OPENPOSE18, PEOPLE), (TURNED, PEOPLE[:, 5:8])], ids=["", "turned"])
def test_the_maps_of_a_mirrored_view_turned_back_are_those_of_the_view(skeleton, people):
    mirrored = people[:, list(skeleton.mirror)].copy()
    mirrored[..., :2] = geometry.mirroring(VIEW[1]).apply(mirrored[..., :2])
    same(maps.unmirrored(outputs(mirrored, skeleton), skeleton), outputs(people, skeleton))


def test_turning_back_twice_changes_nothing_alone_or_in_a_batch():
    plain = outputs(PEOPLE)
    same(maps.unmirrored(maps.unmirrored(plain, OPENPOSE18), OPENPOSE18), plain)
    batch = {name: np.stack([values, values]) for name, values in plain.items()}
    twice = maps.unmirrored(maps.unmirrored(batch, OPENPOSE18), OPENPOSE18)
    same({name: values[1] for name, values in twice.items()}, plain)


def test_the_mean_of_the_same_maps_is_these_maps():
    plain, here = outputs(PEOPLE), geometry.scaling(1, 1)
    same(maps.averaged([plain, plain], [here, here], GRID), plain)


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_ramp_read_on_another_grid_is_the_same_ramp_up_to_its_edge(scale):
    grid = tuple(int(side * scale) for side in GRID)
    there = geometry.resizing(scale, scale)
    rows, columns = np.mgrid[: grid[0], : grid[1]].astype(np.float32)
    ramp = {"heatmaps": there.inverse.apply(np.stack([columns, rows], axis=-1)).astype(np.float32)}
    read = maps.averaged([ramp], [there], GRID)["heatmaps"][1:-1, 1:-1]
    assert np.abs(read - np.mgrid[: GRID[0], : GRID[1]][::-1].transpose(1, 2, 0)[1:-1, 1:-1]).max() < 1e-4


def test_beyond_the_edge_maps_are_read_as_at_the_edge():
    ones = {"heatmaps": np.ones((*GRID, 2), np.float32)}
    read = maps.averaged([ones], [geometry.translation(0.9, -0.9)], GRID)["heatmaps"]
    assert np.abs(read - 1).max() < 1e-6


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_a_cell_that_one_of_several_views_does_not_reach_is_the_mean_of_the_others(scale):
    middle = geometry.translation(0.5 * (1 - scale) * 19, 0.5 * (1 - scale) * 13)
    closer, own = middle @ geometry.scaling(scale, scale), geometry.scaling(1, 1)
    threes, fives = ({"heatmaps": np.full((14, 20, 2), value, np.float32)} for value in (3, 5))
    found = maps.averaged([threes, fives], [closer, own], (14, 20))["heatmaps"]
    assert found[7, 10] == pytest.approx([4, 4]) and found.dtype == np.float32
    assert found[0, 0] == pytest.approx([5, 5] if scale > 1 else [4, 4])


def test_people_in_the_mean_of_two_scales_are_where_they_are_in_one():
    double = PEOPLE.copy()
    double[..., :2] = geometry.resizing(2, 2).apply(PEOPLE[..., :2])
    twice = outputs(double, grid=(2 * GRID[0], 2 * GRID[1]), sigma=14, reach=16)
    both = maps.averaged([outputs(PEOPLE), twice], [geometry.resizing(1, 1), geometry.resizing(2, 2)], GRID)
    found = Pafs(OPENPOSE18, STRIDE).one(**both)
    far = np.abs(found.keypoints[:, None, :, :2] - PEOPLE[..., :2]).max(axis=(2, 3)).min(axis=0)
    assert len(found) == 3 and far.max() < 0.5


def test_finer_maps_of_a_ramp_are_a_finer_ramp_and_of_one_value_that_value():
    rows, columns = np.mgrid[: GRID[0], : GRID[1]].astype(np.float32)
    fine = maps.upsampled(np.stack([columns, rows, np.ones(GRID, np.float32)], axis=-1), 3)
    rows, columns = np.mgrid[: 3 * GRID[0], : 3 * GRID[1]]
    exact = geometry.stride(3).apply(np.stack([columns, rows], axis=-1))
    assert fine.shape == (96, 120, 3) and np.abs(fine[..., 2] - 1).max() < 1e-5
    assert np.abs(fine[..., :2] - exact)[6:-6, 6:-6].max() < 1e-4


ANYBODY = np.array([[20, 30, 60, 150], [150, 10, 100, 200], [260, 60, 40, 90]], np.float32)


def found(outputs, size):
    people, scores = boxes.detections(outputs["boxes"], outputs["scores"], anchors(size), size, score=0.5)
    return people[np.argsort(people[:, 0])], scores


@pytest.mark.parametrize("width", [384, 320, 352])
def test_boxes_of_a_mirrored_view_turned_back_are_those_of_the_view_though_anchors_are_others(width):
    size = (256, width)
    there = told(mapped_boxes(ANYBODY, geometry.mirroring(width)), size)
    back = maps.unmirrored(there, OPENPOSE18, size)
    np.testing.assert_allclose(found(back, size)[0], ANYBODY, atol=0.01)
    if width % 128 == 0:
        here = told(ANYBODY, size)
        assert all(np.abs(back[name] - here[name]).max() < 1e-3 for name in here)


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_boxes_of_several_scales_are_all_taken_together_and_everybody_is_found_once(scale):
    size, other = (256, 320), (int(256 * scale), int(320 * scale))
    there = geometry.resizing(scale, scale)
    outputs = told(ANYBODY[:2], size), told(mapped_boxes(ANYBODY[1:], there), other)
    both = maps.pooled(outputs, [size, other], [geometry.scaling(1, 1), there.inverse], size)
    assert both["boxes"].shape == outputs[0]["boxes"].shape and both["scores"].dtype == np.float32
    np.testing.assert_allclose(found(both, size)[0], ANYBODY, atol=0.01)


def test_boxes_of_one_view_taken_together_are_that_views_with_their_scores():
    size = (256, 320)
    plain = told(ANYBODY, size)
    again = maps.pooled([plain, plain], [size, size], [geometry.scaling(1, 1)] * 2, size)
    for here, there in zip(found(plain, size), found(again, size), strict=True):
        np.testing.assert_allclose(there, here, atol=1e-3)
