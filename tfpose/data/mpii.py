"""MPII annotations in the json form of the HRNet code -> the same records as COCO's."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from tfpose.data import coco, photos
from tfpose.data.coco import Record, Split
from tfpose.data.faults import finite
from tfpose.skeleton import Skeleton

SCALE = 200.0  # pixels of a person's height that "scale" counts as one
FIELDS = ("image", "joints", "joints_vis", "center", "scale")


def load(
    annotations: Path, images: Path | None, skeleton: Skeleton, *, on_bad: str = "refuse", keep: tuple | None = None
) -> Split:
    """The records of an MPII json (.json or .json.gz): a list of {image, joints, joints_vis, center, scale}.

    A person's box is the square of side 200 * scale about the centre; without keypoints it is to be ignored. Images are
    numbered from 1 in order of name, `keep` and `on_bad` are as in `coco.load`. Raises ValueError for another form.
    """
    people, problems = _people(coco.read_json(annotations), skeleton.count, annotations)
    records = []
    for identity, name in enumerate(sorted(people), 1):
        if keep is not None and (identity % keep[0] == keep[1]) != keep[2]:
            continue
        try:
            records.append(_record(identity, images, name, people[name], skeleton.count))
        except ValueError as error:
            problems.append(f"image {identity}: {error}")
    return coco.accepted(Split(tuple(records), tuple(problems)), annotations, on_bad)


def _people(entries, count: int, path: Path) -> tuple[dict, list[str]]:
    """{image: [(number, entry)]} of the entries that can be used, and the problems of the others."""
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected MPII's form, a list of people; found {type(entries).__name__}")
    people, problems = defaultdict(list), []
    for number, entry in enumerate(entries, 1):
        if fault := _fault(entry, count):
            problems.append(f"{path}: entry {number}: {fault}")
        else:
            people[entry["image"]].append((number, entry))
    return people, problems


def _fault(entry, count: int) -> str | None:
    """What is wrong with an entry, or None."""
    if not isinstance(entry, dict):
        return "expected an object"
    if missing := [name for name in FIELDS if name not in entry]:
        return f"lacks {', '.join(missing)}"
    joints, known = entry["joints"], entry["joints_vis"]
    if not isinstance(entry["image"], str):
        return f"its image is {entry['image']!r:.80}, expected a file name"
    if not finite(known) or not isinstance(joints, list) or len(joints) != count or len(known) != count:
        return f"expected {count} joints and as many joints_vis, lists of numbers"
    pairs = (*joints, entry["center"])
    if not all(finite(pair) and len(pair) == 2 for pair in pairs) or not finite([entry["scale"]]):
        return "its joints, centre or scale are not finite numbers"
    return None if entry["scale"] > 0 else f"its box has no area: scale {entry['scale']}"


def _record(identity: int, folder: Path | None, name: str, entries: list, count: int) -> Record:
    width, height = photos.size(Path(folder) / name) if folder else (0, 0)
    people = [(number, e) for number, e in entries if any(v > 0 for v in e["joints_vis"])]
    nobody = [e for _, e in entries if not any(v > 0 for v in e["joints_vis"])]
    boxes = np.array([_box(e) for _, e in people], np.float32).reshape(-1, 4)
    return Record(
        image_id=identity,
        path=str(Path(folder) / name) if folder else "",
        width=width,
        height=height,
        keypoints=np.array([_keypoints(e) for _, e in people], np.float32).reshape(-1, count, 3),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        annotation_ids=np.array([number for number, _ in people], np.int64),
        ignore=tuple(_box(e) for e in nobody),
    )


def _box(entry: dict) -> list[float]:
    side = entry["scale"] * SCALE
    return [entry["center"][0] - side / 2, entry["center"][1] - side / 2, side, side]


def _keypoints(entry: dict) -> np.ndarray:
    """(K, 3): visible (2) where joints_vis says so, else absent and zero; the form does not tell hidden ones."""
    known = np.array(entry["joints_vis"]) > 0
    return np.column_stack([entry["joints"], 2 * known]) * known[:, None]
