"""Scores of boxes for the candidate keypoints of one image -> poses, by three rules that can be compared.

Candidates are (N, 4): kind, x, y, score; boxes (B, 4) x, y, w, h with edges on pixel corners. A box looks at the
candidates inside itself enlarged by `margin` of its sides on every side. Scores are (B, N), 0 where it looks at none.
"""

import numpy as np

from tfpose.poses import Poses

NULL = 1e-9  # the score that is worth no more than having no keypoint
# Gains are counted in these parts of a factor e: of answers that are equally good no rounding then picks one.
STEPS = 4096


def enlarged(boxes, margin: float) -> np.ndarray:
    """Boxes (B, 4) with `margin` of their width and height more on every side, float64."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2] - margin * boxes[:, 2:], (1 + 2 * margin) * boxes[:, 2:]], axis=1)


def places(candidates, boxes, margin: float) -> np.ndarray:
    """Where candidates (N, 4) lie in enlarged boxes (B, 4), as fractions of the sides: (B, N, 2), 0 to 1 inside."""
    frames = enlarged(boxes, margin)[:, None]
    return (np.asarray(candidates, np.float64)[:, 1:3] + 0.5 - frames[..., :2]) / np.maximum(frames[..., 2:], 1e-6)


def inside(places) -> np.ndarray:
    """Which candidates a box looks at, (B, N) bool, of places (B, N, 2)."""
    return ((places >= 0) & (places < 1)).all(axis=-1)


def network_inputs(candidates, boxes, margin: float, count: int) -> dict:
    """What the network of `models.assignment` sees of one image, for `count` kinds: float32, a batch of one."""
    candidates, boxes = (np.asarray(a, np.float32).reshape(-1, 4) for a in (candidates, boxes))
    where = places(candidates, boxes, margin)
    shape = np.log(np.maximum(boxes[:, 3:], 1) / np.maximum(boxes[:, 2:3], 1))
    kinds = np.eye(count)[candidates[:, 0].astype(int)]
    found = {"places": where.clip(0, 1), "kinds": kinds, "inside": inside(where), "shapes": shape}
    return {name: values[None].astype(np.float32) for name, values in found.items()}


def network_scores(boxes, candidates, kinds, inside) -> tuple[np.ndarray, np.ndarray]:
    """Scores and shares (B, N) of one image's logits "boxes" and "candidates" (B, N) of the network's last pass.

    A share is the probability of the box, given the candidate; a score its geometric mean with the probability of the
    candidate, given the box and the kind (N,).
    """
    shares = _softmax(boxes, np.ones((1, boxes.shape[0]), bool)) * inside
    same = kinds[:, None] == kinds
    return np.sqrt(shares * _softmax(candidates.T, same).T) * inside, shares


def _softmax(logits, groups) -> np.ndarray:
    """Of each entry (R, C) among the rows of its group, groups (G, R) or (R, R), and a null of logit 0."""
    weights = np.exp(np.clip(logits.astype(np.float64), -60, 60))
    return weights / (1 + groups @ weights)


def peak(scores, kinds, count: int) -> np.ndarray:
    """The best candidate of every box and kind, (B, count), -1 for none; what one box takes others may take too."""
    return _each_kind(scores, kinds, count, _best)


def mutual(scores, kinds, count: int) -> np.ndarray:
    """The best candidate of every box and kind among those that score highest in just this box, (B, count), or -1.

    The rule of the public code of Kocabas et al.: "MultiPoseNet" (ECCV 2018).
    """
    return _each_kind(scores, kinds, count, _mutual)


def assigned(scores, kinds, count: int) -> np.ndarray:
    """The candidates with the largest product of scores / NULL, none of them in two boxes: (B, count), -1 for none."""
    return _each_kind(scores, kinds, count, lambda s: matched(np.rint(STEPS * np.log(np.maximum(s, NULL) / NULL))))


RULES = {"peak": peak, "mutual": mutual, "assigned": assigned}


def _each_kind(scores, kinds, count: int, rule) -> np.ndarray:
    chosen = np.full((len(scores), count), -1)
    for kind in np.unique(kinds) if len(scores) else ():
        candidates = np.flatnonzero(kinds == kind)
        found = rule(scores[:, candidates])
        chosen[:, kind] = np.where(found < 0, -1, candidates[found])
    return chosen


def _best(scores) -> np.ndarray:
    if not scores.size:
        return np.full(len(scores), -1)
    return np.where(scores.max(axis=1) > 0, scores.argmax(axis=1), -1)


def _mutual(scores) -> np.ndarray:
    return _best(np.where(np.arange(len(scores))[:, None] == scores.argmax(axis=0), scores, 0))


def matched(gains) -> np.ndarray:
    """The columns (R,) that rows get, each at most once, so that the sum of gains (R, C) is largest; -1 for none.

    No row gets a column whose gain is not above 0. By shortest augmenting paths, row after row: Jonker, Volgenant: "A
    shortest augmenting path algorithm for dense and sparse linear assignment problems" (1987).
    """
    gains = np.maximum(np.asarray(gains, np.float64), 0)
    wanted = np.flatnonzero((gains > 0).any(axis=0))
    firsts = _best(gains)
    if len(set(firsts[firsts >= 0])) == (firsts >= 0).sum():
        return firsts  # nobody is in another's way
    # A column of its own, worth nothing, lets every row do without.
    costs = np.concatenate([-gains[:, wanted], np.zeros((len(gains), len(gains)))], axis=1)
    owner, prices = np.full(costs.shape[1], -1), np.zeros(costs.shape[1])
    for row in range(len(costs)):
        _augment(row, costs, owner, prices)
    result, held = np.full(len(gains), -1), np.flatnonzero(owner[: len(wanted)] >= 0)
    result[owner[held]] = wanted[held]
    return np.where(gains[np.arange(len(gains)), result] > 0, result, -1)


def _augment(row: int, costs, owner, prices) -> None:
    """Gives `row` a column along the cheapest path of others' moves; in place, reduced costs stay at least 0."""
    cheapest, before = np.full(len(prices), np.inf), np.full(len(prices), -1)
    done, last, length = np.zeros(len(prices), bool), -1, 0.0
    here, base = row, 0.0
    while here >= 0:
        reduced = length + costs[here] - prices - base
        better = ~done & (reduced < cheapest)
        cheapest[better], before[better] = reduced[better], last
        last = int(np.where(done, np.inf, cheapest).argmin())
        length, here = cheapest[last], owner[last]
        done[last] = True
        base = costs[here, last] - prices[last] if here >= 0 else 0.0  # an owner's own column is its cheapest
    prices[done] -= length - cheapest[done]
    while before[last] >= 0:
        owner[last] = owner[before[last]]
        last = before[last]
    owner[last] = row


def poses(chosen, candidates, shares, boxes) -> Poses:
    """The people of boxes (B, 4) with the candidates chosen (B, K), of which shares (B, N) are a box's own.

    A pose scores the mean share of its keypoints, and a keypoint its share times the candidate's score. A box without
    any keypoint gives no pose.
    """
    stay = (chosen >= 0).any(axis=1)
    chosen, shares = chosen[stay], shares[stay]
    known, index = chosen >= 0, np.maximum(chosen, 0)
    if not len(chosen):
        candidates, shares = np.zeros((1, 4)), np.zeros((0, 1))
    share = np.where(known, np.take_along_axis(shares, index, axis=1), 0)
    keypoints = candidates[index][..., 1:] * known[..., None]
    keypoints[..., 2] *= share
    scores = share.sum(axis=1) / known.sum(axis=1)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)[stay]
    return Poses(keypoints.astype(np.float32), scores.astype(np.float32), boxes)
