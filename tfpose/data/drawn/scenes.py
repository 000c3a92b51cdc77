"""One synthetic picture: a background, people and things painted from far to near, and the truth about every person."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from tfpose.data.drawn import figures, painting, props
from tfpose.data.drawn.backgrounds import background
from tfpose.data.drawn.canvas import Canvas
from tfpose.data.drawn.clothes import Clothes, draw_clothes
from tfpose.data.drawn.figures import Figure
from tfpose.data.drawn.visible import CROWD, MASK_ONLY, PERSON, Person, truths


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (H, W, 3), and its people."""

    image: np.ndarray
    people: tuple[Person, ...]


@dataclass(frozen=True)
class _Actor:
    figure: Figure
    clothes: Clothes
    role: str
    sits: bool


def scene(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """A random picture of `size` (height, width); the generator alone decides what it shows."""
    ground = background(rng, size)
    canvas = Canvas(ground)
    actors = _cast(rng, size, ground.reshape(-1, 3).mean(axis=0))
    for number, actor in enumerate(actors, 1):
        if actor.sits:
            props.seat(canvas, rng, actor.figure)
        painting.paint(canvas, actor.figure, actor.clothes, number)
        if actor.role == PERSON and rng.random() < 0.12:
            props.obstacle(canvas, rng, actor.figure)
    owners = canvas.owners()
    shown, roles = [actor.figure for actor in actors], [actor.role for actor in actors]
    return Scene(_light(rng, canvas.image()), tuple(truths(shown, roles, owners)))


def _cast(rng: np.random.Generator, size: tuple[int, int], colour: np.ndarray) -> list[_Actor]:
    """Who is in the picture, the far ones first."""
    if rng.random() < 0.03:
        return []
    actors = []
    if rng.random() < 0.1:
        actors += _crowd(rng, size, colour)
    if rng.random() < 0.12:
        actors.append(_actor(rng, size, colour, MASK_ONLY, rng.uniform(0.18, 0.28), []))
    placed: list[tuple] = []
    heights = np.sort(rng.uniform(0.4, 0.95, size=rng.choice((1, 2, 3, 4), p=(0.42, 0.33, 0.17, 0.08))))
    for share in heights:
        actor = _actor(rng, size, colour, PERSON, float(share), placed)
        if actor is not None:
            placed.append(actor.figure.extent())
            actors.append(actor)
    return actors


def _crowd(rng: np.random.Generator, size: tuple[int, int], colour: np.ndarray) -> list[_Actor]:
    """Small people side by side, far away, that count as one region."""
    height, width = size
    tall, count = rng.uniform(0.17, 0.24) * height, int(rng.integers(6, 11))
    left = rng.uniform(0.05, 0.9) * max(1.0, width - 0.28 * tall * count)
    feet = rng.uniform(0.5, 0.75) * height
    actors = []
    for index in range(count):
        figure = _figure(rng, tall * rng.uniform(0.88, 1.1), "stand")
        x, y, _, h = figure.extent()
        figure = figure.moved(left + 0.28 * tall * index - x, feet + rng.uniform(-0.05, 0.05) * tall - h - y)
        actors.append(_Actor(figure, draw_clothes(rng, colour), CROWD, False))
    return actors


def _actor(rng, size, colour, role: str, share: float, placed: list) -> _Actor | None:
    """A person of this share of the picture's height where few others are covered; None where no place is found."""
    height, width = size
    kind = figures.draw_kind(rng)
    figure = _figure(rng, share * height, kind)
    x, y, w, h = figure.extent()
    fit = share * height / h
    figure = replace(figure, points={k: p * fit for k, p in figure.points.items()}, scale=figure.scale * fit)
    x, y, w, h = figure.extent()
    leaves = role == PERSON and rng.random() < 0.13
    limit = 0.22 if rng.random() < 0.35 else 0.06
    for _ in range(14):
        left, top = rng.uniform(0, max(1.0, width - w)), rng.uniform(0.25, 1.0) * max(1.0, height - h)
        if leaves:
            left, top = _out(rng, size, (w, h), left, top)
        if all(_overlap((left, top, w, h), other) <= limit for other in placed):
            return _Actor(figure.moved(left - x, top - y), draw_clothes(rng, colour), role, kind == "sit")
    return None


def _out(rng, size, extent, left: float, top: float) -> tuple[float, float]:
    """A place that cuts off the feet, or one side."""
    (height, width), (w, h) = size, extent
    cut = rng.uniform(0.12, 0.4)
    if rng.random() < 0.6:
        return left, height - (1 - cut) * h
    return (-cut * w if rng.random() < 0.5 else width - (1 - cut) * w), top


def _overlap(a: tuple, b: tuple) -> float:
    """The intersection of two boxes as a share of the smaller."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(w, 0.0) * max(h, 0.0) / min(a[2] * a[3], b[2] * b[3])


def _figure(rng: np.random.Generator, height: float, kind: str) -> Figure:
    angles = figures.draw_angles(rng, kind)
    view = rng.random()
    # Half of the people face the viewer, a quarter turn the back, the others are seen from the side.
    centre, spread = (0.0, 28.0) if view < 0.6 else (180.0, 25.0) if view < 0.86 else (rng.choice((-75.0, 75.0)), 18.0)
    lean = rng.uniform(-35, 35) if rng.random() < 0.15 else rng.normal(0, 4)
    yaw, pitch, girth = rng.normal(centre, spread), rng.uniform(0, 14), rng.uniform(0.93, 1.2)
    return figures.pose(angles, yaw=yaw, roll=lean, pitch=pitch, height=height, girth=girth)


def _light(rng: np.random.Generator, image: Image.Image) -> np.ndarray:
    """The picture under a random light: tint, a gradient across, slight blur and grain."""
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 0.8))))
    height, width = image.height, image.width
    tint = rng.uniform(0.85, 1.1) * rng.uniform(0.95, 1.05, 3)
    across = 1 + rng.uniform(-0.12, 0.12) * np.linspace(-1, 1, width)
    gain = (across[:, None] * tint).astype(np.float32)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(0, 5)
    return np.clip(np.asarray(image, np.float32) * gain + grain, 0, 255).astype(np.uint8)
