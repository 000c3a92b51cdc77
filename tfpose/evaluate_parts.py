"""What a network of boxes, peaks and a mask is measured by beside its poses: each part by itself.

MultiPoseNet's Table 3: its poses where the boxes, or the keypoints, or both, are those of the annotations. They say
what the detector, the heatmaps and the rule that brings them together lose.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfpose.decode.inboxes import InBoxes
from tfpose.metrics.segmentation import Overlap
from tfpose.poses import Poses
from tfpose.predict_images import ImagePredictor, Parts

OWN, ANNOTATED = "own", "annotations"


@dataclass(frozen=True, eq=False)
class Found:
    """What was found on every record: its poses, the boxes as COCO results, and the masks' overlap with the truth."""

    poses: list[Poses]
    boxes: list[dict]
    overlap: Overlap


def find(
    predictor: ImagePredictor,
    records: list,
    images: Iterable[np.ndarray],
    category: int,
    *,
    keypoints: str = OWN,
    boxes: str = OWN,
) -> Found:
    """What the predictor finds on the records' images, with the "own" keypoints and boxes or the "annotations"'."""
    found = Found([], [], Overlap())
    for record, parts in zip(records, predictor.parts(images), strict=True):
        found.poses.append(poses(predictor.decode, parts, record, keypoints=keypoints, boxes=boxes))
        common = {"image_id": int(record.image_id), "category_id": category}
        found.boxes.extend(
            common | {"bbox": box.tolist(), "score": float(score)} for box, score in zip(parts.boxes, parts.scores)
        )
        body = record.person_mask()
        # Of whom nobody marked the keypoints the outline is known all the same.
        found.overlap.add(body, parts.mask, record.ignore_mask() & ~body)
    return found


def poses(decoder: InBoxes, parts: Parts, record, *, keypoints: str, boxes: str) -> Poses:
    """The people of an image in its pixels, best first."""
    candidates = annotated(record.keypoints) if keypoints == ANNOTATED else parts.candidates
    if boxes == ANNOTATED:
        return decoder.poses(candidates, record.boxes.astype(float), np.ones(len(record.boxes)))
    return decoder.poses(candidates, parts.boxes, parts.scores)


def annotated(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints (P, K, 3) that are labelled as candidates (N, 4): kind, x, y, and a score of 1."""
    person, kind = np.nonzero(keypoints[..., 2] > 0)
    return np.column_stack([kind, keypoints[person, kind, :2], np.ones(len(kind))])
