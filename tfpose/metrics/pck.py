"""PCK: the share of keypoints found within a fraction of the torso's length of the truth."""

import numpy as np

from tfpose.skeleton import COCO17, LSP14, Skeleton

TORSO = ("left_shoulder", "right_hip")
COMMON = [name for name in COCO17.keypoints if name in LSP14.keypoints]  # 12, which MPII has too


def pck(truth: list[np.ndarray], found: list[np.ndarray], skeleton: Skeleton, threshold: float = 0.2) -> dict:
    """{"PCK", "PCK12": shares, "persons", "skipped", "keypoints": {name: share}} of people (P, K, 3), image by image.

    Person i of an image in `truth` was found as person i in `found`. Every labelled keypoint counts once; the torso
    goes from left shoulder to right hip, and a person without both is skipped. "PCK12" counts COMMON alone, so that
    networks of different skeletons can be compared. A share of nothing is None.
    """
    true = np.concatenate([np.zeros((0, skeleton.count, 3)), *truth])
    guess = np.concatenate([np.zeros((0, skeleton.count, 3)), *found])
    assert true.shape[:2] == guess.shape[:2], f"{guess.shape} found for {true.shape}"
    ends = [skeleton.index(name) for name in TORSO]
    torso = np.hypot(*(true[:, ends[0], :2] - true[:, ends[1], :2]).T)
    known = (true[:, ends, 2] > 0).all(axis=1) & (torso > 0)
    near = np.hypot(*np.moveaxis(guess[..., :2] - true[..., :2], -1, 0)) <= threshold * torso[:, None]
    counted = (true[..., 2] > 0) & known[:, None]
    hits, counts = (near & counted).sum(axis=0), counted.sum(axis=0)
    common = np.isin(skeleton.keypoints, COMMON)
    shares = {name: _share(h, c) for name, h, c in zip(skeleton.keypoints, hits, counts)}
    return {
        "PCK": _share(hits.sum(), counts.sum()),
        "PCK12": _share(hits[common].sum(), counts[common].sum()),
        "persons": int(known.sum()),
        "skipped": int((~known).sum()),
        "keypoints": shares,
    }


def _share(hits: int, count: int) -> float | None:
    return float(hits / count) if count else None
