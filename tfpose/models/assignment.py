"""Which candidate keypoint belongs to which box: a small network that sees all of an image's at once.

A box's candidates are drawn on a coarse grid, each shared among its four nearest cells, which keeps its exact place.
Dense layers turn the grid into a few quadratic bells a keypoint, and their heights at the candidates are the box's
logits. Boxes compete for a candidate, and candidates for a box. In every pass but the first a box also sees which
candidates the pass before gave to it and which to others; the passes share their weights.

Shapes in the comments: B images, P boxes, N candidates, K keypoints, M bells, C cells.
"""

import math

import keras
from keras import layers, ops

MASKED = -1e4  # the logit of a candidate outside the box: no sum brings it back, and half precision holds it
POWERS = 6  # 1, x, y, x², xy, y²


def assignment(*, keypoints=17, grid=(9, 6), nodes=768, bells=4, passes=3, people=None, candidates=None):
    """Return the network that says who owns which candidate; its inputs and outputs are dicts, all float32.

    In: "places" (B, P, N, 2), fractions of the enlarged boxes' sides; "kinds" (B, N, K), one-hot, zeros in rows that
    are not used; "inside" (B, P, N), 1 where a box may have a candidate; "shapes" (B, P, 1), logarithms of height over
    width. Out, for each pass i: "boxes/i" (B, P, N), a candidate's logits over the boxes, nobody's being 0, and
    "candidates/i" (B, P, N), a box's logits over the candidates of one kind, none's being 0. The last pass counts.
    P is `people`, N `candidates`; None for any number.
    """
    inputs = {
        "places": keras.Input((people, candidates, 2), name="places"),
        "kinds": keras.Input((candidates, keypoints), name="kinds"),
        "inside": keras.Input((people, candidates), name="inside"),
        "shapes": keras.Input((people, 1), name="shapes"),
    }
    kinds, inside = inputs["kinds"], inputs["inside"]
    hidden = [layers.Dense(nodes, activation="relu", name=f"hidden{i}") for i in (1, 2)]
    bell = layers.Dense(keypoints * POWERS * bells, name="bells")
    none = layers.Dense(keypoints, name="none")
    nobody = layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="nobody")(kinds)  # B,N,1

    drawn = hats(inputs["places"], grid) * inside[..., None]  # B,P,N,C
    powers = _powers(inputs["places"])
    owned = inside / ops.maximum(ops.sum(inside, axis=1, keepdims=True), 1.0)  # before the first pass: equal shares
    outputs = {}
    for i in range(passes):
        x = [_maps(drawn * share[..., None], kinds) for share in (owned, inside - owned)]  # B,P,CK twice
        x = layers.Concatenate(name=f"seen{i}")([*x, inputs["shapes"]])
        for dense in hidden:
            x = dense(x)  # B,P,nodes
        height = _heights(bell(x), powers, kinds, bells)
        nothing = ops.matmul(none(x), ops.swapaxes(kinds, 1, 2))  # B,P,N
        outputs[f"boxes/{i}"] = _named(height - ops.swapaxes(nobody, 1, 2), inside, f"boxes{i}")
        outputs[f"candidates/{i}"] = _named(height - nothing, inside, f"candidates{i}")
        owned = shares(outputs[f"boxes/{i}"]) * inside
    return keras.Model(inputs, outputs, name="assignment")


def shares(logits):
    """Return the probability of each box (B, P, N) for each candidate, of logits beside nobody's 0."""
    top = ops.maximum(ops.max(logits, axis=1, keepdims=True), 0.0)
    weights = ops.exp(logits - top)
    return weights / (ops.sum(weights, axis=1, keepdims=True) + ops.exp(-top))


def hats(places, grid):
    """Return how much of each cell a place is, (..., h * w), bilinear: at most four are not 0, and they sum to 1."""
    across, down = (_hat(places[..., axis, None], side) for axis, side in ((0, grid[1]), (1, grid[0])))
    across = ops.tile(across, [1] * (len(across.shape) - 1) + [grid[0]])
    return across * ops.repeat(down, grid[1], axis=-1)


def _hat(place, side):
    cell = ops.clip(place * side - 0.5, 0.0, side - 1.0)
    return ops.relu(1.0 - ops.abs(cell - ops.arange(side, dtype="float32")))


def _maps(drawn, kinds):
    # In the other order TFLite takes the transposition into a product that it broadcasts wrongly.
    maps = ops.swapaxes(ops.matmul(ops.swapaxes(kinds, 1, 2)[:, None], drawn), 2, 3)  # B,P,C,K
    return layers.Reshape((-1, math.prod(maps.shape[2:])))(maps)


def _powers(places):
    x, y = (2.0 * places[..., axis, None] - 1.0 for axis in (0, 1))
    return [ops.ones_like(x), x, y, x * x, x * y, y * y]  # B,P,N,1 each


def _heights(bells, powers, kinds, count):
    bells = layers.Reshape((-1, kinds.shape[-1], POWERS * count))(bells)  # B,P,K,6M
    bells = ops.matmul(kinds[:, None], bells)  # B,P,N,6M
    terms = [bells[..., i * count : (i + 1) * count] * power for i, power in enumerate(powers)]
    height = sum(terms[1:], terms[0])
    # The logarithm of a sum of exponentials, of plain operations that a .tflite has.
    top = ops.max(height, axis=-1, keepdims=True)
    return top[..., 0] + ops.log(ops.sum(ops.exp(height - top), axis=-1))  # B,P,N


def _named(logits, inside, name):
    return layers.Identity(name=name)(logits * inside + MASKED * (1.0 - inside))
