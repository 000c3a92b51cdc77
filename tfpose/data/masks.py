"""COCO segmentations -> masks: polygons, run lengths (as lists or COCO's compressed text) and plain boxes."""

import numpy as np

from tfpose.data.faults import finite


def union(segmentations, height: int, width: int) -> np.ndarray:
    """The pixels that any of the segmentations covers: (height, width) bool."""
    mask = np.zeros((height, width), bool)
    for segmentation in segmentations:
        mask |= decode(segmentation, height, width)
    return mask


def decode(segmentation, height: int, width: int) -> np.ndarray:
    """One segmentation as (height, width) bool; ValueError for one of no known form, or of an image of another size."""
    if isinstance(segmentation, dict) and {"size", "counts"} <= set(segmentation):
        return _runs(segmentation, height, width)
    if isinstance(segmentation, list) and all(finite(polygon) for polygon in segmentation):
        parts = [p for p in segmentation if len(p) >= 6 and len(p) % 2 == 0]
        return np.any([np.zeros((height, width), bool), *(_polygon(p, height, width) for p in parts)], axis=0)
    if finite(segmentation) and len(segmentation) == 4:
        return _box(segmentation, height, width)
    raise ValueError(f"expected polygons, run lengths or a box, found {segmentation!r:.80}")


def _box(box: list, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie in the box."""
    x, y, w, h = box
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    return (columns > x) & (columns < x + w) & (rows > y) & (rows < y + h)


def _polygon(polygon: list, height: int, width: int) -> np.ndarray:
    """The pixels whose centres it encloses, by the even-odd rule."""
    start = np.array(polygon, np.float64).reshape(-1, 2)
    (x, y), (x_end, y_end) = start.T, np.roll(start, -1, axis=0).T
    rows = np.arange(height)[:, None] + 0.5
    row, edge = np.nonzero((y <= rows) != (y_end <= rows))
    along = (row + 0.5 - y[edge]) / (y_end - y)[edge]
    crossing = x[edge] + along * (x_end - x)[edge]
    flips = np.zeros((height, width + 1), np.int64)
    np.add.at(flips, (row, np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)), 1)
    return np.cumsum(flips, axis=1)[:, :width] % 2 == 1


def _runs(segmentation: dict, height: int, width: int) -> np.ndarray:
    if list(segmentation["size"]) != [height, width]:
        raise ValueError(f"run lengths of size {segmentation['size']}, of an image of size {[height, width]}")
    counts = segmentation["counts"]
    counts = counts if isinstance(counts, list) else _numbers(counts)
    values = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(values, counts)
    if flat.size != height * width:
        raise ValueError(f"run lengths of {flat.size} pixels, of an image of {height * width}")
    return flat.reshape(width, height).T  # COCO runs down the columns


def _numbers(text: str | bytes) -> list[int]:
    """COCO's compressed counts: five bits a character, from 48 on, each number from the third on a difference."""
    data = text.encode() if isinstance(text, str) else text
    counts, place = [], 0
    while place < len(data):
        value, shift, more = 0, 0, True
        while more:
            if place == len(data):
                raise ValueError("compressed run lengths that end within a number")
            bits = data[place] - 48
            value |= (bits & 31) << shift
            more, shift, place = bool(bits & 32), shift + 5, place + 1
        if bits & 16:
            value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts
