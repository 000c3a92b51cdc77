"""The networks that say whose keypoint is whose, layer by layer in NumPy: what `models/prn.py` and `assignment.py` do.

Both are called with named inputs and return named outputs, float32, of any number of boxes at once. Weights are
{"layer/kernel": array}. In shapes B is images, P boxes, N candidates, K kinds, M bells, C cells.
"""

import re
from dataclasses import dataclass

import numpy as np

MASKED = -1e4  # the logit of a candidate outside the box


@dataclass(frozen=True, eq=False)
class Residual:
    """{"maps": (P, h, w, K)} -> {"poses": the same shape, sums of 1 over the cells}; `residual` adds the maps."""

    weights: dict
    residual: bool

    def __call__(self, inputs: dict) -> dict:
        maps = inputs["maps"]
        flat = maps.reshape(len(maps), -1)
        # Most cells are empty in all boxes: only the others' weights are read, out of tens of millions.
        used = np.flatnonzero(flat.any(axis=0))
        x = flat[:, used] @ self.weights["hidden1/kernel"][used] + self.weights["hidden1/bias"]
        for name in sorted(n for n in self.weights if re.fullmatch(r"hidden\d+/kernel", n))[1:]:
            x = _dense(np.maximum(x, 0), self.weights, name.partition("/")[0])
        x = _dense(np.maximum(x, 0), self.weights, "correction")
        x = np.maximum(x, 0, out=x).reshape(len(maps), -1, maps.shape[-1])  # P,C,K
        if self.residual:
            x += maps.reshape(x.shape)
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return {"poses": x.reshape(maps.shape)}


@dataclass(frozen=True, eq=False)
class Assignment:
    """`models.assignment`'s inputs -> {"boxes", "candidates"}: the logits (B, P, N) of the last pass."""

    weights: dict
    grid: tuple[int, int]
    passes: int

    def __call__(self, inputs: dict) -> dict:
        places, kinds, inside = (inputs[name] for name in ("places", "kinds", "inside"))
        drawn, powers = hats(places, self.grid) * inside[..., None], _powers(places)
        nobody = np.swapaxes(kinds @ self.weights["nobody/kernel"], 1, 2)  # B,1,N
        owned = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
        for _ in range(self.passes):
            x = [_maps(drawn * share[..., None], kinds) for share in (owned, inside - owned)]
            x = np.concatenate([*x, inputs["shapes"]], axis=-1)
            for name in ("hidden1", "hidden2"):
                x = np.maximum(_dense(x, self.weights, name), 0)  # B,P,nodes
            heights = _heights(_dense(x, self.weights, "bells"), powers, kinds)
            nothing = _dense(x, self.weights, "none") @ np.swapaxes(kinds, 1, 2)
            boxes, candidates = (np.where(inside > 0, heights - null, MASKED) for null in (nobody, nothing))
            owned = shares(boxes) * inside
        return {"boxes": boxes, "candidates": candidates}


def _maps(drawn, kinds):
    maps = np.swapaxes(drawn, 2, 3) @ kinds[:, None]  # B,P,C,K
    return maps.reshape(*maps.shape[:2], -1)


def shares(logits) -> np.ndarray:
    """The probability of each box (B, P, N) for each candidate, of logits beside nobody's 0."""
    top = np.maximum(logits.max(axis=1, keepdims=True), 0)
    weights = np.exp(logits - top)
    return weights / (weights.sum(axis=1, keepdims=True) + np.exp(-top))


def hats(places, grid) -> np.ndarray:
    """How much of each cell a place is, (..., h * w), bilinear."""
    across, down = (_hat(places[..., axis, None], side) for axis, side in ((0, grid[1]), (1, grid[0])))
    return (down[..., :, None] * across[..., None, :]).reshape(*places.shape[:-1], -1)


def _hat(place, side: int):
    cell = np.clip(place * side - 0.5, 0, side - 1)
    return np.maximum(0, 1 - np.abs(cell - np.arange(side, dtype=np.float32)))


def _powers(places):
    x, y = (2 * places[..., axis] - 1 for axis in (0, 1))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)  # B,P,N,6


def _heights(bells, powers, kinds):
    bells = bells.reshape(*bells.shape[:2], kinds.shape[-1], powers.shape[-1], -1)
    mine = np.stack([one[:, kind] for one, kind in zip(bells, kinds.argmax(axis=-1))])
    heights = (mine * powers[..., None]).sum(axis=3)  # B,P,N,M
    top = heights.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(heights - top).sum(axis=-1))


def _dense(x, weights: dict, name: str):
    return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
