"""What is seen of whom: keypoints with their visibility, and masks, from who owns the pixels."""

from dataclasses import dataclass

import numpy as np

from tfpose.data.drawn.canvas import PARTS_PER_PERSON, owner
from tfpose.data.drawn.figures import SIDES, Figure
from tfpose.data.drawn.heads import faces_viewer
from tfpose.skeleton import COCO17, mirrored

PERSON, MASK_ONLY, CROWD = "person", "mask", "crowd"
_REACH = 0.07  # a covered keypoint is labelled if its limb shows within this share of the height
_LEAST_SEEN = 4  # visible keypoints; of whom less is seen, only the mask is annotated
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_WIDTH = {"shoulder": 0.216, "hip": 0.124}
_OWN = {"nose": ("head",), "left_eye": ("head",), "right_eye": ("head",)}
for _side in SIDES:
    _OWN |= {
        f"{_side}_ear": (f"{_side}_ear",),
        f"{_side}_shoulder": ("trunk", f"{_side}_upper_arm"),
        f"{_side}_elbow": (f"{_side}_upper_arm", f"{_side}_forearm"),
        f"{_side}_wrist": (f"{_side}_forearm", f"{_side}_hand"),
        f"{_side}_hip": ("trunk", "pelvis", f"{_side}_thigh"),
        f"{_side}_knee": (f"{_side}_thigh", f"{_side}_shin"),
        f"{_side}_ankle": (f"{_side}_shin", f"{_side}_foot"),
    }


@dataclass(frozen=True)
class Person:
    """The truth about one person, or one crowd: keypoints (17, 3) x, y, v, and the visible mask, bool (H, W)."""

    role: str  # "person" | "mask" (no keypoints) | "crowd"
    keypoints: np.ndarray
    mask: np.ndarray


def truths(figures: list[Figure], roles: list[str], owners: np.ndarray) -> list[Person]:
    """What is seen of every person; the crowd becomes one of them, and who is not seen at all is left out."""
    persons, found = owners // PARTS_PER_PERSON, []
    crowd = np.isin(persons, [number for number, role in enumerate(roles, 1) if role == CROWD])
    if crowd.any():
        found.append(Person(CROWD, np.zeros((COCO17.count, 3)), crowd))
    for number, (figure, role) in enumerate(zip(figures, roles), 1):
        mask = persons == number
        if role == CROWD or mask.sum() < 20:
            continue
        keypoints = _keypoints(figure, owners, number)
        labelled = role == PERSON and (keypoints[:, 2] == 2).sum() >= _LEAST_SEEN
        found.append(Person(PERSON, keypoints, mask) if labelled else Person(MASK_ONLY, 0 * keypoints, mask))
    return found


def _keypoints(figure: Figure, owners: np.ndarray, number: int) -> np.ndarray:
    keypoints = np.zeros((COCO17.count, 3))
    for index, name in enumerate(COCO17.keypoints):
        x, y = (round(float(value), 2) for value in figure.points[name][:2])
        visibility = _visibility(figure, owners, number, name, x, y)
        if visibility:
            keypoints[index] = x, y, visibility
    return keypoints


def _visibility(figure: Figure, owners: np.ndarray, number: int, name: str, x: float, y: float) -> int:
    """0 outside the picture, turned away or with nothing of its limb in sight; 1 covered; 2 its own part is on top."""
    height, width = owners.shape
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return 0
    if name in _FACE and not faces_viewer(figure, name, -0.3 if "ear" not in name else -0.45):
        return 0
    row, column = round(y), round(x)
    own = [owner(number, part) for part in _OWN[name]]
    if owners[row, column] in own and _near_side(figure, name):
        return 2
    reach = max(2, round(_REACH * figure.scale))
    near = owners[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return int(np.isin(near, own + [owner(number, "head")] * ("ear" in name)).any())


def _near_side(figure: Figure, name: str) -> bool:
    """Whether a keypoint lies on the seen side: not the far shoulder or hip, nor an eye beyond the nose."""
    if name in _FACE:
        return faces_viewer(figure, name, 0.08 if "ear" not in name else -0.35)
    if "shoulder" in name or "hip" in name:
        nearer = figure.points[name][2] - figure.points[mirrored(name)][2]
        return nearer > -0.75 * _WIDTH[name.split("_")[1]] * figure.scale
    return True
