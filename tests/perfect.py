"""A perfect network of whole images, in NumPy: it sees where in a view a photo lies, and knows who is on the photo."""

import bodies
import numpy as np

from benchmarks.ideal import drawn, standing
from tfpose import geometry
from tfpose.anchors import anchors
from tfpose.decode import boxes
from tfpose.geometry import Affine
from tfpose.skeleton import OPENPOSE18
from tfpose.spec import PoseSpec

STRIDE, SIZE = 8, (256, 320)
SPEC = PoseSpec("mln", "image", SIZE, OPENPOSE18, {"name": "pafs", "stride": STRIDE, "threshold": 0.1})


def people(size: tuple[int, int], count: int = 2) -> np.ndarray:
    """Keypoints (P, 18, 3) of people who stand side by side in a photo of (height, width)."""
    return standing(count, size, bodies.body())


def photo(size: tuple[int, int], number: int = 1) -> np.ndarray:
    """A photo (H, W, 3) uint8 that the network recognises: green, its left half red too, blue as its number says."""
    image = np.zeros((*size, 3), np.uint8)
    image[..., 1], image[:, : size[1] // 2, 0], image[..., 2] = 255, 255, number
    return image


def network(*photos: tuple, shift: float = 0.0):
    """The `run` of a network that knows ((height, width), people in pixels of it) of photos number 1, 2 ...

    It sees everybody `shift` pixels of the view too far to the right.
    """

    def run(views):
        each = [_maps(view, photos, shift) for view in views]
        return {name: np.stack(maps) for name, maps in zip(("heatmaps", "pafs"), zip(*each))}

    return run


def _maps(view: np.ndarray, photos: tuple, shift: float) -> tuple[np.ndarray, np.ndarray]:
    known, there = seen(view, photos)
    grid = tuple(side // STRIDE for side in view.shape[:2])
    return drawn(mapped(known, geometry.translation(shift, 0) @ there), OPENPOSE18.pairs, grid)


def seen(view: np.ndarray, photos: tuple) -> tuple[np.ndarray, Affine]:
    """The people of the photo that a view shows, left and right exchanged in a mirrored one, and photo -> view."""
    rows, columns = (np.flatnonzero(view[..., 1].max(axis=axis) > 127) for axis in (1, 0))
    middle = view[rows[len(rows) // 2], columns]
    size, known = photos[middle[:, 2].max() - 1]
    there = geometry.resizing(len(columns) / size[1], len(rows) / size[0])
    there = geometry.translation(columns[0], rows[0]) @ there
    if middle[0, 0] < middle[-1, 0]:
        return known[:, list(OPENPOSE18.mirror)], there @ geometry.mirroring(size[1])
    return known, there


def told(people: np.ndarray, size: tuple[int, int]) -> dict:
    """What a perfect detector says of a view of `size` with boxes (P, 4): at each anchor the box most like it."""
    among = anchors(size)
    alike = np.stack([boxes.overlaps(box, among) for box in people])
    codes = boxes.coded(people[alike.argmax(axis=0)], among).astype(np.float32)
    return {"boxes": codes, "scores": 12 * (alike.max(axis=0)[:, None].astype(np.float32) - 0.5)}


def mapped(keypoints: np.ndarray, affine: Affine) -> np.ndarray:
    """The keypoints (P, K, 3) in another frame."""
    return np.concatenate([affine.apply(keypoints[..., :2]), keypoints[..., 2:]], axis=-1)


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest distance (pixels) of a found keypoint from the true one, both (P, 18, 3) in any order of people."""
    assert found.shape == expected.shape, (found.shape, expected.shape)
    neck = OPENPOSE18.index("neck")
    first, second = (k[np.argsort(k[:, neck, 0]), :, :2] for k in (found, expected))
    return float(np.linalg.norm(first - second, axis=-1).max(initial=0))
