"""Outputs -> outputs before they are decoded: of a mirrored view turned back, of scales together, finer maps."""

import numpy as np

from tfpose import anchors, geometry
from tfpose.decode import boxes
from tfpose.geometry import Affine
from tfpose.poses import mapped_boxes
from tfpose.skeleton import Skeleton

NOBODY = -100.0  # a logit whose sigmoid is 0 in float32


def unmirrored(outputs: dict[str, np.ndarray], skeleton: Skeleton, size: tuple[int, int] = ()) -> dict[str, np.ndarray]:
    """What the view itself would have given, of the outputs of its mirror.

    {"heatmaps": (..., h, w, K + 1), "pafs": (..., h, w, 2L), "boxes": (..., A, 4), "scores": (..., A, 1)}, those that
    there are; the anchors of boxes are those of a view of `size` (height, width). Columns are reversed, left and right
    exchanged; fields point the other way in x, and in full where the mirrored limb runs the other way. ValueError where
    a limb has no mirror image; an anchor that has none says what the nearest to it says.
    """
    result = {}
    if "heatmaps" in outputs:
        result["heatmaps"] = outputs["heatmaps"][..., ::-1, :][..., [*skeleton.mirror, skeleton.count]]
    if "pafs" in outputs:
        result["pafs"] = _unmirrored_fields(outputs["pafs"], skeleton)
    if "boxes" in outputs:
        mirror, shifts = anchors.mirrored(size)
        # The left corner's way from its anchor is the right one's, turned.
        codes = outputs["boxes"][..., mirror, :][..., [2, 1, 0, 3]]
        result["boxes"] = codes * np.array([-1, 1, -1, 1], codes.dtype) + shifts[:, None] * np.float32([1, 0, 1, 0])
        result["scores"] = outputs["scores"][..., mirror, :]
    return result


def _unmirrored_fields(pafs: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    limbs = np.array(skeleton.limb_mirror)
    turned = np.where(skeleton.limb_turned, -1, 1)[:, None] * [-1, 1]
    channels = (2 * limbs[:, None] + [0, 1]).ravel()
    return pafs[..., ::-1, :][..., channels] * turned.ravel().astype(pafs.dtype)


def averaged(found: list[dict], affines: list[Affine], grid: tuple[int, int]) -> dict[str, np.ndarray]:
    """The mean of the maps {name: (h, w, C)} in several outputs, float32, on one grid (height, width).

    `affines` bring cells of that grid to cells of each output: they scale and shift, or fields would point wrong. Maps
    are read bilinearly, up to a cell beyond their edge as at the edge; each cell's mean is of the outputs that reach
    it, since a view that shows a person larger sees less around, and 0 where none does.
    """
    assert len(found) == len(affines) > 0, (len(found), len(affines))
    spatial = [name for name in found[0] if found[0][name].ndim == 3]
    return {n: _mean([_resampled(maps[n], a, grid) for maps, a in zip(found, affines)]) for n in spatial}


def pooled(
    found: list[dict], sizes: list[tuple], affines: list[Affine], size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """The best of several outputs' boxes, {"boxes": (A, 4), "scores": (A, 1)} float32, as many as one view has anchors.

    They are written from the anchors of a view of `size` (height, width), one each, whatever anchors they came from:
    codes can say any box. `sizes` are those of the outputs' views, `affines` bring pixels of these to that view's.
    """
    each = [boxes.decoded(o["boxes"], anchors.anchors(s)) for o, s in zip(found, sizes, strict=True)]
    everybody = np.concatenate([mapped_boxes(some, affine) for some, affine in zip(each, affines, strict=True)])
    logits = np.concatenate([o["scores"] for o in found])
    places = anchors.anchors(size)
    best = boxes.ranked(everybody, logits[:, 0])[: len(places)]
    codes = boxes.coded(everybody[best], places[: len(best)]).astype(np.float32)
    free = (0, len(places) - len(best)), (0, 0)  # smaller views have fewer anchors
    return {"boxes": np.pad(codes, free), "scores": np.pad(logits[best], free, constant_values=NOBODY)}


def _mean(maps: list[np.ndarray]) -> np.ndarray:
    total = sum(maps[1:], maps[0])
    return total[..., :-1] / np.maximum(total[..., -1:], 1e-6)


def _resampled(maps: np.ndarray, affine: Affine, grid: tuple[int, int]) -> np.ndarray:
    # With one channel more: how much of a cell is within reach.
    framed = np.pad(maps, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.float32)
    framed = np.pad(framed, ((0, 0), (0, 0), (0, 1)), constant_values=1)
    return geometry.warp(framed, affine.inverse @ geometry.translation(-1, -1), grid)


def upsampled(maps: np.ndarray, factor: int) -> np.ndarray:
    """Maps (h, w, C) on a grid `factor` times as fine, (h * factor, w * factor, C), cubic (Keys 1981, a = -1/2)."""
    height, width, channels = maps.shape
    rows = _cubic(height, factor) @ maps.reshape(height, -1)
    return _cubic(width, factor) @ rows.reshape(-1, width, channels)


def _cubic(side: int, factor: int) -> np.ndarray:
    # The weights (side * factor, side) of cells in finer ones; beyond the edge cells are as at the edge.
    fine = geometry.stride(factor).apply(np.arange(side * factor)[:, None] * [1, 1])[:, :1]
    cells = np.arange(-2, side + 2)
    far = np.abs(fine - cells)
    near = (1.5 * far - 2.5) * far**2 + 1
    weights = np.where(far < 1, near, np.where(far < 2, ((2.5 - 0.5 * far) * far - 4) * far + 2, 0))
    edges = np.clip(cells, 0, side - 1)[:, None] == np.arange(side)
    return (weights @ edges).astype(np.float32)
