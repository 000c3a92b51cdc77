"""Anchors: the boxes that a person detector starts from, and how a box is written as what its anchor lacks.

Lin et al. 2017, "Focal Loss for Dense Object Detection", section 4; codes are of corners, as in keras-retinanet, which
MultiPoseNet builds on. Boxes are (x, y, w, h), their edges on pixel corners: an anchor lies on the centre of its cell.
"""

import numpy as np

STRIDES = (8, 16, 32, 64, 128)  # of levels P3 to P7
SIDE = 4  # strides to the side of the smallest square: 32 to 512 pixels
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
RATIOS = (0.5, 1.0, 2.0)  # width to height
EACH = len(SCALES) * len(RATIOS)  # anchors of a cell
STD = 0.2  # a code of 1 is a fifth of the anchor's side
WHOLE = 32  # a view's sides are multiples of it: coarser levels are made of the one at this stride, finer ones add it


def anchors(size) -> np.ndarray:
    """The anchors (A, 4) float32, x, y, w, h in pixels, of a view of `size` (height, width).

    In the order of levels, rows, columns, scales, ratios. A cell of the last row or column may have its centre outside.
    """
    return np.concatenate([_level(size, stride) for stride in STRIDES])


def _level(size, stride: int) -> np.ndarray:
    sides = SIDE * stride * np.repeat(SCALES, len(RATIOS))
    root = np.sqrt(np.tile(RATIOS, len(SCALES)))
    shapes = np.stack([sides * root, sides / root], axis=1)  # (9, 2)
    rows, columns = (np.arange(-(-side // stride)) for side in size)
    centres = (np.stack(np.meshgrid(columns, rows), axis=-1)[:, :, None] + 0.5) * stride  # (h, w, 1, 2)
    corners = centres - shapes / 2
    return np.concatenate([corners, np.broadcast_to(shapes, corners.shape)], axis=-1).reshape(-1, 4).astype(np.float32)


def mirrored(size) -> tuple[np.ndarray, np.ndarray]:
    """The index (A,) of the anchor nearest to each one's mirror image in a view of `size` (height, width), and shifts.

    A shift (A,) float32 is what the code of a left or right edge lacks where the two are not quite mirror images, as at
    a stride that does not divide the width: how far the nearest one's image lies to the right, in units of codes.
    """
    index, shifts, first = [], [], 0
    for stride in STRIDES:
        level = _level(size, stride)
        rows, columns = (-(-side // stride) for side in size)
        middles = (np.arange(columns) + 0.5) * stride
        nearest = np.clip(np.rint((size[1] - middles) / stride - 0.5).astype(int), 0, columns - 1)
        here = first + np.arange(len(level)).reshape(rows, columns, EACH)
        index.append(here[:, nearest].ravel())
        gaps = np.broadcast_to((size[1] - middles[nearest] - middles)[:, None], here.shape)
        shifts.append(gaps.ravel() / (STD * level[:, 2]))
        first += len(level)
    return np.concatenate(index), np.concatenate(shifts).astype(np.float32)
