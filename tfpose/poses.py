"""Poses: what every decoder returns, and its way to and from COCO's result format."""

from dataclasses import dataclass

import numpy as np

from tfpose.geometry import Affine


@dataclass(frozen=True, eq=False)
class Poses:
    """N people in one image: keypoints (N, K, 3), x and y in pixels, score; scores (N,); boxes (N, 4) x, y, w, h."""

    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray

    def __post_init__(self):
        assert self.keypoints.ndim == 3 and self.keypoints.shape[2] == 3, self.keypoints.shape
        assert len(self.keypoints) == len(self.scores) == len(self.boxes)

    def __len__(self) -> int:
        return len(self.scores)

    def mapped(self, affine: Affine) -> "Poses":
        """The same people in another frame; boxes become the bounds of their mapped corners."""
        points = affine.apply(self.keypoints[..., :2])
        keypoints = np.concatenate([points, self.keypoints[..., 2:]], axis=-1)
        return Poses(keypoints.astype(np.float32), self.scores, mapped_boxes(self.boxes, affine))

    def to_coco(self, image_id: int, category_id: int = 1) -> list[dict]:
        """One COCO keypoint result per person, coordinates rounded to 0.01 px."""
        return [
            {
                "image_id": int(image_id),
                "category_id": category_id,
                "keypoints": [round(float(v), 4 if i % 3 == 2 else 2) for i, v in enumerate(keypoints.reshape(-1))],
                "score": float(score),
                "bbox": [round(float(v), 2) for v in box],
            }
            for keypoints, score, box in zip(self.keypoints, self.scores, self.boxes)
        ]


def empty(count: int) -> Poses:
    """Nobody, for a skeleton of `count` keypoints."""
    return Poses(np.zeros((0, count, 3), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))


def from_coco(results: list[dict], count: int) -> Poses:
    """The people of one image out of COCO keypoint results; a result without a box gets its keypoints' bounds."""
    if not results:
        return empty(count)
    keypoints = np.array([r["keypoints"] for r in results], np.float32).reshape(len(results), -1, 3)
    if keypoints.shape[1] != count:
        raise ValueError(f"results with {keypoints.shape[1]} keypoints; the skeleton has {count}")
    scores = np.array([r["score"] for r in results], np.float32)
    boxes = [r["bbox"] if "bbox" in r else bounds(k) for r, k in zip(results, keypoints)]
    return Poses(keypoints, scores, np.array(boxes, np.float32))


def bounds(keypoints: np.ndarray) -> np.ndarray:
    """The box (4,) around one person's keypoints (K, 3); keypoints with score 0 are left out where any has more."""
    known = keypoints[keypoints[:, 2] > 0] if (keypoints[:, 2] > 0).any() else keypoints
    low, high = known[:, :2].min(axis=0), known[:, :2].max(axis=0)
    return np.concatenate([low, high - low])


def mapped_boxes(boxes: np.ndarray, affine: Affine) -> np.ndarray:
    """Boxes (N, 4) in another frame: the bounds of their mapped corners, float32."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    # A box's edges lie on pixel corners, half a pixel before the centres that `affine` maps.
    points = affine.apply(corners - 0.5) + 0.5
    low, high = points.min(axis=1), points.max(axis=1)
    return np.concatenate([low, high - low], axis=1).astype(np.float32)
