"""Poses as a COCO annotation file: what `predict` writes, with the scores beside the keypoints."""

import numpy as np

from tfpose.predict import COUNTED
from tfpose.skeleton import Skeleton


def category(body: Skeleton) -> dict:
    """The person category of a COCO file."""
    limbs = [[int(a) + 1, int(b) + 1] for a, b in body.pairs]  # COCO counts from one
    return {"id": 1, "name": "person", "keypoints": list(body.keypoints), "skeleton": limbs}


def annotation(result: dict, identity: int) -> dict:
    """A COCO annotation of a COCO result: scores move to `keypoint_scores`; visible is what counts in the score."""
    points = np.reshape(result["keypoints"], (-1, 3))
    visibility = np.select([points[:, 2] > COUNTED, points[:, 2] > 0], [2, 1], 0)
    known = int((visibility > 0).sum())
    keypoints = [n for (x, y), v in zip(points[:, :2].tolist(), visibility.tolist()) for n in (x, y, v)]
    area = result["bbox"][2] * result["bbox"][3]
    scored = {"keypoints": keypoints, "num_keypoints": known, "keypoint_scores": points[:, 2].tolist()}
    return {"id": identity, **result, **scored, "area": area, "iscrowd": 0}
