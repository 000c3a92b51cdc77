"""People out of a file that decodes itself: what is left to do is the view before it and the way back after it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfpose import geometry
from tfpose import poses as people
from tfpose.poses import Poses
from tfpose.predict import checked, person_scores
from tfpose.spec import PoseSpec


@dataclass(frozen=True, eq=False)
class Decoded:
    """Finds people as the bundle's other files and their decoder do, from `run`, which gives keypoints itself.

    `run` takes views (1, H, W, 3) uint8 RGB and returns "keypoints" (1, P, K, 3) in view pixels, "scores" (1, P) and
    "count" (1,): how many of the P there are. `warp` is called as `geometry.warp` is.
    """

    spec: PoseSpec
    run: Callable[[np.ndarray], dict]
    warp: Callable = geometry.warp

    def __call__(self, image: np.ndarray, boxes: list | None = None) -> Poses:
        """Everybody in an image (H, W, 3) uint8 RGB, or one person per box (N, 4); no boxes: the image is one."""
        checked(image)
        if self.spec.view == "image":
            affine = geometry.letterbox(image.shape[:2], self.spec.size)
            return self._people(image, affine)
        boxes = np.asarray([[0, 0, *image.shape[1::-1]]] if boxes is None else boxes, np.float32).reshape(-1, 4)
        affines = [geometry.crop(box, self.spec.size, padding=self.spec.padding) for box in boxes]
        found = [self._people(image, affine).keypoints for affine in affines]
        keypoints = np.concatenate([people.empty(self.spec.skeleton.count).keypoints, *found])
        return Poses(keypoints, person_scores(keypoints), boxes)

    def _people(self, image: np.ndarray, affine: geometry.Affine) -> Poses:
        outputs = self.run(self.warp(image, affine, self.spec.size)[None])
        count = int(outputs["count"][0])
        if not count:
            return people.empty(self.spec.skeleton.count)
        keypoints = outputs["keypoints"][0, :count]
        boxes = outputs["boxes"][0, :count] if "boxes" in outputs else [people.bounds(k) for k in keypoints]
        return Poses(keypoints, outputs["scores"][0, :count], np.asarray(boxes)).mapped(affine.inverse)
