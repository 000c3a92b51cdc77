"""COCO segmentations -> masks: polygons, run lengths (as lists or COCO's compressed text) and plain boxes."""

import numpy as np
from PIL import Image, ImageDraw


def union(segmentations, height: int, width: int) -> np.ndarray:
    """The pixels that any of the segmentations covers: (height, width) bool."""
    mask = np.zeros((height, width), bool)
    for segmentation in segmentations:
        mask |= decode(segmentation, height, width)
    return mask


def decode(segmentation, height: int, width: int) -> np.ndarray:
    """One segmentation as (height, width) bool; ValueError for run lengths of an image of another size."""
    if isinstance(segmentation, dict):
        return _runs(segmentation, height, width)
    if len(segmentation) == 4 and not isinstance(segmentation[0], (list, tuple)):
        x, y, w, h = segmentation
        segmentation = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    image = Image.new("1", (width, height))
    pen = ImageDraw.Draw(image)
    for polygon in segmentation:
        if len(polygon) >= 6:
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
            bits = data[place] - 48
            value |= (bits & 31) << shift
            more, shift, place = bool(bits & 32), shift + 5, place + 1
        if bits & 16:
            value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts
