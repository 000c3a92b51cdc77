"""THE coordinate convention: an integer coordinate is a pixel centre, and every change of frame is one `Affine`.

With that rule mirroring, scaling, letterboxing, cropping and the stride of a grid are all affine maps, and no other
half pixel appears anywhere in the package. Points are (x, y), sizes (height, width), boxes (x, y, w, h).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Affine:
    """A map of points, source -> view: `matrix` is (2, 3) float64 and acts on columns (x, y, 1)."""

    matrix: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """The points (..., 2) in the other frame, float64."""
        points = np.asarray(points, np.float64)
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def __matmul__(self, first: "Affine") -> "Affine":
        """`self @ first` applies `first`, then `self`."""
        return Affine(self.matrix[:, :2] @ first.matrix + np.pad(self.matrix[:, 2:], ((0, 0), (2, 0))))

    @property
    def inverse(self) -> "Affine":
        """The map back, view -> source."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return Affine(np.concatenate([linear, -linear @ self.matrix[:, 2:]], axis=1))

    @property
    def magnification(self) -> float:
        """View pixels per source pixel, the root of the change of area."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))


def translation(x: float, y: float) -> Affine:
    """Moves every point by (x, y) pixels."""
    return Affine(np.array([[1, 0, x], [0, 1, y]], np.float64))


def scaling(x: float, y: float) -> Affine:
    """Scales about the frame's origin in points, not about the corner of a pixel: see `resizing` for images."""
    return Affine(np.array([[x, 0, 0], [0, y, 0]], np.float64))


def rotation(degrees: float) -> Affine:
    """Turns about the origin, clockwise as seen on a screen (y points down)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Affine(np.array([[cos, -sin, 0], [sin, cos, 0]], np.float64))


def mirroring(width: int) -> Affine:
    """Left-right mirroring of an image `width` pixels wide: column 0 becomes column width - 1."""
    return Affine(np.array([[-1, 0, width - 1], [0, 1, 0]], np.float64))


def resizing(x: float, y: float) -> Affine:
    """Scales an image: pixel corners stay corners, so a coordinate c becomes (c + 0.5) * factor - 0.5."""
    return Affine(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]], np.float64))


def stride(cells: float) -> Affine:
    """Image pixels -> cells of a grid with that many pixels per cell."""
    return resizing(1 / cells, 1 / cells)


def letterbox(source: tuple[int, int], view: tuple[int, int]) -> Affine:
    """Fits the whole source (height, width) into the view, aspect kept, centred."""
    factor = min(view[0] / source[0], view[1] / source[1])
    margin = [(v - s * factor) / 2 for s, v in zip(source, view)]
    return translation(margin[1], margin[0]) @ resizing(factor, factor)


def crop(
    box, view: tuple[int, int], *, padding: float = 1.25, turn: float = 0.0, scale: float = 1.0, shift=(0.0, 0.0)
) -> Affine:
    """Brings the box (x, y, w, h), grown to the view's aspect and by `padding`, onto the view (height, width).

    `turn` (degrees, clockwise), `scale` (magnification) and `shift` (fractions of the padded box) are about its centre.
    """
    x, y, w, h = (float(v) for v in box)
    aspect = view[1] / view[0]
    width = max(w, h * aspect, 1e-6) * padding / scale
    factor = view[1] / width
    centre = np.array([x + w / 2 - 0.5, y + h / 2 - 0.5]) + np.array(shift) * (width, width / aspect)
    middle = translation((view[1] - 1) / 2, (view[0] - 1) / 2)
    return middle @ rotation(turn) @ scaling(factor, factor) @ translation(*-centre)


def warp(image: np.ndarray, affine: Affine, size: tuple[int, int]) -> np.ndarray:
    """The view (height, width, C) of an image, bilinear, zero outside; uint8 in, uint8 out, else float32.

    It is the reference that the TensorFlow, OpenCV and Pillow warps are held to.
    """
    rows, columns = np.mgrid[: size[0], : size[1]]
    points = affine.inverse.apply(np.stack([columns, rows], axis=-1))
    image, points = _seen(image, points)
    padded = np.pad(image.astype(np.float32), ((1, 1), (1, 1), (0, 0)))
    limits = np.array([image.shape[1], image.shape[0]])
    points = np.clip(points, -1, limits) + 1
    low = np.minimum(points.astype(np.int64), limits)
    fx, fy = np.moveaxis((points - low)[..., None].astype(np.float32), 2, 0)
    x, y = low[..., 0], low[..., 1]
    top = padded[y, x] * (1 - fx) + padded[y, x + 1] * fx
    bottom = padded[y + 1, x] * (1 - fx) + padded[y + 1, x + 1] * fx
    view = top * (1 - fy) + bottom * fy
    return np.rint(view).astype(np.uint8) if image.dtype == np.uint8 else view


def _seen(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that the points touch, and the points in it: a person is a small part of most photos."""
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(points.min(axis=(0, 1))).astype(int), 0, limits - 1)
    high = np.clip(np.floor(points.max(axis=(0, 1))).astype(int) + 2, low + 1, limits)
    return image[low[1] : high[1], low[0] : high[0]], points - low
