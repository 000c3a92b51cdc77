"""Object keypoint similarity: how alike two people are, on COCO's scale from 0 to 1."""

import numpy as np


def oks(found: np.ndarray, truth: np.ndarray, areas: np.ndarray, sigmas) -> np.ndarray:
    """The similarity (N, M) of found (N, K, 3) and true (M, K, 3) keypoints; `areas` (M,) or (N, M) in square pixels.

    Only labelled keypoints count; a true person without any is similar to nobody (cocodataset.org, keypoints-eval).
    """
    labelled = truth[:, :, 2] > 0
    squared = ((found[:, None, :, :2] - truth[None, :, :, :2]) ** 2).sum(axis=-1)
    scale = 2 * (np.asarray(areas, np.float64) + np.spacing(1))[..., None] * (2 * np.asarray(sigmas, np.float64)) ** 2
    similar = np.exp(-squared / scale) * labelled
    return similar.sum(axis=-1) / np.maximum(labelled.sum(axis=-1), 1)
