"""What a person detector says of its anchors -> boxes of people, and the part of the maps that lies in each box.

Boxes are (x, y, w, h) in pixels of the view, their edges on pixel corners.
"""

import numpy as np

from tfpose import geometry
from tfpose.anchors import STD

SCORE, OVERLAP, MOST = 0.05, 0.3, 300
CANDIDATES = 1000  # the best that are looked at: an untrained detector finds somebody everywhere


def detections(codes, logits, anchors, size, *, score=SCORE, overlap=OVERLAP, most=MOST) -> tuple:
    """Boxes (N, 4) and scores (N,) float32, best first, of one view's codes (A, 4) and logits (A, 1).

    `size` (height, width) is the view's, to which boxes are cut; `anchors` (A, 4) are those of that size. Boxes score
    more than `score`, at most `overlap` is common to any two, and there are at most `most`.
    Raises ValueError where codes or logits are not finite.
    """
    logits = np.asarray(logits, np.float32)[:, 0]
    if not (np.isfinite(logits).all() and np.isfinite(codes).all()):
        raise ValueError("decoder: the detector's outputs are not finite; has training diverged?")
    scores = 0.5 + 0.5 * np.tanh(0.5 * logits)  # the sigmoid, without overflow
    found = np.flatnonzero(scores > score)
    boxes, scores = clipped(decoded(np.asarray(codes, np.float32)[found], anchors[found]), size), scores[found]
    there = boxes[:, 2:].min(axis=1, initial=np.inf) > 0
    boxes, scores = boxes[there], scores[there]
    order = ranked(boxes, scores)[:CANDIDATES]
    order = order[apart(boxes[order], overlap)][:most]
    return boxes[order], scores[order]


def decoded(codes, anchors) -> np.ndarray:
    """The boxes (N, 4) that codes (N, 4) make of their anchors (N, 4): the inverse of `encode.boxes.codes`."""
    moves = STD * np.tile(anchors[:, 2:], 2) * codes
    low = anchors[:, :2] + moves[:, :2]
    return np.concatenate([low, anchors[:, 2:] + moves[:, 2:] - moves[:, :2]], axis=1)


def coded(boxes, anchors) -> np.ndarray:
    """The codes (N, 4) of boxes (N, 4) from anchors (N, 4): the inverse of `decoded`."""
    unit = STD * anchors[:, 2:]
    low = (boxes[:, :2] - anchors[:, :2]) / unit
    return np.concatenate([low, low + (boxes[:, 2:] - anchors[:, 2:]) / unit], axis=1)


def clipped(boxes, size) -> np.ndarray:
    """The parts of boxes (N, 4) inside a view of `size` (height, width); of no width or height where there is none."""
    limits = np.array(size[::-1], np.float32)
    low = np.clip(boxes[:, :2], 0, limits)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], low, limits)
    return np.concatenate([low, high - low], axis=1)


def ranked(boxes, scores) -> np.ndarray:
    """The indices of boxes (N, 4), best first; of equal scores the box decides, not the order in which they came."""
    return np.lexsort((*boxes.T, -scores))


def apart(boxes, overlap: float) -> np.ndarray:
    """The indices, in order, of boxes (N, 4), best first, at most `overlap` alike to every better one that stays."""
    left, stay = np.arange(len(boxes)), []
    while len(left):
        first, left = left[0], left[1:]
        stay.append(first)
        left = left[overlaps(boxes[first], boxes[left]) <= overlap]
    return np.array(stay, np.intp)


def overlaps(box, boxes) -> np.ndarray:
    """The intersection over union (N,) of a box (4,) with boxes (N, 4), all with an area."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=1)
    return both / (box[2:].prod() + boxes[:, 2:].prod(axis=1) - both)


def crops(maps, boxes, grid, stride: int) -> np.ndarray:
    """Maps (h, w, C) float32 under each box (N, 4) of view pixels, brought to a `grid` (height, width): (N, *grid, C).

    Bilinear, a sample in the middle of each part of the box, 0 outside the maps: `geometry.warp` for many boxes at
    once, as two products with matrices.
    """
    across, down = (hats(boxes[:, i], boxes[:, 2 + i], grid[1 - i], maps.shape[1 - i], stride) for i in (0, 1))
    height, width, channels = maps.shape
    rows = (down.reshape(-1, height) @ maps.reshape(height, -1)).reshape(len(boxes), grid[0], width, channels)
    return across[:, None] @ rows


def hats(starts, sides, count: int, cells: int, stride: int) -> np.ndarray:
    """What each of `cells` gives to `count` samples along boxes' sides, (N, count, cells) float32: 1 at its centre."""
    ways = (np.arange(count, dtype=np.float32) + 0.5) / count
    # Edges lie on pixel corners, half a pixel before the centres that `stride` maps.
    pixels = starts[:, None] + sides[:, None] * ways - 0.5
    places = geometry.stride(stride).apply(np.stack([pixels, pixels], axis=-1))[..., 0].astype(np.float32)
    return np.maximum(0, 1 - np.abs(places[..., None] - np.arange(cells, dtype=np.float32)))
