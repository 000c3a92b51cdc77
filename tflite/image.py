"""Photographs at the edge: reading one, and the fast warp, by OpenCV where it is installed and else by Pillow.

Both warps agree with the reference `tfpose.geometry.warp` to one grey level, and so does a network's input.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from tfpose.geometry import Affine
from tfpose.predict import read_image

try:
    import cv2
except ImportError:
    cv2 = None

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def read(path: Path | str) -> np.ndarray:
    """A photo as RGB uint8 (H, W, 3), upright as its EXIF orientation says; ValueError names a file that is none."""
    return read_image(Path(path), upright=True)


def photos(paths: list[Path]) -> list[Path]:
    """All photos of files and folders, folders sorted by name; ValueError where a folder has none."""
    found = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: found no photo, expected one of {', '.join(SUFFIXES)}; give another folder")
        found += inside
    return found


def warp(image: np.ndarray, affine: Affine, size: tuple[int, int]) -> np.ndarray:
    """The view (height, width, 3) uint8 of an RGB image, bilinear, zero outside: `geometry.warp`, but fast."""
    return warp_by_pillow(image, affine, size) if cv2 is None else warp_by_opencv(image, affine, size)


def warp_by_opencv(image: np.ndarray, affine: Affine, size: tuple[int, int]) -> np.ndarray:
    """The view (height, width, 3) uint8 by OpenCV, which has pixel centres at whole numbers, as we have."""
    return cv2.warpAffine(image, affine.matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def warp_by_pillow(image: np.ndarray, affine: Affine, size: tuple[int, int]) -> np.ndarray:
    """The view (height, width, 3) uint8 by Pillow, which counts from pixel corners and copies what it is given."""
    back = affine.inverse
    corners = back.apply([(x, y) for x in (0, size[1] - 1) for y in (0, size[0] - 1)])
    # One pixel of zeros stays around the image, so that its edge fades as in the reference and is not repeated.
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)), -1, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, limits + 1).astype(int)
    inside, end = np.clip(low, 0, limits - 1), np.minimum(high, limits)
    part = Image.fromarray(image[inside[1] : end[1], inside[0] : end[0]])
    part = part.crop((*(low - inside), *(high - inside)))
    linear = back.matrix[:, :2]
    offset = back.matrix[:, 2] - low + 0.5 - linear @ (0.5, 0.5)
    data = (*linear[0], offset[0], *linear[1], offset[1])
    view = part.transform(size[::-1], Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(view)
