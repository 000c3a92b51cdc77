"""COCO segmentations: the masks are pycocotools'."""

import numpy as np
import pytest
from pycocotools import mask as reference

from tfpose.data import masks

SIZE = (37, 53)


def blob(seed: int) -> np.ndarray:
    """A mask of some discs."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    centres = random.uniform((5, 5), (SIZE[0] - 5, SIZE[1] - 5), (3, 2))
    return np.any([np.hypot(rows - y, columns - x) < random.uniform(4, 12) for y, x in centres], axis=0)


def polygon(seed: int) -> list[float]:
    """A star about the middle, corners at any fraction of a pixel."""
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, 12))
    radii = random.uniform(8, 17, 12)
    return np.column_stack([26 + radii * np.cos(angles), 18 + radii * np.sin(angles)]).ravel().tolist()


@pytest.mark.parametrize("seed", range(6))
def test_compressed_run_lengths_are_exact(seed):
    mask = blob(seed)
    packed = reference.encode(np.asfortranarray(mask))
    for counts in (packed["counts"], packed["counts"].decode()):
        assert np.array_equal(masks.decode({"size": list(SIZE), "counts": counts}, *SIZE), mask)


@pytest.mark.parametrize("seed", range(3))
def test_run_lengths_as_a_list_are_exact(seed):
    flat = np.concatenate([[0], blob(seed).T.ravel(), [2]])  # down the columns, from a run of zeros on
    edges = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    assert np.array_equal(masks.decode({"size": list(SIZE), "counts": counts}, *SIZE), blob(seed))


@pytest.mark.parametrize("seed", range(6))
def test_polygons_cover_what_pycocotools_says(seed):
    expected = reference.decode(reference.merge(reference.frPyObjects([polygon(seed)], *SIZE))).astype(bool)
    found = masks.decode([polygon(seed)], *SIZE)
    assert (found & expected).sum() / (found | expected).sum() > 0.94


def test_a_square_polygon_and_its_box_cover_the_same_pixels_as_pycocotools():
    box = [10, 5, 20, 8]
    expected = reference.decode(reference.frPyObjects(np.array([box], float), *SIZE))[..., 0].astype(bool)
    square = [[10, 5, 30, 5, 30, 13, 10, 13]]
    assert np.array_equal(masks.decode(box, *SIZE), expected)
    assert np.array_equal(masks.decode(square, *SIZE), expected)


def test_a_polygon_may_leave_the_image():
    assert masks.decode([[-10, -10, 3, -10, 3, 90, -10, 90]], *SIZE).sum() == 3 * SIZE[0]


def test_a_box_that_leaves_the_image_is_cut():
    assert masks.decode([-10, -10, 15, 12], *SIZE).sum() == 5 * 2


def test_a_box_without_area_covers_nothing():
    assert not masks.decode([10, 10, -5, -5], *SIZE).any() and not masks.decode([10, 10, 0, 5], *SIZE).any()


def test_the_union_covers_what_any_covers():
    both = masks.union([[0, 0, 2, 3], [1, 0, 2, 3]], *SIZE)
    assert both.sum() == 9 and not masks.union([], *SIZE).any()


BROKEN = {
    "of size": {"size": [3, 4], "counts": [12]},
    "run lengths of 5 pixels": {"size": list(SIZE), "counts": [2, 3]},
    "end within a number": {"size": list(SIZE), "counts": "o"},
    "expected polygons": {"points": []},
    "found 'text'": "text",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_segmentation_is_refused_with_a_reason(line):
    with pytest.raises(ValueError, match=line):
        masks.decode(BROKEN[line], *SIZE)


def test_real_segmentations_are_pycocotools(real_data):
    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    folder = real_data / "coco"
    split = coco.load(folder / "annotations/person_keypoints_val2017.json", folder / "val2017", COCO17)
    shares = []
    for record in (r for r in split.records if r.ignore):
        height, width = record.height, record.width
        parts = [reference.frPyObjects(s, height, width) for s in record.ignore]
        runs = [run for part in parts for run in (part if isinstance(part, list) else [part])]
        expected, found = reference.decode(reference.merge(runs)).astype(bool), record.ignore_mask()
        shares.append((found & expected).sum() / (found | expected).sum())
    assert len(shares) > 10 and np.mean(shares) > 0.97
