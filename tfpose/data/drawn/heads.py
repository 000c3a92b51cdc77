"""A head from any side: hair, face and ears on an ellipsoid."""

import numpy as np

from tfpose.data.drawn.clothes import Clothes
from tfpose.data.drawn.figures import SIDES, Figure
from tfpose.data.drawn.shapes import CIRCLE, Part, hull, limb, shade

_HEAD = np.array([0.056, 0.078, 0.066])  # half axes of the head
_HAIRLINE = np.array([0.0, 0.72, -0.69]), 0.16  # hair grows where axis . normal exceeds the offset


def head_parts(figure: Figure, clothes: Clothes) -> list[Part]:
    """Head, ears and long hair, each with its depth."""
    s, head, p = figure.scale, figure.head, figure.points
    depth = float(p["head"][2])
    # Whichever of face and hair is turned to the viewer is convex in the picture: it goes over the other.
    axis, offset = _HAIRLINE
    facing = float((head @ (axis / _HEAD))[2]) < 0
    below, above = (clothes.hair, clothes.skin) if facing else (clothes.skin, clothes.hair)
    everything = _skull(figure, axis, -2.0)
    upper = _skull(figure, -axis, -offset) if facing else _skull(figure, axis, offset)
    rim = p["head"][:2] + (everything - p["head"][:2]) * 1.09
    strokes = [(rim, shade(clothes.hair, 0.5)), (everything, below)]
    if len(upper) > 2:
        strokes.append((upper, above))
    parts = [Part("head", depth + 0.02 * s, tuple(strokes) + _face(figure, clothes))]
    if clothes.long_hair:
        back = {"top": p["head"] + s * head @ (0, 0.01, -0.03), "tip": p["head"] + s * head @ (0, -0.1, -0.04)}
        hair = Figure(back, figure.trunk, head, s, 1.0)
        parts.append(limb(hair, "hair", ("top", "tip"), (0.06, 0.052), clothes.hair, 0.0))
    for side in SIDES:
        ear = p[f"{side}_ear"]
        rings = ((0.021, shade(clothes.skin, 0.5)), (0.016, clothes.skin), (0.008, shade(clothes.skin, 0.65)))
        strokes = tuple((ear[:2] + radius * s * CIRCLE * (0.8, 1.1), colour) for radius, colour in rings)
        parts.append(Part(f"{side}_ear", depth + (0.03 if ear[2] > depth else -0.005) * s, strokes))
    return parts


def faces_viewer(figure: Figure, name: str, margin: float = 0.08) -> bool:
    """Whether the head's surface at an eye, an ear or the nose is turned to the viewer (negative margin: nearly)."""
    local = figure.head.T @ (figure.points[name] - figure.points["head"]) / (figure.scale * _HEAD)
    normal = figure.head @ (local / _HEAD)
    return float(normal[2] / np.linalg.norm(normal)) > margin


def _skull(figure: Figure, axis: np.ndarray, offset: float) -> np.ndarray:
    """The hull (n, 2) of the seen part of the head where axis . normal > offset, the head being an ellipsoid."""
    view = figure.head[2] / _HEAD
    rim = _ring(view, 0.0)
    rim = rim[rim @ axis > offset]
    edge = np.empty((0, 3))
    if abs(offset) < 1:
        edge = _ring(axis, offset)
        edge = edge[edge @ view > 0]
    normals = np.concatenate([rim, edge])
    if len(normals) < 3:
        return np.empty((0, 2))
    return hull((figure.points["head"] + figure.scale * (normals * _HEAD) @ figure.head.T)[:, :2])


def _ring(axis: np.ndarray, offset: float) -> np.ndarray:
    """Unit vectors (32, 3) whose product with the unit axis is `offset`."""
    axis = axis / np.linalg.norm(axis)
    u = np.cross(axis, (1.0, 0.0, 0.0) if abs(axis[0]) < 0.8 else (0.0, 1.0, 0.0))
    u /= np.linalg.norm(u)
    angle = np.arange(32) * np.pi / 16
    around = np.outer(np.cos(angle), u) + np.outer(np.sin(angle), np.cross(axis, u))
    return offset * axis + np.sqrt(1 - offset**2) * around


def _face(figure: Figure, clothes: Clothes) -> tuple:
    s, strokes = figure.scale, []
    centre = figure.points["head"]
    mouth = [centre + s * figure.head @ (x, y, 0.056) for x, y in ((-0.018, -0.038), (0.018, -0.038), (0.0, -0.047))]
    if figure.head[2, 2] > 0.1:
        strokes.append((np.array(mouth)[:, :2], (150, 50, 50)))
    for side in SIDES:
        if faces_viewer(figure, f"{side}_eye"):
            eye = figure.points[f"{side}_eye"][:2]
            strokes += [(eye + 0.0155 * s * CIRCLE, (245, 245, 245)), (eye + 0.0095 * s * CIRCLE, (20, 20, 30))]
    if faces_viewer(figure, "nose"):
        strokes.append((figure.points["nose"][:2] + 0.011 * s * CIRCLE, shade(clothes.skin, 0.62)))
    return tuple(strokes)
