"""Random people of OpenPose's skeleton for the tests of maps: upright bodies, in pixels of a view."""

import numpy as np

from tfpose.skeleton import OPENPOSE18

# Where a body's keypoints are, as fractions of its height, from the middle of the head's top.
MIDDLE = {"nose": 0.08, "neck": 0.19}
SIDE = {
    **{"shoulder": (0.11, 0.2), "elbow": (0.17, 0.36), "wrist": (0.2, 0.52), "hip": (0.08, 0.52)},
    **{"knee": (0.1, 0.75), "ankle": (0.11, 0.96), "eye": (0.03, 0.06), "ear": (0.06, 0.08)},
}


def body() -> np.ndarray:
    """The keypoints (18, 2) of a body of height 1, facing the viewer."""
    places = {name: (0.0, y) for name, y in MIDDLE.items()}
    for part, (x, y) in SIDE.items():
        places |= {f"left_{part}": (x, y), f"right_{part}": (-x, y)}
    return np.array([places[name] for name in OPENPOSE18.keypoints])


def crowd(rng: np.random.Generator, shape: tuple[int, ...], view: tuple[int, int], visible: float = 1.0) -> np.ndarray:
    """Keypoints (*shape, 18, 3) float32 of people anywhere in a view (height, width), a share `visible` labelled."""
    height = rng.uniform(0.3, 0.9, (*shape, 1, 1)) * view[0]
    top = rng.uniform((0, -0.1), (1, 0.6), (*shape, 1, 2)) * view[::-1]
    points = top + height * (body() + rng.normal(0, 0.03, (*shape, 18, 2)))
    known = rng.random((*shape, 18, 1)) < visible
    return (np.concatenate([points, np.full_like(points[..., :1], 2)], axis=-1) * known).astype(np.float32)
