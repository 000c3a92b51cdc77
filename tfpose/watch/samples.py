"""The best and the worst photos of a validation: the people found beside the truth, ranked by how alike they are."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tfpose import draw, geometry, paths
from tfpose.decode import boxes as rectangles
from tfpose.metrics.oks import oks
from tfpose.poses import Poses
from tfpose.predict import read_image
from tfpose.skeleton import Skeleton
from tfpose.watch import files

FILE = "samples.json"
SHOWN = 4  # of the best, and of the worst
SIDE = 300  # the longer side of a picture's half, in pixels
AROUND = 0.25  # of the people's extent that is shown around them
QUALITY = 82
NIGHT = 40  # the grey of a photo that is not there
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
OKS, IOU = "OKS", "IoU of boxes"


@dataclass(frozen=True, eq=False)
class Pair:
    """What was found on one photo, and its record: the truth."""

    record: object
    found: Poses
    likeness: float


def pairs(records: list, found: list[Poses], skeleton: Skeleton, measure: str = OKS) -> list[Pair]:
    """The photos on which somebody is labelled, the best first."""
    alike = (likeness(people, record, skeleton, measure) for record, people in zip(records, found, strict=True))
    known = [Pair(r, f, a) for r, f, a in zip(records, found, alike) if a is not None]
    return sorted(known, key=lambda pair: -pair.likeness)


def likeness(found: Poses, record, skeleton: Skeleton, measure: str = OKS) -> float | None:
    """The mean OKS (or IoU) of a photo's labelled people, 0 to 1, with those found; None where nobody is labelled.

    As in COCO's protocol who was found, the best score first, stands for the one that he is most like of those left; a
    person whom nobody stands for has 0.
    """
    labelled = np.flatnonzero((record.keypoints[..., 2] > 0).any(axis=1))
    if not len(labelled):
        return None
    if not len(found):
        return 0.0
    if measure == IOU:
        alike = np.stack([rectangles.overlaps(box, record.boxes[labelled]) for box in found.boxes])
    else:
        alike = oks(found.keypoints, record.keypoints[labelled], record.areas[labelled], skeleton.sigmas)
    return float(matched(alike, found.scores).sum() / len(labelled))


def matched(alike: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What each of the found (N,) has of the true (M,) that it stands for, 0 where none is left; `alike` is (N, M)."""
    left, result = alike.astype(float), np.zeros(len(alike))
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        best = int(left[i].argmax())
        result[i] = max(left[i, best], 0.0)
        if result[i] > 0:
            left[:, best] = 0.0
    return result


def photo(record) -> np.ndarray:
    """A record's photo (H, W, 3) uint8; grey of its size where labels alone are known."""
    if record.path and paths.path(record.path).is_file():
        return read_image(record.path)
    return np.full((record.height, record.width, 3), NIGHT, np.uint8)


def write(
    folder: Path,
    ranked: list[Pair],
    skeleton: Skeleton,
    *,
    epoch: int,
    measure: str = OKS,
    photo: Callable = photo,
) -> None:
    """Writes samples.json: the mean of all, that of each epoch before, and pictures of the best and of the worst.

    `photo` gives a record's.
    """
    mean = float(np.mean([pair.likeness for pair in ranked]))
    before = files.taken(folder / FILE) or {}
    same = before.get("measure") == measure
    history = [[e, value] for e, value in before.get("history", []) if same and e < epoch] + [[epoch, mean]]
    worst = ranked[max(SHOWN, len(ranked) - SHOWN) :][::-1]
    content = {"measure": measure, "photos": len(ranked), "epoch": epoch, "mean": mean, "history": history}
    for name, some in (("best", ranked[:SHOWN]), ("worst", worst)):
        content[name] = [described(pair, photo(pair.record), skeleton, measure) for pair in some]
    files.put(folder / FILE, files.dumped(content))


def described(pair: Pair, image: np.ndarray, skeleton: Skeleton, measure: str) -> dict:
    """A photo's name, how alike its people are, and its picture as a JPEG, base64."""
    path = paths.path(pair.record.path)
    name = path.name if path.suffix.lower() in PHOTOS else f"image {pair.record.image_id}"
    with io.BytesIO() as memory:
        Image.fromarray(picture(pair, image, skeleton, measure)).save(memory, "JPEG", quality=QUALITY)
        jpeg = base64.b64encode(memory.getvalue()).decode()
    return {"name": name, "likeness": pair.likeness, "jpeg": jpeg}


def picture(pair: Pair, image: np.ndarray, skeleton: Skeleton, measure: str = OKS) -> np.ndarray:
    """Truth on the left, what was found on the right: the photo (H, W, 3) uint8 around its people, twice."""
    record = pair.record
    truth = Poses(record.keypoints, np.ones(len(record.boxes), np.float32), record.boxes)
    image, affine = seen(image, truth.boxes)
    boxes = measure == IOU
    halves = [draw.draw_poses(image, p.mapped(affine), skeleton, 0.0, boxes=boxes) for p in (truth, pair.found)]
    return draw.tile(halves, 2, image.shape[:2])


def seen(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, geometry.Affine]:
    """The part of a photo around boxes (P, 4), at most `SIDE` pixels high and wide, and photo -> that part."""
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    margin = AROUND * (high - low).max()
    x0, y0 = np.clip(np.floor(low - margin), 0, np.array(image.shape[1::-1]) - 1).astype(int)
    x1, y1 = np.clip(np.ceil(high + margin), (x0 + 1, y0 + 1), image.shape[1::-1]).astype(int)
    part = Image.fromarray(image[y0:y1, x0:x1])
    factor = SIDE / max(part.size)
    width, height = (max(1, round(side * factor)) for side in part.size)
    resized = geometry.resizing(width / part.width, height / part.height)
    return np.asarray(part.resize((width, height), Image.Resampling.LANCZOS)), resized @ geometry.translation(-x0, -y0)
