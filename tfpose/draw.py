"""Pictures for people to look at: skeletons and heatmaps on an image, and many images on one sheet."""

import numpy as np
from PIL import Image, ImageDraw

from tfpose.poses import Poses, bounds
from tfpose.skeleton import Skeleton

# Left is warm, right is cool: a mirrored person is seen at a glance.
LEFT, RIGHT, MIDDLE = (255, 112, 32), (24, 148, 255), (240, 240, 240)
SHADE = (16, 16, 16)
BOX = (120, 230, 90)
SEEN = 0.3  # a keypoint with a lower score is not drawn


def draw_poses(
    image: np.ndarray, poses: Poses, skeleton: Skeleton, threshold: float = SEEN, *, boxes: bool = False
) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 with limbs and keypoints whose score is above the threshold."""
    height, width = image.shape[:2]
    factor = int(np.clip(np.sqrt(9e6 / (height * width)), 1, 3))
    layer = Image.new("RGBA", (width * factor, height * factor))
    pen = ImageDraw.Draw(layer)
    for keypoints, box in zip(poses.keypoints, poses.boxes):
        if boxes:
            _box(pen, box, factor)
        _person(pen, keypoints, skeleton, threshold, factor)
    picture = Image.fromarray(image).convert("RGBA")
    picture.alpha_composite(layer.reduce(factor))
    return np.asarray(picture.convert("RGB"))


def draw_heatmaps(image: np.ndarray, heatmaps: np.ndarray, strength: float = 0.75) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 under the largest of its heatmaps (h, w, K), cells stretched over it."""
    largest = np.clip(np.asarray(heatmaps, np.float32).max(axis=-1), 0, 1)
    # Pillow resizes from corner to corner, as a grid of cells lies on its image.
    values = np.asarray(Image.fromarray(largest).resize(image.shape[1::-1], Image.Resampling.BILINEAR))[..., None]
    weight = strength * np.sqrt(np.clip(values, 0, 1))
    return np.rint(image * (1 - weight) + colour_map(values[..., 0]) * weight).astype(np.uint8)


def draw_fields(image: np.ndarray, pafs: np.ndarray, strength: float = 0.75) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 under part affinity fields (h, w, 2L), cells stretched over it.

    Of each cell the longest vector of all limbs is shown: its length as brightness, its direction as a colour (red to
    the right, then clockwise green, blue and back).
    """
    fields = np.asarray(pafs, np.float32).reshape(*pafs.shape[:2], -1, 2)
    lengths = np.hypot(fields[..., 0], fields[..., 1])
    best = lengths.argmax(axis=2)[..., None]
    longest = np.take_along_axis(fields, best[..., None], axis=2)[:, :, 0]
    length = np.clip(np.take_along_axis(lengths, best, axis=2), 0, 1)
    angle = np.arctan2(longest[..., 1], longest[..., 0])[..., None]
    colours = 0.5 + 0.5 * np.cos(angle - np.array([0, 2, 4]) * np.pi / 3)
    layers = [Image.fromarray(np.rint(255 * c).astype(np.uint8)) for c in (colours, length[..., 0])]
    # Pillow resizes from corner to corner, as a grid of cells lies on its image.
    tint, weight = (np.asarray(c.resize(image.shape[1::-1], Image.Resampling.BILINEAR), np.float32) for c in layers)
    weight = strength * np.sqrt(weight / 255)[..., None]
    return np.rint(image * (1 - weight) + tint * weight).astype(np.uint8)


def tile(images: list[np.ndarray], columns: int, size: tuple[int, int], gap: int = 4) -> np.ndarray:
    """One sheet of all images, each fitted into a (height, width) place, `columns` to a row, on dark ground."""
    if not images:
        raise ValueError("a contact sheet needs at least one image; found none")
    rows = -(-len(images) // columns)
    height, width = size[0] + gap, size[1] + gap
    sheet = Image.new("RGB", (columns * width + gap, rows * height + gap), (24, 24, 28))
    for i, image in enumerate(images):
        fitted = _fitted(image, size)
        left = gap + (i % columns) * width + (size[1] - fitted.width) // 2
        sheet.paste(fitted, (left, gap + (i // columns) * height + (size[0] - fitted.height) // 2))
    return np.asarray(sheet)


def colour_map(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as RGB (..., 3) float32 of 0 to 255: dark blue, magenta, orange, pale yellow."""
    stops = np.array([[10, 5, 60], [120, 25, 125], [215, 50, 90], [255, 150, 40], [255, 250, 180]], np.float32)
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, at, channel) for channel in stops.T], axis=-1).astype(np.float32)


def side(name: str) -> str:
    """ "left", "right" or "middle": the side of the body a keypoint's name tells."""
    return name.split("_")[0] if name.startswith(("left_", "right_")) else "middle"


def colour(*names: str) -> tuple[int, int, int]:
    """The colour of a keypoint or of a limb given by its ends: a side's where no end is on the other side."""
    sides = {side(name) for name in names} - {"middle"}
    return {"left": LEFT, "right": RIGHT}[sides.pop()] if len(sides) == 1 else MIDDLE


def _person(pen: ImageDraw.ImageDraw, keypoints: np.ndarray, skeleton: Skeleton, threshold: float, factor: int) -> None:
    known = keypoints[:, 2] > threshold
    if not known.any():
        return
    width = factor * max(1.5, 0.02 * bounds(keypoints[known])[2:].max())
    points = (keypoints[:, :2] + 0.5) * factor - 0.5
    limbs = [limb for limb in skeleton.pairs if known[limb].all()]
    for shade in (True, False):  # every outline first, so that no limb is cut by its neighbour's
        for a, b in limbs:
            fill = SHADE if shade else colour(skeleton.keypoints[a], skeleton.keypoints[b])
            # A short limb, as between the eyes, is drawn thin.
            thin = min(width, max(factor, 0.25 * np.hypot(*(points[a] - points[b]))))
            _line(pen, points[a], points[b], thin + 0.6 * width * shade, fill)
    for i in np.flatnonzero(known):
        near = [np.hypot(*(points[a] - points[b])) for a, b in limbs if i in (a, b)]
        radius = min(0.8 * width, max(factor, 0.2 * max(near, default=np.inf)))
        _disc(pen, points[i], radius + 0.25 * width, SHADE)
        _disc(pen, points[i], radius, colour(skeleton.keypoints[i]))


def _line(pen: ImageDraw.ImageDraw, a: np.ndarray, b: np.ndarray, width: float, fill: tuple) -> None:
    along = b - a
    across = np.array([-along[1], along[0]]) * (width / 2 / max(np.hypot(*along), 1e-6))
    pen.polygon([tuple(p) for p in (a + across, b + across, b - across, a - across)], fill=(*fill, 255))
    for end in (a, b):
        _disc(pen, end, width / 2, fill)


def _disc(pen: ImageDraw.ImageDraw, centre: np.ndarray, radius: float, fill: tuple) -> None:
    pen.ellipse((*(centre - radius), *(centre + radius)), fill=(*fill, 255))


def _box(pen: ImageDraw.ImageDraw, box: np.ndarray, factor: int) -> None:
    x, y, w, h = (float(v) * factor for v in box)
    if w > 0 and h > 0:
        pen.rectangle((x, y, x + w - 1, y + h - 1), outline=(*BOX, 255), width=max(factor, round(0.006 * h)))


def _fitted(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    width, height = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
