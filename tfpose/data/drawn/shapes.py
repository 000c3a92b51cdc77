"""Flesh for bones: outlines of capsules and hulls, shaded colours, and the limb they make."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfpose.data.drawn.figures import Figure

Colour = tuple[int, int, int]
RIM = 0.007  # the dark line around every part, of the standing height
CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)


@dataclass(frozen=True)
class Part:
    """One body part to paint: polygons (n, 2) in pixels with their colours, the first of them the whole silhouette."""

    name: str
    depth: float
    strokes: tuple[tuple[np.ndarray, Colour], ...]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made lighter (above 1) or darker."""
    return tuple(int(min(255.0, max(0.0, value * factor))) for value in colour)


def capsule(p: np.ndarray, q: np.ndarray, start: float, end: float) -> np.ndarray:
    """The outline (n, 2) of the hull of a circle of radius `start` at p and one of radius `end` at q."""
    offset = q[:2] - p[:2]
    length = float(np.hypot(*offset))
    if length <= abs(start - end) + 1e-6:
        centre, radius = (p, start) if start > end else (q, end)
        return centre[:2] + radius * CIRCLE
    middle, half = np.arctan2(offset[1], offset[0]), np.arccos((start - end) / length)
    back = np.linspace(middle + half, middle + 2 * np.pi - half, 9)
    front = np.linspace(middle - half, middle + half, 9)
    arcs = [(p, start, back), (q, end, front)]
    return np.concatenate([c[:2] + r * np.stack([np.cos(a), np.sin(a)], axis=1) for c, r, a in arcs])


def hull(points: np.ndarray) -> np.ndarray:
    """The convex hull (m, 2) of points (n, 2), by the monotone chain."""
    ordered = sorted(map(tuple, points.tolist()))
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for x, y in sequence:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], (x, y)) <= 0:
                chain.pop()
            chain.append((x, y))
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _turn(a, b, c) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def around(circles: Iterable[tuple[np.ndarray, float]]) -> np.ndarray:
    return hull(np.concatenate([centre[:2] + radius * CIRCLE for centre, radius in circles]))


def lit(figure: Figure, depth: float, colour: Colour) -> Colour:
    """Nearer limbs are lighter, so that the picture tells which of two legs is in front."""
    return shade(colour, 1.0 + 1.3 * float(np.clip(depth / figure.scale, -0.16, 0.1)))


def limb(
    figure: Figure, name: str, ends: tuple[str, str], radii: tuple[float, float], colour: Colour, bias=0.0
) -> Part:
    """A tapered capsule: dark rim, colour, and a lighter strip towards the light."""
    p, q = (figure.points[end] for end in ends)
    s, depth = figure.scale, float(p[2] + q[2]) / 2
    start, end = (radius * s * figure.girth for radius in radii)
    colour = lit(figure, depth, colour)
    rim, light = RIM * s, np.array([-0.3, -0.25, 0.0])
    strokes = [(capsule(p, q, start + rim, end + rim), shade(colour, 0.55)), (capsule(p, q, start, end), colour)]
    strokes += [(capsule(p + light * start, q + light * end, 0.45 * start, 0.45 * end), shade(colour, 1.14))]
    return Part(name, depth + bias * s, tuple(strokes))
