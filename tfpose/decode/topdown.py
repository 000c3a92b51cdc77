"""Heatmaps of one person's crop -> that person's keypoints, in pixels of the crop."""

from dataclasses import dataclass

import numpy as np

from tfpose import geometry
from tfpose.decode import peaks


def decode(heatmaps: np.ndarray, stride: int, refine: str = "quarter", blur: int = 0, smooth: int = 0) -> np.ndarray:
    """Keypoints (N, K, 3) float32, x and y in view pixels and a score in [0, 1], of heatmaps (N, h, w, K) float.

    `refine` is a name in `peaks.REFINEMENTS`; `blur` (cells, odd, 0 for none) is for "dark" alone. `smooth` (the same)
    smooths the maps before the largest cell is looked for; scores are those of the maps as they came.
    """
    assert heatmaps.ndim == 4 and min(heatmaps.shape[1:3]) >= 5, heatmaps.shape
    maps = peaks.smoothed(heatmaps, smooth) if smooth else heatmaps
    cells, values = peaks.largest(maps)
    if smooth:
        values = peaks.window(heatmaps, cells, 0)[..., 0, 0]
    exact = cells + peaks.REFINEMENTS[refine](maps, cells, blur)
    points = geometry.stride(stride).inverse.apply(exact)
    return np.concatenate([points, np.clip(values, 0, 1)[..., None]], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class TopDown:
    """The decoder of a top-down network: {"heatmaps": (N, h, w, K)} -> keypoints (N, K, 3) in view pixels."""

    stride: int
    refine: str = "quarter"
    blur: int = 0
    smooth: int = 0

    def __post_init__(self):
        if self.refine not in peaks.REFINEMENTS:
            raise ValueError(f"decoder: refine {self.refine!r}; choose from {', '.join(peaks.REFINEMENTS)}")
        if self.blur and (self.blur < 3 or self.blur % 2 == 0 or self.refine != "dark"):
            raise ValueError(
                f"decoder: blur {self.blur} with refine {self.refine!r}; use 0, or 3, 5, 7 ... with 'dark'"
            )
        if self.smooth and (self.smooth < 3 or self.smooth % 2 == 0):
            raise ValueError(f"decoder: smooth {self.smooth}; use 0, or 3, 5, 7 ...")
        if self.stride < 1:
            raise ValueError(f"decoder: stride {self.stride}; it must be at least 1 pixel per cell")

    def __call__(self, outputs: dict) -> np.ndarray:
        return decode(outputs["heatmaps"], self.stride, self.refine, self.blur, self.smooth)
