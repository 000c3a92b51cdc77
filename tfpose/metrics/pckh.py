"""PCKh: the share of keypoints found within a fraction of the head's size of the truth, as the MPII benchmark has it.

A labelled keypoint is right within 0.5 (or 0.1) head sizes, at the limit too. The head's size is 0.6 of its box's
diagonal, or 0.75 of the way from neck to head top where no box is known. The means pool every labelled keypoint but
pelvis and thorax, so that one seen more often weighs more; a group is the plain mean of its left and right share, and
"Head" is the head's top alone. "AUC" is the area under the mean's curve up to 0.5, trapezoid rule, divided by 0.5.
Source: MPII's evaluatePCKh.m and HRNet's mpii.py, in per cent there; what the latter prints as "Mean@0.1" is at 0.11.
"""

import numpy as np

from tfpose.skeleton import Skeleton

HEAD_OF_DIAGONAL = 0.6  # the head's size, of its box's diagonal: the benchmark's own constant
# Where no head box is known. In MPII's validation set 0.6 diagonals are 0.75 of this way for more than 90% of people.
HEAD_OF_SEGMENT = 0.75
NECK, TOP = ("upper_neck", "neck"), ("head_top", "head")  # a skeleton has one name of each at most
UNCOUNTED = ("pelvis", "thorax")
THRESHOLDS = np.arange(51) / 100
_SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
GROUPS = {"Head": TOP} | {part.capitalize(): (f"left_{part}", f"right_{part}") for part in _SIDED}


def pckh(truth: list[np.ndarray], found: list[np.ndarray], heads: list[tuple], skeleton: Skeleton) -> dict:
    """{"PCKh", "PCKh@0.1", "AUC": means, "groups", "keypoints": {name: share}, "persons", "heads"} of people (P, K, 3).

    Person i of an image in `truth` was found as person i in `found`, and `heads` has the person's head box (x, y, w, h)
    or None; () knows none of an image. "heads" counts the people whose head's size comes from the box, from the segment
    and from neither: these are left out. A share of nothing is None. ValueError where no head's size is known.
    """
    true = np.concatenate([np.zeros((0, skeleton.count, 3)), *truth])
    guess = np.concatenate([np.zeros((0, skeleton.count, 3)), *found])
    assert true.shape[:2] == guess.shape[:2], f"{guess.shape} found for {true.shape}"
    boxes = [box for image, people in zip(heads, truth, strict=True) for box in image or [None] * len(people)]
    sizes, sources = _head_sizes(boxes, true, skeleton)
    sized = sizes > 0
    off = np.linalg.norm(guess[sized, :, :2] - true[sized, :, :2], axis=-1) / sizes[sized, None]
    labelled = true[sized, :, 2] > 0
    hits = ((off[..., None] <= THRESHOLDS) & labelled[..., None]).sum(axis=0)
    counts = labelled.sum(axis=0)
    pooled = ~np.isin(skeleton.keypoints, UNCOUNTED)
    curve = hits[pooled].sum(axis=0) / max(counts[pooled].sum(), 1)
    shares = {name: _share(h, c) for name, h, c in zip(skeleton.keypoints, hits[:, -1], counts)}
    return {
        "PCKh": float(curve[-1]),
        "PCKh@0.1": float(curve[10]),
        "AUC": float(np.trapezoid(curve, THRESHOLDS) / THRESHOLDS[-1]),
        "groups": {group: _mean([shares.get(name) for name in names]) for group, names in GROUPS.items()},
        "keypoints": shares,
        "persons": int(sized.sum()),
        "heads": sources,
    }


def table(figures: dict) -> list[str]:
    """The groups as the benchmark's tables print them, every keypoint, and where the heads' sizes come from: lines."""
    row = {name: v for name, v in figures["groups"].items() if v is not None}
    row |= {"Mean": figures["PCKh"], "Mean@0.1": figures["PCKh@0.1"]}
    heads = figures["heads"]
    return [
        "  " + "".join(f"{name:>10}" for name in row),
        "  " + "".join(f"{100 * v:10.1f}" for v in row.values()),
        *(f"  {name:<16}{100 * v:6.1f}" for name, v in figures["keypoints"].items() if v is not None),
        f"  {figures['persons']} persons; size of the head: {heads['box']} from its box, "
        f"{heads['segment']} from neck to head top, {heads['unknown']} left out because it is unknown",
    ]


def _head_sizes(boxes: list, people: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, dict]:
    """Sizes (P,) in pixels, 0 where unknown, and how many come from where; ValueError where all are unknown."""
    known = np.array([box is not None and box[2] > 0 and box[3] > 0 for box in boxes], bool)
    sizes = np.array([HEAD_OF_DIAGONAL * np.hypot(*b[2:]) if k else 0.0 for b, k in zip(boxes, known)])
    measured = np.where(known, 0.0, HEAD_OF_SEGMENT * _segments(people, skeleton))
    sizes = sizes + measured
    if not sizes.any():
        raise ValueError(
            f"evaluate.metric: pckh needs heads, and none of {len(sizes)} persons has a head box, or both neck and "
            f"head top (skeleton {skeleton.name}); name a file in data.validation.heads, or set another metric"
        )
    counts = {"box": known, "segment": measured > 0, "unknown": sizes == 0}
    return sizes, {name: int(where.sum()) for name, where in counts.items()}


def _segments(people: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The way from neck to head top (P,) in pixels, 0 where one of them is unknown."""
    ends = [skeleton.index(name) for names in (NECK, TOP) for name in names if name in skeleton.keypoints]
    if len(ends) < 2:
        return np.zeros(len(people))
    way = np.hypot(*(people[:, ends[0], :2] - people[:, ends[1], :2]).T)
    return way * (people[:, ends, 2] > 0).all(axis=1)


def _share(hits: int, count: int) -> float | None:
    return float(hits / count) if count else None


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return float(np.mean(known)) if known else None
