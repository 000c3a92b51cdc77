"""Things that stand under people and in front of them."""

import numpy as np

from tfpose.data.drawn.canvas import Canvas
from tfpose.data.drawn.figures import SIDES, Figure
from tfpose.data.drawn.shapes import shade


def seat(canvas: Canvas, rng: np.random.Generator, figure: Figure) -> None:
    """A block below the pelvis of a person who sits."""
    hips = (figure.points["left_hip"] + figure.points["right_hip"])[:2] / 2
    s, colour = figure.scale, tuple(int(v) for v in rng.integers(60, 150, 3))
    half, feet = rng.uniform(0.13, 0.2) * s, max(figure.points[f"{side}_heel"][1] for side in SIDES)
    block = np.array([(-half, 0.03 * s), (half, 0.03 * s), (half, feet - hips[1]), (-half, feet - hips[1])])
    top = block * (1.06, 0.14) - (0, 0.02 * s)
    canvas.polygon(hips + block, shade(colour, 0.7), owner=0)
    canvas.polygon(hips + top, colour, owner=0)


def obstacle(canvas: Canvas, rng: np.random.Generator, figure: Figure) -> None:
    """A box, a ball or a pole in front of a hand, a foot or a knee."""
    name = str(rng.choice([f"{side}_{joint}" for side in SIDES for joint in ("wrist", "ankle", "knee", "elbow")]))
    s, centre = figure.scale, figure.points[name][:2] + rng.normal(0, 0.02, 2) * figure.scale
    w, h = rng.uniform(0.06, 0.13, 2) * s
    colour = tuple(int(v) for v in rng.integers(40, 190, 3))
    corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h)])
    shape = str(rng.choice(("box", "ball", "pole")))
    if shape == "ball":
        corners = min(w, h) * np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)
    elif shape == "pole":
        corners = np.array([(-0.025, -3), (0.025, -3), (0.025, 3), (-0.025, 3)]) * s
    canvas.polygon(centre + corners * 1.06, shade(colour, 0.5), owner=0)
    canvas.polygon(centre + corners, colour)
