"""A figure in clothes becomes painted parts, from the farthest to the nearest."""

import numpy as np

from tfpose.data.drawn.canvas import Canvas, owner
from tfpose.data.drawn.clothes import Clothes
from tfpose.data.drawn.figures import SIDES, Figure
from tfpose.data.drawn.heads import head_parts
from tfpose.data.drawn.shapes import CIRCLE, RIM, Colour, Part, around, capsule, limb, lit, shade


def paint(canvas: Canvas, figure: Figure, clothes: Clothes, person: int) -> None:
    """Paint the figure from its farthest part to its nearest."""
    for part in sorted(_parts(figure, clothes), key=lambda part: part.depth):
        for stroke, (points, colour) in enumerate(part.strokes):
            canvas.polygon(points, colour, owner(person, part.name) if stroke == 0 else None)


def _parts(figure: Figure, clothes: Clothes) -> list[Part]:
    parts = [*_trunk(figure, clothes), *head_parts(figure, clothes)]
    for side in SIDES:
        parts += _arm(figure, clothes, side) + _leg(figure, clothes, side)
    return parts


def _with(part: Part, *strokes: tuple[np.ndarray, Colour]) -> Part:
    return Part(part.name, part.depth, part.strokes + strokes)


def _arm(figure: Figure, clothes: Clothes, side: str) -> list[Part]:
    shoulder, elbow, wrist, hand = (f"{side}_{end}" for end in ("shoulder", "elbow", "wrist", "hand"))
    colour = clothes.sleeves if clothes.long_sleeves else clothes.skin
    upper = limb(figure, f"{side}_upper_arm", (shoulder, elbow), (0.041, 0.031), clothes.sleeves, 0.012)
    lower = limb(figure, f"{side}_forearm", (elbow, wrist), (0.030, 0.022), colour, 0.016)
    palm = limb(figure, f"{side}_hand", (wrist, hand), (0.021, 0.025), clothes.skin, 0.014)
    s, points = figure.scale * figure.girth, figure.points
    if clothes.long_sleeves:
        patch = points[elbow][:2] + 0.02 * s * CIRCLE, shade(lit(figure, lower.depth, colour), 0.7)
        cuff = points[wrist] + 0.16 * (points[elbow] - points[wrist])
        lower = _with(lower, patch, (capsule(cuff, points[wrist], 0.021 * s, 0.021 * s), clothes.mark))
    return [upper, lower, palm]


def _leg(figure: Figure, clothes: Clothes, side: str) -> list[Part]:
    hip, knee, ankle, heel, toe = (f"{side}_{end}" for end in ("hip", "knee", "ankle", "heel", "toe"))
    colour = clothes.trousers if clothes.long_trousers else clothes.skin
    thigh = limb(figure, f"{side}_thigh", (hip, knee), (0.060, 0.043), clothes.trousers, -0.03)
    shin = limb(figure, f"{side}_shin", (knee, ankle), (0.041, 0.028), colour, -0.02)
    foot = limb(figure, f"{side}_foot", (heel, toe), (0.026, 0.022), clothes.shoes, -0.018)
    s, points = figure.scale * figure.girth, figure.points
    if clothes.long_trousers:
        patch = points[knee][:2] + 0.027 * s * CIRCLE, shade(lit(figure, shin.depth, colour), 0.72)
        shin = _with(shin, patch)
    sock = points[ankle] + 0.14 * (points[knee] - points[ankle])
    shin = _with(shin, (capsule(sock, points[ankle], 0.028 * s, 0.028 * s), shade(clothes.shoes, 1.5)))
    return [thigh, shin, foot]


def _trunk(figure: Figure, clothes: Clothes) -> list[Part]:
    p, s = figure.points, figure.scale
    g, rim = s * figure.girth, RIM * s
    depth = float(p["waist"][2])
    hips = [(p["left_hip"], 0.062 * g), (p["right_hip"], 0.062 * g)]
    hips += [((p["left_hip"] + p["right_hip"]) / 2 * 0.6 + p["waist"] * 0.4, 0.065 * g)]
    chest = [(p["left_shoulder"], 0.038 * g), (p["right_shoulder"], 0.038 * g), (p["chest"], 0.075 * g)]
    chest += [(p["left_waist"], 0.052 * g), (p["right_waist"], 0.052 * g)]
    chest += [(p["neck"] * 0.8 + p["chest"] * 0.2, 0.036 * g)]
    strokes = []
    for circles, colour in ((hips, clothes.trousers), (chest, clothes.shirt)):
        inner = around(circles)
        strokes.append(((around((c, r + rim) for c, r in circles), shade(colour, 0.55)), (inner, colour)))
    mid = (p["chest"] + p["neck"]) / 2
    marks = _front(figure, clothes) if figure.trunk[2, 2] > 0.12 else _back(figure, clothes)
    neck = limb(figure, "neck", ("neck", "head"), (0.032, 0.03), shade(clothes.skin, 0.9), -0.02)
    trunk = Part("trunk", float(mid[2]) * 0.3 + 0.7 * depth - 0.001 * s, strokes[1] + marks)
    return [Part("pelvis", min(depth - 0.02 * s, trunk.depth - 0.01 * s), strokes[0]), trunk, neck]


def _on_trunk(figure: Figure, *places: tuple[float, float], z: float) -> np.ndarray:
    """Places (x to the left, y up from the pelvis, in heights) on the trunk's front or back, as pixels (n, 2)."""
    pelvis = (figure.points["left_hip"] + figure.points["right_hip"]) / 2
    local = np.array([(x, y, z) for x, y in places]) * figure.scale
    return (pelvis + local @ figure.trunk.T)[:, :2]


def _front(figure: Figure, clothes: Clothes) -> tuple:
    def place(*places):
        return _on_trunk(figure, *places, z=0.068)

    collar = (place((-0.035, 0.315), (0.035, 0.315), (0.0, 0.255)), clothes.skin)
    s, mark = figure.scale, clothes.mark
    if clothes.chest == "buttons":
        dots = place(*((0.0, y) for y in (0.22, 0.17, 0.12, 0.07)))
        return (collar, *((dot + 0.011 * s * CIRCLE, mark) for dot in dots))
    if clothes.chest == "tie":
        return collar, (place((-0.012, 0.26), (0.012, 0.26), (0.022, 0.1), (0.0, 0.07), (-0.022, 0.1)), mark)
    if clothes.chest == "zip":
        return collar, (place((-0.01, 0.26), (0.01, 0.26), (0.01, 0.03), (-0.01, 0.03)), mark)
    pocket = place((0.03, 0.23), (0.075, 0.23), (0.075, 0.185), (0.03, 0.185))
    return collar, (pocket, mark), (place((0.0, 0.15))[0] + 0.03 * s * CIRCLE, mark)


def _back(figure: Figure, clothes: Clothes) -> tuple:
    """A yoke across the shoulders; from the side nothing, for neither front nor back is seen."""
    if figure.trunk[2, 2] > -0.12:
        return ()
    yoke = _on_trunk(figure, (-0.095, 0.27), (0.095, 0.27), (0.09, 0.235), (-0.09, 0.235), z=-0.06)
    return ((yoke, shade(clothes.shirt, 0.72)),)
