"""What a drawn person wears: colours and cuts that stand out from the ground and tell front from back."""

import colorsys
from dataclasses import dataclass

import numpy as np

from tfpose.data.drawn.shapes import Colour

_SKINS = ((255, 219, 190), (241, 194, 155), (222, 170, 125), (190, 130, 90), (141, 90, 60), (96, 62, 44))
_HAIRS = ((30, 24, 22), (70, 44, 26), (120, 74, 38), (190, 150, 80), (150, 62, 30), (110, 110, 112))


@dataclass(frozen=True)
class Clothes:
    """The colours and cuts of one person's appearance."""

    skin: Colour
    hair: Colour
    shirt: Colour
    sleeves: Colour
    trousers: Colour
    shoes: Colour
    mark: Colour
    long_sleeves: bool
    long_trousers: bool
    long_hair: bool
    chest: str  # what the front shows: "buttons" | "logo" | "tie" | "zip"


def draw_clothes(rng: np.random.Generator, ground: np.ndarray) -> Clothes:
    """Random clothes for somebody before a ground of this mean colour (3,)."""
    shirt, trousers = _vivid(rng, ground), _vivid(rng, ground)
    while np.abs(np.subtract(shirt, trousers)).sum() < 120:
        trousers = _vivid(rng, ground)
    mark = (250, 245, 230) if sum(shirt) < 380 else (25, 25, 45)
    sleeves = shirt if rng.random() < 0.6 else _vivid(rng, ground)
    shoes = tuple(int(v) for v in rng.integers(15, 110, 3))
    skin, hair = _SKINS[rng.integers(len(_SKINS))], _HAIRS[rng.integers(len(_HAIRS))]
    if np.abs(np.subtract(skin, hair)).sum() < 150:
        skin = _SKINS[0]
    cuts = rng.random(3) < (0.5, 0.6, 0.35)
    chest = str(rng.choice(("buttons", "logo", "tie", "zip")))
    return Clothes(skin, hair, shirt, sleeves, trousers, shoes, mark, *map(bool, cuts), chest)


def _vivid(rng: np.random.Generator, ground: np.ndarray) -> Colour:
    """A saturated, a dark or a light colour well away from the mean colour (3,) of the ground."""
    while True:
        saturation, value = rng.uniform(0.45, 1.0), rng.uniform(0.35, 1.0)
        if rng.random() < 0.2:
            saturation, value = rng.uniform(0.0, 0.1), rng.choice((0.12, 0.97))
        colour = np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value)) * 255
        if np.abs(colour - ground).sum() > 150:
            return tuple(int(channel) for channel in colour)
