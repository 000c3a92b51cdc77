"""Labels as scenes: the boxes of an image and its keypoints, of which nobody says whose they are.

A scene is what a detector of persons and one of keypoints would hand over, free of error or with the errors of `noisy`.
"""

from dataclasses import dataclass, replace

import numpy as np

from tfpose.skeleton import Skeleton

UNSEEN, MISSED = 0.4, 0.1  # shares of the people without any keypoint, and of the others' keypoints that are missing
SPURIOUS = 0.1  # a keypoint that is none for so many that are
SPREAD = 0.5  # an error's deviation, in sigmas of the kind times the root of the box's area
MOVED = 0.1  # of its sides a box at most, and larger or smaller


@dataclass(frozen=True, eq=False)
class Scene:
    """One image: boxes (P, 4), candidates (N, 4) kind, x, y, score in any order, and the box that each belongs to.

    `owners` (N,) are indices of boxes, -1 for a candidate that is nobody's; `persons` (P,) the annotations' ids, and
    `count` the number of kinds.
    """

    image_id: int
    persons: np.ndarray
    boxes: np.ndarray
    candidates: np.ndarray
    owners: np.ndarray
    count: int

    def keypoints(self) -> np.ndarray:
        """The keypoints (P, count, 3) of each box's own candidates."""
        result, own = np.zeros((len(self.boxes), self.count, 3), np.float32), self.owners >= 0
        result[self.owners[own], self.candidates[own, 0].astype(int)] = self.candidates[own, 1:]
        return result


def scene(record, draw: np.random.Generator) -> Scene:
    """A record's people and all their keypoints, of score 1, in an order of `draw`: that of the file tells too much."""
    people = draw.permutation(len(record.boxes))
    keypoints = record.keypoints[people]
    owners, kinds = np.nonzero(keypoints[..., 2] > 0)
    order = draw.permutation(len(owners))
    owners, kinds = owners[order], kinds[order]
    candidates = np.column_stack([kinds, keypoints[owners, kinds, :2], np.ones(len(kinds))]).astype(np.float32)
    boxes = record.boxes[people].astype(np.float32)
    return Scene(record.image_id, record.annotation_ids[people], boxes, candidates, owners, keypoints.shape[1])


def noisy(scene: Scene, sigmas, draw: np.random.Generator) -> Scene:
    """The scene as detectors might see it; `sigmas` (count,) are COCO's of each kind.

    Of 40 % of the people no keypoint is found, of the others 90 % of the keypoints, off by a normal error of half of
    COCO's sigma for the kind times the root of the box's area; one spurious keypoint for ten true ones lies anywhere
    in a box and its surroundings; boxes are moved by up to 10 % of their sides and 10 % larger or smaller.
    """
    seen = draw.random(len(scene.boxes)) >= UNSEEN
    found = seen[scene.owners] & (draw.random(len(scene.owners)) >= MISSED)
    candidates, owners = scene.candidates[found].copy(), scene.owners[found]
    spread = SPREAD * np.array(sigmas)[candidates[:, 0].astype(int)]
    spread = spread * np.sqrt(scene.boxes[owners, 2:].prod(axis=1))
    candidates[:, 1:3] += draw.normal(0, 1, (len(owners), 2)) * spread[:, None]
    spurious = _anywhere(scene, draw.binomial(len(owners), SPURIOUS), draw)
    candidates, owners = np.concatenate([candidates, spurious]), np.r_[owners, np.full(len(spurious), -1)]
    order = draw.permutation(len(owners))
    return replace(scene, boxes=_moved(scene.boxes, draw), candidates=candidates[order], owners=owners[order])


def _anywhere(scene: Scene, count: int, draw: np.random.Generator) -> np.ndarray:
    box = scene.boxes[draw.integers(len(scene.boxes), size=count)]
    points = box[:, :2] + draw.uniform(-0.2, 1.2, (count, 2)) * box[:, 2:]
    return np.column_stack([draw.integers(scene.count, size=count), points, np.ones(count)]).astype(np.float32)


def _moved(boxes, draw: np.random.Generator) -> np.ndarray:
    centres = boxes[:, :2] + boxes[:, 2:] * (0.5 + draw.uniform(-MOVED, MOVED, (len(boxes), 2)))
    sizes = boxes[:, 2:] * draw.uniform(1 - MOVED, 1 + MOVED, (len(boxes), 2))
    return np.concatenate([centres - sizes / 2, sizes], axis=1).astype(np.float32)


def mirrored(scene: Scene, skeleton: Skeleton) -> Scene:
    """The scene in a mirror that stands at the left edge of the image: left keypoints become right ones."""
    candidates, boxes = scene.candidates.copy(), scene.boxes.copy()
    candidates[:, 0] = np.array(skeleton.mirror)[candidates[:, 0].astype(int)]
    candidates[:, 1] = -1 - candidates[:, 1]
    boxes[:, 0] = -boxes[:, 0] - boxes[:, 2]
    return replace(scene, candidates=candidates, boxes=boxes)
