"""COCO segmentations -> masks: polygons, run lengths (as lists or COCO's compressed text) and plain boxes."""

import numpy as np
from PIL import Image, ImageDraw

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
        return _polygons(segmentation, height, width)
    if finite(segmentation) and len(segmentation) == 4:
        return _box(segmentation, height, width)
    raise ValueError(f"expected polygons, run lengths or a box, found {segmentation!r:.80}")


def _box(box: list, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie in the box."""
    x, y, w, h = box
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    return (columns > x) & (columns < x + w) & (rows > y) & (rows < y + h)


def _polygons(polygons: list, height: int, width: int) -> np.ndarray:
    image = Image.new("1", (width, height))
    pen = ImageDraw.Draw(image)
    for polygon in polygons:
        if len(polygon) >= 6 and len(polygon) % 2 == 0:
            # COCO's vertices lie on pixel corners, Pillow's on centres.
            pen.polygon([v - 0.5 for v in polygon], fill=1)
    return np.asarray(image, bool)


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
