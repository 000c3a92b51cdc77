"""Places for people to stand in: muted textured backgrounds."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw


def background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A random place, uint8 (H, W, 3): wall and floor with gradient, stripes or blobs, things, and grain."""
    height, width = size
    top, bottom = _muted(rng), _muted(rng)
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    place = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (height, width, 3)).copy()
    if rng.random() < 0.7:
        horizon = int(rng.uniform(0.45, 0.85) * height)
        place[horizon:] = 0.35 * place[horizon:] + 0.65 * _muted(rng)
    texture = rng.choice(("plain", "stripes", "blobs", "tiles"), p=(0.15, 0.25, 0.35, 0.25))
    if texture == "stripes":
        place += _stripes(rng, size)
    elif texture == "blobs":
        place += _blobs(rng, size)
    elif texture == "tiles":
        place += _stripes(rng, size) * 0.7 + _stripes(rng, size) * 0.7
    image = Image.fromarray(np.clip(place, 0, 255).astype(np.uint8))
    _furnish(ImageDraw.Draw(image), rng, size)
    noise = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(0, 7)
    return np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)


def _muted(rng: np.random.Generator) -> np.ndarray:
    colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.03, 0.3), rng.uniform(0.4, 0.85))
    return np.array(colour, np.float32) * 255


def _stripes(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(9, 50)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
    return np.sign(wave)[..., None] * rng.uniform(4, 14) * rng.uniform(0.5, 1, 3).astype(np.float32)


def _blobs(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    cells = int(rng.integers(4, 18))
    coarse = rng.uniform(0, 255, (cells, cells + 2, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC), np.float32)
    grey = smooth.mean(axis=2, keepdims=True)
    return (0.3 * smooth + 0.7 * grey - 127.5) * rng.uniform(0.15, 0.5)


def _furnish(draw: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Boxes, windows, lamps: things that people are not."""
    height, width = size
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(-0.1, 0.9) * height
        w, h = rng.uniform(0.05, 0.3) * width, rng.uniform(0.05, 0.45) * height
        colour = tuple(int(channel) for channel in _muted(rng) * rng.uniform(0.6, 1.1))
        edge = tuple(int(channel * 0.7) for channel in colour)
        shape = draw.ellipse if rng.random() < 0.3 else draw.rectangle
        shape((x, y, x + w, y + h), fill=colour, outline=edge)
        if rng.random() < 0.4:
            draw.line((x + w / 2, y, x + w / 2, y + h), fill=edge, width=2)
