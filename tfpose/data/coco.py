"""COCO keypoint files as they come -> records: one per image, lazily, and nothing lost silently."""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpose import paths
from tfpose.data import faults, masks, photos
from tfpose.data.reach import Reach
from tfpose.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Record:
    """One image: P people with keypoints (P, K, 3), boxes (P, 4) and areas (P,) in pixels, and what to ignore.

    `ignore` holds COCO segmentations (polygons, run lengths) or boxes of crowds and of persons without keypoints;
    `heads` has the P people's head boxes, None where one is unknown, and is empty where the file has none at all.
    `unposed` (Q, 4) are the boxes of the persons without keypoints, no crowds; `bodies`, where they are asked for,
    the segmentations of all P + Q persons. `path` may be a record of a shard (`records.py`), a crop that has what views
    of `reach` look at.
    """

    image_id: int
    path: str
    width: int
    height: int
    keypoints: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    annotation_ids: np.ndarray
    ignore: tuple = ()
    heads: tuple[tuple[float, ...] | None, ...] = ()
    unposed: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    bodies: tuple = ()
    reach: Reach | None = None

    def ignore_mask(self) -> np.ndarray:
        """Where nothing is known of the people seen: (height, width) bool; ValueError names a broken one's image."""
        return self._mask(self.ignore, "ignore mask")

    def person_mask(self) -> np.ndarray:
        """Where somebody is, crowds left out: (height, width) bool; ValueError names a broken one's image."""
        return self._mask(self.bodies, "person mask")

    def _mask(self, segmentations: tuple, name: str) -> np.ndarray:
        try:
            return masks.union(segmentations, self.height, self.width)
        except ValueError as error:
            raise ValueError(f"image {self.image_id}: {self.path}: {name}: {error}") from error


@dataclass(frozen=True)
class Split:
    """The records of one part of a data set, and a line for everything in it that could not be used."""

    records: tuple[Record, ...]
    problems: tuple[str, ...] = ()


def load(
    annotations: Path,
    images: Path | None,
    skeleton: Skeleton,
    *,
    on_bad: str = "refuse",
    keep: tuple | None = None,
    bodies: bool = False,
) -> Split:
    """The records of a COCO keypoint file (.json or .json.gz), images in the folder `images` (None: labels only).

    `keep` = (every, remainder, inside) keeps image ids with id % every == remainder, or the others; `bodies` keeps the
    persons' segmentations. What is broken is a line in `problems` and left out with on_bad="skip", and a ValueError
    with "refuse".
    """
    content = read(annotations)
    persons = _category(content, skeleton, annotations)
    wanted, problems = _images(content["images"], images, keep, annotations)
    groups, more = _annotations(content, set(wanted), persons, skeleton.count, annotations)
    records = tuple(_record(image, path, groups[i], skeleton.count, bodies) for i, (image, path) in wanted.items())
    return accepted(Split(records, (*problems, *more)), annotations, on_bad)


def read(path: Path) -> dict:
    """The content of a COCO file; ValueError where it is missing, not JSON, or not of COCO's form."""
    content = read_json(path)
    parts = [content.get(name) for name in ("images", "annotations")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, list) for part in parts):
        raise ValueError(
            f'{path}: expected COCO\'s form, {{"images": [...], "annotations": [...], "categories": [...]}}'
        )
    return content


def read_json(path: Path):
    """What a .json or .json.gz file holds; ValueError where it is missing or not JSON."""
    path = paths.path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such annotation file")
    try:
        with path.open("rb") as file:
            return json.load(gzip.open(file) if path.suffix == ".gz" else file)
    except (json.JSONDecodeError, UnicodeDecodeError, OSError, EOFError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error


def accepted(split: Split, path: Path, on_bad: str) -> Split:
    """The split itself; ValueError where it has problems and `on_bad` is "refuse"."""
    if split.problems and on_bad == "refuse":
        count = len(split.problems)
        more = f" (and {count - 3} more)" if count > 3 else ""
        raise ValueError(
            f"{count} problem(s) in {path}: {'; '.join(split.problems[:3])}{more}; "
            "mend the data, or leave such records out with data.bad_records=skip"
        )
    return split


def _category(content: dict, skeleton: Skeleton, path: Path) -> int:
    """The id of the category that has the skeleton's keypoints, 1 where none has any; ValueError for others."""
    entries = content.get("categories") or []
    found = [c for c in entries if isinstance(c, dict) and c.get("keypoints") and "id" in c]
    for category in found:
        if tuple(category["keypoints"]) == skeleton.keypoints:
            return category["id"]
    if not found:
        return 1
    names = found[0]["keypoints"]
    raise ValueError(
        f"{path}: category {found[0].get('name')!r} has the {len(names)} keypoints {', '.join(map(str, names))}; "
        f"expected the {skeleton.count} of skeleton {skeleton.name}, {', '.join(skeleton.keypoints)}; "
        "set data.skeleton to the one of this file"
    )


def _images(entries: list, folder: Path | None, keep: tuple | None, path: Path) -> tuple[dict, list[str]]:
    """{image id: (entry, file)} of the images that are wanted, whole and there; and the problems of the others."""
    wanted, problems = {}, []
    for entry in entries:
        if problem := faults.in_image(entry):
            problems.append(f"{path}: image {entry!r:.80}: {problem}")
        elif keep is None or (entry["id"] % keep[0] == keep[1]) == keep[2]:
            if entry["id"] in wanted:
                problems.append(f"{path}: image id {entry['id']} twice ({entry['file_name']})")
            else:
                wanted[entry["id"]] = (entry, str(paths.path(folder) / entry["file_name"]) if folder else "")
    for identity, problem in photos.broken(wanted) if folder else ():
        problems.append(problem)
        del wanted[identity]
    return wanted, problems


def _annotations(content: dict, wanted: set, persons: int, count: int, path: Path) -> tuple[dict, list[str]]:
    """{image id: annotations} of the persons in the wanted images that can be used; and the problems of the others."""
    groups, problems, seen = defaultdict(list), [], set()
    listed = {i["id"] for i in content["images"] if isinstance(i, dict) and type(i.get("id")) is int}
    others = {c["id"] for c in content.get("categories") or [] if isinstance(c, dict) and "id" in c} - {persons}
    elsewhere = listed - wanted  # images not asked for, and those that have a line of their own
    for entry in content["annotations"]:
        if problem := faults.in_ids(entry):
            problems.append(f"{path}: annotation {entry!r:.80}: {problem}")
            continue
        problem = _fault(entry, seen, listed, persons, count)
        seen.add(entry["id"])
        if entry["category_id"] in others or entry["image_id"] in elsewhere:
            continue
        if problem:
            problems.append(f"{path}: annotation {entry['id']}: {problem}")
        else:
            groups[entry["image_id"]].append(entry)
    return groups, problems


def _fault(entry: dict, seen: set, listed: set, persons: int, count: int) -> str | None:
    """What is wrong with a person's annotation, or None."""
    if entry["id"] in seen:
        return "its id stands twice"
    if entry["image_id"] not in listed:
        return f"of image {entry['image_id']}, which the file does not list"
    if entry["category_id"] != persons:
        return f"of unknown category {entry['category_id']}; the persons' is {persons}"
    return faults.in_numbers(entry, count)


def _record(image: dict, path: str, entries: list, count: int, bodies: bool) -> Record:
    people = [e for e in entries if faults.labelled(e)]
    others = [e for e in entries if not faults.labelled(e)]
    unposed = [e for e in others if not e.get("iscrowd")]
    return Record(
        image_id=image["id"],
        path=path,
        width=image["width"],
        height=image["height"],
        keypoints=np.array([e["keypoints"] for e in people], np.float32).reshape(-1, count, 3),
        boxes=_boxes(people),
        areas=np.array([e.get("area", e["bbox"][2] * e["bbox"][3]) for e in people], np.float32),
        annotation_ids=np.array([e["id"] for e in people], np.int64),
        ignore=_segmentations(others),
        unposed=_boxes(unposed),
        bodies=_segmentations(people + unposed) if bodies else (),
    )


def _boxes(entries: list) -> np.ndarray:
    return np.array([e["bbox"] for e in entries], np.float32).reshape(-1, 4)


def _segmentations(entries: list) -> tuple:
    return tuple(e.get("segmentation") or e["bbox"] for e in entries)
