"""The decoder of networks that say whose keypoint is whose, and the file in which such a network ships: NumPy alone.

Candidates are (N, 4): kind, x, y, score; boxes (P, 4) x, y, w, h with edges on pixel corners.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tfpose.decode import assign, forward, prn
from tfpose.poses import Poses
from tfpose.skeleton import Skeleton

FILE = "assign.npz"
NETWORKS = ("residual", "assignment")


@dataclass(frozen=True)
class Owners:
    """What a `network`, "residual" or "assignment", is asked of boxes and candidates, and what its answer means.

    Boxes are enlarged by `margin` of their sides on each side; the residual network sees `grid` (height, width) cells
    of them. `rule`, one of `assign.RULES`, says who gets what.
    """

    skeleton: Skeleton
    network: str
    margin: float = 0.21
    grid: tuple[int, int] = (56, 36)
    rule: str = "assigned"

    def __post_init__(self):
        for option, choices in (("network", NETWORKS), ("rule", tuple(assign.RULES))):
            if getattr(self, option) not in choices:
                raise ValueError(f"decoder: {option} {getattr(self, option)!r}; choose from {', '.join(choices)}")

    def inputs(self, candidates, boxes) -> dict[str, np.ndarray]:
        """What the network sees of one image, float32."""
        if self.network == "residual":
            return {"maps": prn.inputs(candidates, boxes, tuple(self.grid), self.margin, self.skeleton.count)}
        return assign.network_inputs(candidates, boxes, self.margin, self.skeleton.count)

    def scores(self, outputs: dict, candidates, boxes) -> tuple[np.ndarray, np.ndarray]:
        """What boxes score for candidates, and how much of each candidate is a box's own, both (P, N)."""
        if self.network == "residual":
            scores = prn.network_scores(outputs["poses"], candidates, boxes, self.margin)
            return scores, prn.shares(scores)
        inside = assign.inside(assign.places(candidates, boxes, self.margin))
        logits = (outputs[side][0] for side in ("boxes", "candidates"))
        return assign.network_scores(*logits, candidates[:, 0].astype(int), inside)

    def worth(self, outputs: dict, candidates, boxes) -> np.ndarray:
        """What candidates that were found, with scores of their own, are worth to boxes that were, (P, N).

        The residual network's sum is its paper's. Of the other network only whose a candidate is counts, times the
        candidate's score: which one of a kind a person has is better said by the heatmap than by the places of all.
        """
        scores, shares = self.scores(outputs, candidates, boxes)
        return scores if self.network == "residual" else shares * candidates[:, 3]

    def poses(self, scores, shares, candidates, boxes, rule: str = "") -> Poses:
        """The people of boxes by their scores, and by another rule than its own where one is named."""
        chosen = assign.RULES[rule or self.rule](scores, candidates[:, 0].astype(int), self.skeleton.count)
        return assign.poses(chosen, candidates, shares, boxes)


def save(path: Path, layout: dict, weights: dict[str, np.ndarray]) -> None:
    """Writes a network as one file, its weights {"layer/kernel": array} as float16.

    `layout` has the decoder's "network", "margin" and "grid", the number of "keypoints", and what the network does
    beside its weights: "residual", or "passes".
    """
    arrays = {name: np.asarray(values).astype(np.float16) for name, values in weights.items()}
    with Path(path).open("wb") as file:
        np.savez(file, layout=np.array(json.dumps(layout)), **arrays)


def load(path: Path | str, skeleton: Skeleton) -> tuple[Owners, Callable]:
    """The decoder of a file that `save` wrote, and its network: named inputs -> named outputs.

    ValueError where there is no such file, it is none of these, or it is of another number of keypoints.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file, in which a network says whose keypoints are whose; copy it there")
    layout, run = _read(path, path.stat().st_mtime_ns)
    if layout["keypoints"] != skeleton.count:
        raise ValueError(f"{path}: for {layout['keypoints']} keypoints; {skeleton.name} has {skeleton.count}")
    return Owners(skeleton, layout["network"], layout["margin"], tuple(layout["grid"])), run


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> tuple[dict, Callable]:  # noqa: ARG001
    try:
        with np.load(path) as file:
            layout = json.loads(str(file["layout"]))
            weights = {name: file[name].astype(np.float32) for name in file.files if name != "layout"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not the file of a network that assigns keypoints ({error})") from error
    if layout["network"] == "residual":
        return layout, forward.Residual(weights, layout["residual"])
    return layout, forward.Assignment(weights, tuple(layout["grid"]), layout["passes"])
