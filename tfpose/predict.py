"""Predictor: an image and boxes -> views -> the network -> keypoints in pixels of the image."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tfpose import geometry, paths
from tfpose.decode import decoder, maps, people
from tfpose.poses import Poses
from tfpose.spec import PoseSpec

# A keypoint at or below this score does not count in the score of its person.
COUNTED = 0.2
FLIPS = ("none", "aligned", "shifted")
SCORES = ("product", "box", "keypoints")


@dataclass(frozen=True, eq=False)
class Predictor:
    """Finds one person per box, whatever runs the network.

    `run` takes views (N, H, W, 3) uint8 RGB and returns {"heatmaps": (N, h, w, K) float32}; `warp` is called as
    `geometry.warp` is; `batch` is the most views of a run. `flip` averages the maps with those of the mirrored views:
    "aligned" lays cell on cell, which is right for every network trained here; "shifted" moves them a cell first, for
    networks of code whose mirrored cells do not meet (HRNet's SHIFT_HEATMAP), and puts ours half a cell off. `scales`
    are the person's sizes in the views that are averaged, 1 that of training; several as Yang et al. 2017 test on MPII.
    `score` is that of a person: of the box, of the keypoints (the mean of those above `keypoint_threshold`), or their
    product.
    """

    spec: PoseSpec
    run: Callable[[np.ndarray], dict]
    flip: str = "none"
    batch: int = 32
    warp: Callable = geometry.warp
    score: str = "product"
    keypoint_threshold: float = COUNTED
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self):
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(
                f"scales: found {list(self.scales)}; expected factors of the person, as in [0.8, 1.0, 1.25]"
            )
        if self.spec.view != "person":
            raise ValueError(f"pose.json: view {self.spec.view!r}; only 'person' can be predicted with boxes")
        for option, choices in (("flip", FLIPS), ("score", SCORES)):
            if getattr(self, option) not in choices:
                raise ValueError(f"{option}: found {getattr(self, option)!r}; choose from {', '.join(choices)}")
        assert self.decode  # an unknown decoder fails here, before any image

    @cached_property
    def decode(self) -> Callable[[dict], np.ndarray]:
        """The decoder that the specification describes."""
        return decoder(self.spec.decoder, self.spec.skeleton)

    @cached_property
    def zooms(self) -> list[geometry.Affine]:
        """For each scale what brings the view of scale 1 to its own, about the middle."""
        y, x = ((side - 1) / 2 for side in self.spec.size)
        return [geometry.translation((1 - s) * x, (1 - s) * y) @ geometry.scaling(s, s) for s in self.scales]

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None, box_scores=None) -> Poses:
        """One person per box (N, 4), in pixels of the image (H, W, 3) uint8 RGB; no boxes: the image is one person."""
        return self.many([(image, boxes, box_scores)])[0]

    def many(self, items: Iterable[tuple]) -> list[Poses]:
        """The people of each (image, boxes or None, box scores or None), views of several images in one run."""
        frames, waiting, found = [], [], []
        for image, boxes, box_scores in items:
            frame = _Frame.of(image, boxes, box_scores, self.spec)
            frames.append(frame)
            for affine in frame.affines:
                waiting.append([self.warp(image, zoom @ affine, self.spec.size) for zoom in self.zooms])
                if len(waiting) == self.batch:
                    found.extend(self._found(waiting))
                    waiting = []
        if waiting:
            found.extend(self._found(waiting))
        left = iter(found)
        return [self._poses(frame, left) for frame in frames]

    def _poses(self, frame: "_Frame", found: Iterable[np.ndarray]) -> Poses:
        keypoints = frame.keypoints(found, self.spec.skeleton.count)
        return Poses(keypoints, self.scores(keypoints, frame.scores), frame.boxes)

    def scores(self, keypoints: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """The scores (N,) of people with keypoints (N, K, 3) in boxes of these scores (N,)."""
        if self.score == "box":
            return boxes
        found = person_scores(keypoints, self.keypoint_threshold)
        return found if self.score == "keypoints" else found * boxes

    def _found(self, views: list[list[np.ndarray]]) -> np.ndarray:
        """Keypoints (N, K, 3) of N people's views, in pixels of that of scale 1, of each a view per scale."""
        each = [np.stack(of_scale) for of_scale in zip(*views)]
        if self.scales == (1.0,):
            return self.keypoints(each[0])
        cells = geometry.stride(self.spec.decoder["stride"])
        affines = [cells @ zoom @ cells.inverse for zoom in self.zooms]
        found = np.stack([self.heatmaps(views) for views in each], axis=1)
        means = [maps.averaged([{"heatmaps": m} for m in one], affines, one.shape[1:3]) for one in found]
        return self.decode({"heatmaps": np.stack([mean["heatmaps"] for mean in means])})

    def keypoints(self, views: np.ndarray) -> np.ndarray:
        """Keypoints (N, K, 3) in view pixels of views (N, H, W, 3) uint8."""
        if self.flip != "none":
            return self.decode({"heatmaps": self.heatmaps(views)})
        outputs = self.run(views)
        return outputs["keypoints"][:, 0] if people.found(outputs) else self.decode(outputs)

    def heatmaps(self, views: np.ndarray) -> np.ndarray:
        """The maps (N, h, w, K) that are decoded: with `flip`, the mean of the views' and of the mirrored views'."""
        found = people.maps(self.run(views))["heatmaps"]
        if self.flip == "none":
            return found
        back = unmirrored(self.run(mirrored(views))["heatmaps"], self.spec.skeleton.mirror)
        return (found + (shifted(back) if self.flip == "shifted" else back)) / 2


def checked(image: np.ndarray) -> np.ndarray:
    """The image itself; ValueError where it is not (H, W, 3) uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: found {image.dtype} {image.shape}; expected uint8 (height, width, 3) in RGB")
    return image


def mirrored(views: np.ndarray) -> np.ndarray:
    """The views (N, H, W, 3), left and right exchanged."""
    return np.ascontiguousarray(views[:, :, ::-1])


def unmirrored(maps: np.ndarray, mirror: Iterable[int]) -> np.ndarray:
    """The maps (N, h, w, K) of mirrored views, laid on those of the views; `mirror` are the keypoints' counterparts.

    Pixel centres are mirrored onto pixel centres and cells onto cells, so nothing has to be shifted.
    """
    return maps[:, :, ::-1][..., list(mirror)]


def shifted(maps: np.ndarray) -> np.ndarray:
    """The maps (N, h, w, K) one cell to the right; the first column stays, as in HRNet's SHIFT_HEATMAP."""
    return np.concatenate([maps[:, :, :1], maps[:, :, :-1]], axis=2)


@dataclass(frozen=True, eq=False)
class _Frame:
    """The boxes of one image and their affines, kept while the views are away in a batch."""

    boxes: np.ndarray
    scores: np.ndarray
    affines: list[geometry.Affine]

    @staticmethod
    def of(image: np.ndarray, boxes, scores, spec: PoseSpec) -> "_Frame":
        checked(image)
        boxes = [[0, 0, image.shape[1], image.shape[0]]] if boxes is None else boxes
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        scores = np.ones(len(boxes), np.float32) if scores is None else np.asarray(scores, np.float32)
        if len(scores) != len(boxes) or not np.isfinite(boxes).all():
            raise ValueError(
                f"boxes: {len(boxes)} boxes with {len(scores)} scores; expected finite x, y, w, h and a score each"
            )
        return _Frame(boxes, scores, [geometry.crop(box, spec.size, padding=spec.padding) for box in boxes])

    def keypoints(self, people: Iterable[np.ndarray], count: int) -> np.ndarray:
        """Takes this frame's keypoints (N, K, 3) from `people` and brings them back to the image."""
        if not self.affines:
            return np.zeros((0, count, 3), np.float32)
        keypoints = np.stack([next(people) for _ in self.affines]).astype(np.float32)
        for person, affine in zip(keypoints, self.affines):
            person[:, :2] = affine.inverse.apply(person[:, :2])
        return keypoints


def person_scores(keypoints: np.ndarray, threshold: float = COUNTED) -> np.ndarray:
    """The mean score (N,) of each person's keypoints (N, K, 3) that score above `threshold`; 0 where none does."""
    scores = keypoints[..., 2]
    counted = scores > threshold
    return (scores * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def read_image(path: Path, *, upright: bool = False) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB; `upright` turns it as its EXIF says: for phone photos, not for data sets.

    ValueError names a file that is missing or broken.
    """
    from PIL import Image, ImageOps

    path = paths.path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such image file")
    try:
        with path.open("rb") as content, Image.open(content) as file:
            image = ImageOps.exif_transpose(file) if upright else file
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error})") from error
