"""COCO segmentations -> masks: polygons, run lengths (as lists or COCO's compressed text) and plain boxes; or a PNG."""

import io

import numpy as np
from PIL import Image

from tfpose.data.faults import finite


def union(segmentations, height: int, width: int) -> np.ndarray:
    """The pixels that any of the segmentations covers: (height, width) bool."""
    mask = np.zeros((height, width), bool)
    for segmentation in segmentations:
        _add(mask, segmentation)
    return mask


def decode(segmentation, height: int, width: int) -> np.ndarray:
    """One segmentation as (height, width) bool; ValueError for one of no known form, or of an image of another size."""
    return union([segmentation], height, width)


def _add(mask: np.ndarray, segmentation) -> None:
    if isinstance(segmentation, dict) and {"size", "counts"} <= set(segmentation):
        mask |= _runs(segmentation, *mask.shape)
    elif isinstance(segmentation, list) and all(finite(polygon) for polygon in segmentation):
        for polygon in segmentation:
            if len(polygon) >= 6 and len(polygon) % 2 == 0:
                _add_polygon(mask, polygon)
    elif finite(segmentation) and len(segmentation) == 4:
        x, y, w, h = (*segmentation[:2], *np.maximum(segmentation[2:], 0))
        _add_polygon(mask, [x, y, x + w, y, x + w, y + h, x, y + h])
    elif isinstance(segmentation, bytes):
        with Image.open(io.BytesIO(segmentation)) as drawn:
            mask |= np.asarray(drawn, bool)
    else:
        raise ValueError(f"expected polygons, run lengths or a box, found {segmentation!r:.80}")


def _add_polygon(mask: np.ndarray, polygon: list) -> None:
    """The pixels whose centres it encloses, by the even-odd rule; only where it is, because most people are small."""
    start = np.array(polygon, np.float64).reshape(-1, 2)
    left, top = np.clip(np.floor(start.min(axis=0)), 0, mask.shape[::-1]).astype(int)
    right, bottom = np.clip(np.ceil(start.max(axis=0)), 0, mask.shape[::-1]).astype(int)
    (x, y), (x_end, y_end) = start.T, np.roll(start, -1, axis=0).T
    rows = np.arange(top, bottom)[:, None] + 0.5
    row, edge = np.nonzero((y <= rows) != (y_end <= rows))
    along = (rows[row, 0] - y[edge]) / (y_end - y)[edge]
    crossing = np.ceil(x[edge] + along * (x_end - x)[edge] - 0.5) - left
    flips = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.add.at(flips, (row, np.clip(crossing, 0, right - left).astype(int)), 1)
    # Eight bits overflow, and stay odd or even.
    mask[top:bottom, left:right] |= np.cumsum(flips, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1


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
