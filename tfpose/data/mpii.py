"""MPII annotations in the json form of the HRNet code -> the same records as COCO's."""

import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from tfpose.data.coco import Record, Split
from tfpose.skeleton import Skeleton

SCALE = 200.0  # pixels of a person's height that "scale" counts as one


def load(
    annotations: Path, images: Path | None, skeleton: Skeleton, *, on_bad: str = "refuse", keep: tuple | None = None
) -> Split:
    """The records of an MPII json (.json or .json.gz): a list of {image, joints, joints_vis, center, scale}.

    A person's box is the square of side 200 * scale about the centre. Images are numbered from 1 in order of name, and
    `keep` is as in `coco.load`. Raises ValueError for another form, and for what is broken with on_bad="refuse".
    """
    path = Path(annotations)
    entries = _read(path)
    people, problems = defaultdict(list), []
    for number, entry in enumerate(entries, 1):
        if problem := _problem(entry, skeleton.count):
            problems.append(f"{path}: entry {number}: {problem}")
        else:
            people[entry["image"]].append((number, entry))
    records = []
    for identity, name in enumerate(sorted(people), 1):
        if keep is not None and (identity % keep[0] == keep[1]) != keep[2]:
            continue
        try:
            records.append(_record(identity, images, name, people[name], skeleton.count))
        except OSError as error:
            problems.append(f"{path}: image {name}: {error}")
    if problems and on_bad == "refuse":
        raise ValueError(
            f"{len(problems)} problem(s) in {path}: {'; '.join(problems[:3])}; "
            "mend the data, or leave such records out with data.bad_records=skip"
        )
    return Split(tuple(records), tuple(problems))


def _read(path: Path) -> list:
    if not path.is_file():
        raise ValueError(f"{path}: no such annotation file")
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            entries = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError, OSError, EOFError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected MPII's form, a list of people; found {type(entries).__name__}")
    return entries


def _problem(entry: dict, count: int) -> str | None:
    if missing := {"image", "joints", "joints_vis", "center", "scale"} - set(entry):
        return f"lacks {', '.join(sorted(missing))}"
    if len(entry["joints"]) != count or len(entry["joints_vis"]) != count:
        return f"{len(entry['joints'])} joints, expected {count}"
    numbers = [*np.ravel(entry["joints"]), *entry["center"], entry["scale"]]
    return None if np.isfinite(numbers).all() else "its numbers are not finite"


def _record(identity: int, folder: Path | None, name: str, people: list, count: int) -> Record:
    width, height = 0, 0
    if folder:
        with Image.open(Path(folder) / name) as image:
            width, height = image.size
    keypoints = [
        np.column_stack([e["joints"], 2 * (np.array(e["joints_vis"]) > 0)]) * (np.array(e["joints_vis"]) > 0)[:, None]
        for _, e in people
    ]
    sides = np.array([e["scale"] * SCALE for _, e in people])
    corners = np.array([e["center"] for _, e in people]) - sides[:, None] / 2
    return Record(
        identity,
        str(Path(folder) / name) if folder else "",
        width,
        height,
        np.array(keypoints, np.float32).reshape(-1, count, 3),
        np.column_stack([corners, sides, sides]).astype(np.float32),
        (sides**2).astype(np.float32),
        np.array([number for number, _ in people], np.int64),
    )
