"""Masks as COCO writes them: the outline of a mask as polygons, and its uncompressed run lengths."""

import numpy as np


def polygons(mask: np.ndarray) -> list[list[float]]:
    """COCO polygons [x, y, x, y, ...] along the pixel edges of a boolean mask (H, W); together they cover exactly it.

    COCO polygons cannot have holes: a region with a hole is cut in two at the hole's middle column.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return []
    top, left = int(rows[0]), int(columns[0])
    return _polygons(mask[top : rows[-1] + 1, left : columns[-1] + 1], left, top)


def _polygons(mask: np.ndarray, left: int, top: int) -> list[list[float]]:
    found = []
    for loop in _loops(mask):
        area, xs = _signed_area(loop), [x for x, _ in loop]
        if area < 0:
            middle = (min(xs) + max(xs)) // 2
            return _polygons(mask[:, :middle], left, top) + _polygons(mask[:, middle:], left + middle, top)
        found.append([float(value) for x, y in loop for value in (x + left, y + top)])
    return found


def _loops(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """The corners of every closed outline, clockwise on the screen around set pixels, the other way around holes."""
    steps = _edges(mask)
    loops = []
    while steps:
        start = next(iter(steps))
        direction = next(iter(steps[start]))
        loop, point, previous = [], start, None
        while point in steps:
            # Where two regions touch at a corner, the turn to the right stays with the region, so they stay apart.
            choices = steps[point]
            if previous is not None:
                direction = min(choices, key=lambda d: (d - previous - 1) % 4)
            choices.remove(direction)
            if not choices:
                del steps[point]
            if direction != previous:
                loop.append(point)
            point, previous = (point[0] + _STEP[direction][0], point[1] + _STEP[direction][1]), direction
            if point == start:
                break
        loops.append(loop)
    return loops


_STEP = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up: +1 is a turn to the right on the screen


def _edges(mask: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Unit edges around set pixels, which lie on the right hand: corner -> the directions that leave it."""
    full = np.pad(mask, 1)
    inside, steps = full[1:-1, 1:-1], {}
    borders = (
        (inside & ~full[:-2, 1:-1], 0, 0, 0),  # above: rightwards from the top-left corner
        (inside & ~full[1:-1, 2:], 1, 0, 1),  # right: downwards from the top-right corner
        (inside & ~full[2:, 1:-1], 1, 1, 2),
        (inside & ~full[1:-1, :-2], 0, 1, 3),
    )
    for border, dx, dy, direction in borders:
        ys, xs = np.nonzero(border)
        for corner in zip((xs + dx).tolist(), (ys + dy).tolist()):
            steps.setdefault(corner, []).append(direction)
    return steps


def _signed_area(loop: list[tuple[int, int]]) -> float:
    x, y = np.array(loop, dtype=np.float64).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def run_lengths(mask: np.ndarray) -> dict:
    """The uncompressed COCO run lengths of a boolean mask (H, W): column by column, beginning with a run of zeros."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], changes, [mask.size]]))
    counts = runs.tolist() if runs[-1] else runs[:-1].tolist()
    return {"size": list(mask.shape), "counts": counts}
