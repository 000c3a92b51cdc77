"""People out of a file that decodes itself: its decoder is in it, and nothing is left to be decoded."""

import numpy as np

from tfpose import poses
from tfpose.poses import Poses


def found(outputs: dict) -> bool:
    """Whether outputs are people already, and no maps."""
    return "keypoints" in outputs


def maps(outputs: dict) -> dict:
    """The outputs themselves; ValueError where they are people, which cannot be averaged or looked into."""
    if found(outputs):
        raise ValueError(
            "the file decodes itself and gives no maps: set flip to none and scales to [1.0], or take the "
            "file of its network"
        )
    return outputs


def people(outputs: dict) -> list[Poses]:
    """Each view's people in its pixels, of "keypoints" (N, P, K, 3), "scores" (N, P), "count" (N,), and any "boxes"."""
    return [_one({name: values[i] for name, values in outputs.items()}) for i in range(len(outputs["count"]))]


def _one(outputs: dict) -> Poses:
    count, keypoints = int(outputs["count"]), outputs["keypoints"]
    if not count:
        return poses.empty(keypoints.shape[1])
    keypoints = keypoints[:count]
    boxes = outputs["boxes"][:count] if "boxes" in outputs else [poses.bounds(k) for k in keypoints]
    return Poses(keypoints, outputs["scores"][:count], np.asarray(boxes, np.float32))
