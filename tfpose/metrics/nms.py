"""OKS-NMS: of an image's poses that are nearly the same, the best stays, and the others are dropped or lowered."""

from dataclasses import dataclass, replace

import numpy as np

from tfpose import geometry
from tfpose.metrics.oks import oks
from tfpose.poses import Poses
from tfpose.spec import PoseSpec

KINDS = ("none", "hard", "soft")


@dataclass(frozen=True)
class Nms:
    """What happens to a pose that is like a better one of its image.

    "hard" drops it where its similarity to one that stays is above `threshold`. "soft" multiplies its score by
    exp(-similarity^2 / threshold) for each better one, the scores already lowered (Bodla et al. 2017, Soft-NMS; HRNet's
    code does so to choose 20 poses, and hands on their old scores).
    """

    kind: str = "none"
    threshold: float = 0.9

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"nms: found {self.kind!r}; choose from {', '.join(KINDS)}")

    def __call__(self, people: Poses, spec: PoseSpec) -> Poses:
        """The poses of one image that stay, in their order, with their scores; none is looked at twice."""
        if self.kind == "none" or not len(people):
            return people
        alike = similarities(people.keypoints, crop_areas(people.boxes, spec), spec.skeleton.sigmas)
        if self.kind == "soft":
            return replace(people, scores=lowered(people, alike, self.threshold))
        stay = best(people, alike, self.threshold)
        return Poses(people.keypoints[stay], people.scores[stay], people.boxes[stay])


def similarities(keypoints: np.ndarray, areas: np.ndarray, sigmas) -> np.ndarray:
    """The OKS (N, N) of found people (N, K, 3) to each other: every keypoint counts, a pair's area is its mean area."""
    areas = np.asarray(areas, np.float64)
    everything = np.concatenate([keypoints[..., :2], np.ones_like(keypoints[..., :1])], axis=-1)
    return oks(everything, everything, (areas[:, None] + areas[None]) / 2, sigmas)


def crop_areas(boxes: np.ndarray, spec: PoseSpec) -> np.ndarray:
    """The areas (N,), in pixels of the image, of what was looked at for boxes (N, 4): padded, in the view's aspect.

    This is the area that HRNet's and SimpleBaseline's code compares poses by; a person's own would be smaller.
    """
    crops = [geometry.crop(box, spec.size, padding=spec.padding) for box in boxes]
    return np.array([spec.size[0] * spec.size[1] / crop.magnification**2 for crop in crops])


def best(people: Poses, alike: np.ndarray, threshold: float) -> np.ndarray:
    """The indices, ascending, of the poses that are at most `threshold` alike to every better one that stays."""
    stay = []
    for i in np.lexsort((_places(people), -people.scores)):
        if (alike[i, stay] <= threshold).all():
            stay.append(i)
    return np.sort(stay)


def lowered(people: Poses, alike: np.ndarray, threshold: float) -> np.ndarray:
    """The scores (N,) after the best lowered all others, the best of those all that were left, and so on."""
    scores, places, left = people.scores.astype(np.float64), _places(people), list(range(len(people)))
    while left:
        i = min(left, key=lambda pose: (-scores[pose], places[pose]))
        left.remove(i)
        scores[left] *= np.exp(-(alike[i, left] ** 2) / threshold)
    return scores


def _places(people: Poses) -> np.ndarray:
    # Of equal scores the pose decides: what stays must not depend on the order of the detections.
    content = np.concatenate([people.keypoints.reshape(len(people), -1), people.boxes], axis=1)
    return np.argsort(np.lexsort(content.T))
