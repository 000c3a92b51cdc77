"""A person's part of a photo: as much of it, and as fine, as augmentation can ever look at.

A view shows a box, times its padding and the scale that chance drew, moved and turned; a circle around the largest such
view holds all of them. Of a photo that is finer than views at scale 1 crops are made smaller.
"""

import io
from dataclasses import replace

import numpy as np
from PIL import Image, JpegImagePlugin

from tfpose.data.augment import HALF_BODY_PADDING, LOWER
from tfpose.data.reach import Reach

BLOCK = 16  # pixels to a block of a JPEG: a crop that begins with one has the same blocks, and loses little
EDGE = 2  # pixels that a view's border is interpolated from
WORTH = 0.9  # a crop that would not be smaller than this is left as it is


def reach(size: tuple[int, int], padding: float, augment=None, *, margin: float = 0.0, detail: float = 1.0) -> Reach:
    """The reach of views of a size (height, width) around padded boxes, as `augment` moves them (None: not at all).

    `detail` is how many pixels a crop has to one of such a view at scale 1.
    """
    aspect, fine = size[1] / size[0], detail * size[1] / padding
    if augment is None:
        return Reach(aspect, padding, 0.0, 0.0, (0.0, 0.0), False, fine, margin)
    high = augment.scale[1]
    half = HALF_BODY_PADDING * high if augment.half_body else 0.0
    turned = bool((augment.rotation and augment.rotation_chance) or augment.turn_around_chance)
    common = {"shift": float(augment.shift), "extension": tuple(map(float, augment.extension)), "turned": turned}
    around = padding * max(high, 1.0)  # validation, which chance does not scale, looks at them too
    return Reach(aspect, around, half, **common, detail=fine, margin=margin)


def sufficient(records, view: str, size: tuple[int, int], padding: float, augment=None) -> None:
    """Raises ValueError where records are crops that lack what such views look at, or that no such view is made of."""
    made = {r.reach for r in records if r.reach}
    if made and view != "person":
        raise ValueError("data: shards of persons' crops, but this system sees whole photos; write shards with --whole")
    wanted = reach(size, padding, augment)
    for found in made:
        if not found.holds(wanted):
            raise ValueError(
                f"data: shards of crops for other views than are asked for; they were cut for {found}, these need "
                f"{wanted}: write them with this configuration"
            )


def region(box: np.ndarray, keypoints: np.ndarray, reach: Reach, names: tuple[str, ...], size) -> tuple[int, ...]:
    """What the views of a person need of a photo of size (height, width): left, top, right, bottom in whole pixels."""
    if reach.margin:
        corners = np.array([_sides(box, box[2:] * reach.margin / 2)])
    else:
        known = keypoints[:, 2] > 0
        lower = np.array([name.endswith(LOWER) for name in names])
        halves = [keypoints[known & part, :2] for part in (lower, ~lower) if reach.half and (known & part).any()]
        boxes = [(box, reach.around)] + [(_around(points), reach.half) for points in halves]
        corners = np.array([_sides(b, _extent(b, around, reach)) for b, around in boxes])
    edge = EDGE / fineness(box, reach)
    low, high = np.floor(corners[:, :2].min(axis=0) - edge), np.ceil(corners[:, 2:].max(axis=0) + edge)
    limit = np.array(size[::-1])
    low = np.clip(low // BLOCK * BLOCK, 0, (limit - 1) // BLOCK * BLOCK)
    high = np.clip(high, low + 1, limit)
    return (*low.astype(int).tolist(), *high.astype(int).tolist())


def fineness(box: np.ndarray, reach: Reach) -> float:
    """Pixels of a crop to a pixel of the photo: 1, or less where a person is larger than views show it."""
    factor = reach.detail / max(box[2], box[3] * reach.aspect, 1e-6)
    return 1.0 if factor >= WORTH else float(factor)


def _around(points: np.ndarray) -> np.ndarray:
    low = points.min(axis=0)
    return np.concatenate([low, points.max(axis=0) - low])


def _extent(box: np.ndarray, around: float, reach: Reach) -> np.ndarray:
    """How far to both sides of a box's centre its views may look, along x and along y."""
    grown = box[2:] * (1 + np.array(reach.extension))
    wide = max(grown[0], grown[1] * reach.aspect, 1e-6) * around
    view = np.array([wide, wide / reach.aspect])
    half = np.full(2, np.hypot(*view) / 2) if reach.turned else view / 2
    return half + reach.shift * view


def _sides(box: np.ndarray, extent: np.ndarray) -> np.ndarray:
    centre = box[:2] + box[2:] / 2
    return np.concatenate([centre - extent, centre + extent])


def cut(record, person: int, photo: Image.Image, content: bytes, reach: Reach, names, quality: int) -> tuple:
    """(record of one person alone, its crop as an image file) of a photo; what is the whole photo stays as it is."""
    box, keypoints = record.boxes[person], record.keypoints[person]
    left, top, right, bottom = region(box, keypoints, reach, names, (record.height, record.width))
    factor = fineness(box, reach)
    size = tuple(max(1, int(side * factor)) for side in (right - left, bottom - top))
    if size == photo.size:
        return _alone(record, person, np.zeros(2), 1.0, size), content
    crop = photo.convert("RGB").crop((left, top, right, bottom))
    if size != crop.size:  # what is less than a pixel of the crop is left off, so that both sides shrink alike
        ends = np.minimum(np.array(size) / factor, crop.size)
        crop = crop.resize(size, Image.Resampling.BILINEAR, box=(0, 0, *ends.tolist()))
    return _alone(record, person, np.array([left, top]), factor, size), _jpeg(crop, photo, quality)


def _alone(record, person: int, corner: np.ndarray, scale: float, size: tuple[int, int]):
    keypoints = record.keypoints[person].astype(np.float64)
    keypoints[:, :2] = (keypoints[:, :2] + 0.5 - corner) * scale - 0.5
    keypoints[keypoints[:, 2] == 0, :2] = 0
    box = record.boxes[person].astype(np.float64)
    box = np.concatenate([(box[:2] - corner) * scale, box[2:] * scale])
    return replace(
        record,
        width=size[0],
        height=size[1],
        keypoints=keypoints[None].astype(np.float32),
        boxes=box[None].astype(np.float32),
        areas=record.areas[person : person + 1] * np.float32(scale**2),
        annotation_ids=record.annotation_ids[person : person + 1],
        ignore=(),
        heads=(),
        unposed=np.zeros((0, 4), np.float32),
        bodies=(),
    )


def _jpeg(crop: Image.Image, photo: Image.Image, quality: int) -> bytes:
    """The crop as a JPEG with the photo's own sampling of colours, and with all of them where it was none."""
    sampling = JpegImagePlugin.get_sampling(photo) if photo.format == "JPEG" else -1
    file = io.BytesIO()
    crop.save(file, "JPEG", quality=quality, subsampling=max(sampling, 0), optimize=False)
    return file.getvalue()
