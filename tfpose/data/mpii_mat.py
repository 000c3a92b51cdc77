"""MPII's MATLAB files: the official annotations as entries of the json form, and the validation set's head boxes."""

import zlib
from pathlib import Path

import numpy as np

from tfpose import paths
from tfpose.skeleton import MPII16

HEAD = ("x1", "y1", "x2", "y2")


def read(path: Path) -> list[dict]:
    """The people of the training images of mpii_human_pose_v1_u12_1.mat, coordinates counted from 1.

    Each is {image, joints, joints_vis, hidden, center, scale, head_box}, without what the file does not say. Images of
    the test set have no joints and are left out, as is a person with neither joints nor a place; `single_person`, who
    stands apart from others, is not looked at. Raises ValueError where the file is missing or of another form.
    """
    release = _load(path, "RELEASE", "annolist and img_train")
    try:
        images, trained = _each(release["annolist"]), np.atleast_1d(release["img_train"])
        rects = [
            (image["image"]["name"], rect)
            for image, train in zip(images, trained, strict=True)
            if train
            for rect in _each(image.get("annorect"))
        ]
        found = [_entry(name, rect) for name, rect in rects]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path}: not of the form of MPII's official annotations: {error!r}") from error
    return [entry for entry in found if any(entry["joints_vis"]) or "center" in entry]


def heads(path: Path) -> list[list[float]]:
    """The head boxes [x1, y1, x2, y2] of a file's people in their order, out of `headboxes_src` (corner, x or y, N)."""
    corners = np.asarray(_load(path, "headboxes_src", "an array of 2 x 2 x people"), np.float64)
    corners = corners[..., None] if corners.ndim == 2 else corners
    if corners.shape[:2] != (2, 2):
        raise ValueError(f"{path}: headboxes_src is {corners.shape}; expected 2 x 2 x people")
    return corners.reshape(4, -1).T.tolist()


def _load(path: Path, name: str, content: str):
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not paths.path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with paths.path(path).open("rb") as file:
            variables = loadmat(file, simplify_cells=True, variable_names=[name])
    except (MatReadError, ValueError, TypeError, OSError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{path}: not a MATLAB file that can be read: {error}") from error
    if name not in variables:
        raise ValueError(f"{path}: has no variable {name}; expected it to hold {content}")
    return variables[name]


def _each(value) -> list:
    """The elements of a struct array, which MATLAB gives as one element, several, or an empty array."""
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def _entry(name: str, rect: dict) -> dict:
    joints, known, hidden = np.zeros((MPII16.count, 2)), [0] * MPII16.count, [0] * MPII16.count
    points = rect.get("annopoints")
    for point in _each(points["point"]) if isinstance(points, dict) else []:
        joint = range(MPII16.count)[int(point["id"])]
        joints[joint] = point["x"], point["y"]
        known[joint], hidden[joint] = 1, int(_hidden(point.get("is_visible", "")))
    entry = {"image": name, "joints": joints.tolist(), "joints_vis": known, "hidden": hidden}
    corners = [rect.get(corner) for corner in HEAD]
    if all(map(_there, corners)):
        entry["head_box"] = [float(c) for c in corners]
    return entry | _place(rect, entry.get("head_box") if not any(known) else None)


def _hidden(visible) -> bool:
    """Whether a joint is said to be hidden: 0 or '0'. Empty, as for neck and head top, says nothing."""
    return _there(visible) and int(visible) == 0


def _place(rect: dict, head: list[float] | None) -> dict:
    """{center, scale} of a person; of the head for a person of whom nothing else is known; empty without either."""
    spot, scale = rect.get("objpos"), rect.get("scale")
    if isinstance(spot, dict) and _there(scale):
        return {"center": [float(spot["x"]), float(spot["y"])], "scale": float(scale)}
    if head is None:
        return {}
    x1, y1, x2, y2 = head
    return {"center": [(x1 + x2) / 2, (y1 + y2) / 2], "scale": max(x2 - x1, y2 - y1) / 200}


def _there(value) -> bool:
    return value is not None and np.size(value) == 1 and value != ""
