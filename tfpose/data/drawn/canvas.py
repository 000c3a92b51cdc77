"""A canvas that knows, for every pixel, which part of whom is on top."""

import numpy as np
from PIL import Image, ImageDraw

from tfpose.data.drawn.figures import SIDES
from tfpose.data.drawn.shapes import Colour

PARTS = ("trunk", "pelvis", "neck", "head", "hair") + tuple(
    f"{side}_{part}" for side in SIDES for part in ("ear", "upper_arm", "forearm", "hand", "thigh", "shin", "foot")
)
PARTS_PER_PERSON = 32  # an owner is person * 32 + part, so one division gives the person
_SUPERSAMPLING = 2


class Canvas:
    """A picture painted at twice its size, and beside it the owner of every pixel (0: nobody)."""

    def __init__(self, background: np.ndarray):
        height, width = background.shape[:2]
        large = (width * _SUPERSAMPLING, height * _SUPERSAMPLING)
        self._image = Image.fromarray(background).resize(large, Image.Resampling.BILINEAR)
        self._owner = Image.new("I", (width, height))
        self._paint, self._claim = ImageDraw.Draw(self._image), ImageDraw.Draw(self._owner)

    def polygon(self, points: np.ndarray, colour: Colour, owner: int | None = None) -> None:
        """Fill the polygon (n, 2); where `owner` is given its pixels change hands."""
        self._paint.polygon(((points + 0.5) * _SUPERSAMPLING - 0.5).ravel().tolist(), fill=colour)
        if owner is not None:
            self._claim.polygon(points.ravel().tolist(), fill=owner)

    def image(self) -> Image.Image:
        """The picture in its true size."""
        return self._image.reduce(_SUPERSAMPLING)

    def owners(self) -> np.ndarray:
        """Who is on top, int (H, W): person * 32 + index of the part + 1, persons from 1; 0 is nobody."""
        return np.array(self._owner)


def owner(person: int, part: str) -> int:
    """The number under which a part of a person (counted from 1) owns pixels."""
    return person * PARTS_PER_PERSON + PARTS.index(part) + 1
