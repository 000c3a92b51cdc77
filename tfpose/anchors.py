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


def mirrored(size) -> np.ndarray:
    """The index (A,) of each anchor's mirror image in a view of `size` (height, width).

    ValueError for a width that the largest stride does not divide: the anchors of its last column have none.
    """
    if size[1] % STRIDES[-1]:
        raise ValueError(f"flip: views {size[1]} pixels wide have anchors without mirror image; use a multiple of 128")
    result, first = [], 0
    for stride in STRIDES:
        rows, columns = (-(-side // stride) for side in size)
        index = first + np.arange(rows * columns * EACH).reshape(rows, columns, EACH)
        result.append(index[:, ::-1].ravel())
        first += index.size
    return np.concatenate(result)
