"""One articulated person as geometry: joint angles within human limits, and the keypoints they give in space.

The body stands in its own frame, x to its left, y up, z to its front, with a standing height of 1. A camera turn maps
that to picture axes: x right, y down, z towards the viewer, so a person who faces the viewer has the left side on the
right.
"""

from dataclasses import dataclass, replace

import numpy as np

SIDES = {"left": 1.0, "right": -1.0}
# Lowest and highest degrees of (flexion, abduction, inward turn, elbow or knee), after clinical ranges of motion.
ARM_LIMITS = ((-45.0, 175.0), (-10.0, 170.0), (-90.0, 80.0), (0.0, 145.0))
LEG_LIMITS = ((-30.0, 115.0), (-10.0, 45.0), (-30.0, 30.0), (0.0, 135.0))
NECK_LIMITS = ((-60.0, 60.0), (-25.0, 30.0), (-20.0, 20.0))
KINDS = ("stand", "walk", "arms_up", "one_arm_up", "akimbo", "star", "reach", "sit", "lunge")
_KIND_SHARES = (0.2, 0.18, 0.1, 0.12, 0.09, 0.1, 0.07, 0.07, 0.07)


@dataclass(frozen=True)
class Angles:
    """The joint angles of one person in degrees; an arm or leg is (flexion, abduction, inward turn, elbow or knee)."""

    kind: str
    left_arm: tuple[float, ...]
    right_arm: tuple[float, ...]
    left_leg: tuple[float, ...]
    right_leg: tuple[float, ...]
    neck: tuple[float, float, float]  # turn to the left, nod down, tilt
    spine: tuple[float, float, float]  # bend forward, bend to the side, twist


@dataclass(frozen=True)
class Figure:
    """A person: named points (3,) in pixels (x right, y down, z to the viewer), and how trunk and head turn."""

    points: dict[str, np.ndarray]
    trunk: np.ndarray  # (3, 3) body axes -> picture axes
    head: np.ndarray
    scale: float  # pixels per standing height
    girth: float  # thickness of body and limbs, 1 is the average

    def moved(self, x: float, y: float) -> "Figure":
        """The same figure shifted by (x, y) pixels."""
        offset = np.array([x, y, 0.0])
        return replace(self, points={name: point + offset for name, point in self.points.items()})

    def extent(self) -> tuple[float, float, float, float]:
        """The box (x, y, w, h) in pixels that holds every point and the flesh around it."""
        flat = np.array([point[:2] for point in self.points.values()])
        low, high = flat.min(axis=0) - 0.03 * self.scale, flat.max(axis=0) + 0.03 * self.scale
        return (*low.tolist(), *(high - low).tolist())


def about(axis: str, degrees: float) -> np.ndarray:
    """The (3, 3) right-handed turn about one axis, "x", "y" or "z"."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rows = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]]}
    return np.array(rows.get(axis, [[c, -s, 0], [s, c, 0], [0, 0, 1]]), dtype=np.float64)


def draw_kind(rng: np.random.Generator) -> str:
    """One of KINDS: standing and walking are more common than the others."""
    return str(rng.choice(KINDS, p=_KIND_SHARES))


def draw_angles(rng: np.random.Generator, kind: str) -> Angles:
    """Random joint angles of one kind of pose, all within the limits."""
    low_arm = (0, 19, 10, 25), (14, 8, 13, 18)  # centre and spread of an arm that hangs
    high_arm = (0, 140, -25, 35), (12, 18, 20, 28)
    arms, legs = [low_arm, low_arm], [((0, 5, -4, 4), (5, 4, 5, 5))] * 2
    if kind == "walk":
        step = rng.uniform(14, 32)
        arms = [((-step, 9, 15, 25), (5, 4, 8, 15)), ((step, 9, 15, 35), (5, 4, 8, 15))]
        legs = [((step, 2, 0, 10), (4, 2, 4, 6)), ((-0.7 * step, 2, 0, 28), (4, 2, 4, 12))]
    elif kind == "arms_up":
        arms = [high_arm, high_arm]
    elif kind == "one_arm_up":
        arms = [high_arm, low_arm]
    elif kind == "akimbo":
        arms = [((-12, 48, 68, 95), (6, 6, 6, 10))] * 2
    elif kind == "star":
        arms, legs = [((0, 85, -40, 25), (8, 25, 40, 25))] * 2, [((4, 20, -8, 10), (6, 7, 6, 10))] * 2
    elif kind == "reach":
        arms = [((75, 12, 10, 25), (18, 10, 10, 20)), low_arm]
    elif kind == "sit":
        arms, legs = [((25, 14, 25, 50), (12, 6, 15, 20))] * 2, [((82, 9, 0, 82), (9, 5, 4, 9))] * 2
    elif kind == "lunge":
        legs = [((62, 6, 0, 75), (10, 4, 4, 10)), ((-16, 5, 0, 35), (7, 3, 4, 12))]
    if rng.random() < 0.5:
        arms, legs = arms[::-1], legs[::-1]
    neck = tuple(float(v) for v in np.clip(rng.normal(0, (16, 6, 5)), *np.transpose(NECK_LIMITS)))
    spine = (float(rng.uniform(-3, 14)), float(rng.normal(0, 5)), float(rng.normal(0, 7)))
    limbs = [_near(rng, *arm, ARM_LIMITS) for arm in arms] + [_near(rng, *leg, LEG_LIMITS) for leg in legs]
    return Angles(kind, *limbs, neck, spine)


def _near(rng, centre, spread, limits) -> tuple[float, ...]:
    return tuple(float(v) for v in np.clip(rng.normal(centre, spread), *np.transpose(limits)))


def pose(angles: Angles, *, yaw: float, roll: float, pitch: float, height: float, girth: float = 1.0) -> Figure:
    """The figure of these angles, `height` pixels tall if it stood, turned by `yaw` (0 faces the viewer, 90 the right).

    `roll` leans it to the picture's left (degrees), `pitch` looks at it from above. Its pelvis is at (0, 0).
    """
    camera = np.diag([1.0, -1.0, 1.0]) @ about("z", roll) @ about("x", pitch)
    body = camera @ about("y", yaw)
    bend, side, twist = angles.spine
    trunk = body @ about("z", side) @ about("x", bend) @ about("y", twist)
    turn, nod, tilt = angles.neck
    head = trunk @ about("y", turn) @ about("x", nod - 0.5 * bend) @ about("z", tilt)
    points = _trunk_points(body, trunk, head)
    for side_name, sign in SIDES.items():
        _add_arm(points, trunk, side_name, sign, getattr(angles, f"{side_name}_arm"))
        _add_leg(points, body, side_name, sign, getattr(angles, f"{side_name}_leg"))
    return Figure({name: point * height for name, point in points.items()}, trunk, head, height, girth)


def _trunk_points(body: np.ndarray, trunk: np.ndarray, head: np.ndarray) -> dict[str, np.ndarray]:
    points = {"chest": trunk @ (0, 0.22, 0.012), "neck": trunk @ (0, 0.315, 0.0), "waist": trunk @ (0, 0.06, 0)}
    centre = points["neck"] + head @ (0, 0.108, 0.012)
    points |= {"head": centre, "nose": centre + head @ (0, -0.012, 0.068), "crown": centre + head @ (0, 0.078, 0)}
    for name, sign in SIDES.items():
        points[f"{name}_shoulder"] = trunk @ (sign * 0.108, 0.285, 0.0)
        points[f"{name}_hip"] = body @ (sign * 0.062, 0.0, 0.0)
        points[f"{name}_waist"] = trunk @ (sign * 0.05, 0.035, 0.0)
        points[f"{name}_eye"] = centre + head @ (sign * 0.026, 0.012, 0.053)
        points[f"{name}_ear"] = centre + head @ (sign * 0.061, -0.004, -0.004)
    return points


def _add_arm(points: dict, trunk: np.ndarray, name: str, sign: float, arm: tuple[float, ...]) -> None:
    flexion, abduction, inward, elbow = arm
    upper = trunk @ about("z", sign * abduction) @ about("x", -flexion) @ about("y", -sign * inward)
    lower = upper @ about("x", -elbow)
    points[f"{name}_elbow"] = points[f"{name}_shoulder"] + upper @ (0, -0.165, 0)
    points[f"{name}_wrist"] = points[f"{name}_elbow"] + lower @ (0, -0.15, 0)
    points[f"{name}_hand"] = points[f"{name}_wrist"] + lower @ (0, -0.045, 0.006)


def _add_leg(points: dict, body: np.ndarray, name: str, sign: float, leg: tuple[float, ...]) -> None:
    flexion, abduction, inward, knee = leg
    upper = body @ about("z", sign * abduction) @ about("x", -flexion) @ about("y", -sign * inward)
    lower = upper @ about("x", knee)
    points[f"{name}_knee"] = points[f"{name}_hip"] + upper @ (0, -0.24, 0)
    points[f"{name}_ankle"] = points[f"{name}_knee"] + lower @ (0, -0.235, 0)
    points[f"{name}_heel"] = points[f"{name}_ankle"] + lower @ (0, -0.03, -0.012)
    points[f"{name}_toe"] = points[f"{name}_ankle"] + lower @ (sign * 0.012, -0.036, 0.075)
