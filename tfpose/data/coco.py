"""COCO keypoint files as they come -> records: one per image, lazily, and nothing lost silently."""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfpose.data import masks, photos
from tfpose.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Record:
    """One image: P people with keypoints (P, K, 3), boxes (P, 4) and areas (P,) in pixels, and what to ignore.

    `ignore` holds COCO segmentations (polygons, run lengths) or boxes of crowds and of persons without keypoints.
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

    def ignore_mask(self) -> np.ndarray:
        """Where nothing is known of the people seen: (height, width) bool."""
        return masks.union(self.ignore, self.height, self.width)


@dataclass(frozen=True)
class Split:
    """The records of one part of a data set, and a line for everything in it that could not be used."""

    records: tuple[Record, ...]
    problems: tuple[str, ...] = ()


def load(
    annotations: Path, images: Path | None, skeleton: Skeleton, *, on_bad: str = "refuse", keep: tuple | None = None
) -> Split:
    """The records of a COCO keypoint file (.json or .json.gz), images relative to the folder `images` (None: labels only).

    `keep` = (every, remainder, inside) keeps image ids with id % every == remainder, or the others. What is broken is a
    line in `problems` and left out with on_bad="skip", and a ValueError with "refuse".
    """
    content = read(annotations)
    category = _category(content, skeleton, annotations)
    problems = []
    known = _images(content["images"], images, keep, annotations, problems)
    groups = _annotations(content["annotations"], known, content["images"], category, skeleton, annotations, problems)
    if problems and on_bad == "refuse":
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"{len(problems)} problem(s) in {annotations}: {'; '.join(problems[:3])}{more}; "
            "mend the data, or leave such records out with data.bad_records=skip"
        )
    records = tuple(_record(image, path, groups[i], skeleton.count) for i, (image, path) in known.items())
    return Split(records, tuple(problems))


def read(path: Path) -> dict:
    """The content of a COCO file; ValueError where it is missing, not JSON, or not of COCO's form."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such annotation file")
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            content = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError, OSError, EOFError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise ValueError(f'{path}: expected COCO\'s form, {{"images": [...], "annotations": [...], "categories": [...]}}')
    return content


def _category(content: dict, skeleton: Skeleton, path: Path) -> int:
    """The id of the category that has keypoints; ValueError where its keypoints are not the skeleton's."""
    found = [c for c in content.get("categories", ()) if c.get("keypoints")]
    if not found:
        return 1
    names = found[0]["keypoints"]
    if len(names) != skeleton.count:
        raise ValueError(
            f"{path}: category {found[0].get('name')!r} has {len(names)} keypoints, skeleton {skeleton.name} has "
            f"{skeleton.count}; set data.skeleton to the one of this file"
        )
    return found[0]["id"]


def _images(entries: list, folder: Path | None, keep, path: Path, problems: list) -> dict:
    """{image id: (entry, file)} of the images that are wanted, whole and there."""
    wanted = {}
    for entry in entries:
        if not isinstance(entry, dict) or not {"id", "file_name", "width", "height"} <= set(entry):
            problems.append(f"{path}: image {entry!r:.80}: expected id, file_name, width and height")
        elif keep is None or (entry["id"] % keep[0] == keep[1]) == keep[2]:
            if entry["id"] in wanted:
                problems.append(f"{path}: image id {entry['id']} twice ({entry['file_name']})")
            else:
                wanted[entry["id"]] = (entry, str(Path(folder) / entry["file_name"]) if folder else "")
    if folder:
        for identity, problem in photos.broken(wanted):
            problems.append(problem)
            del wanted[identity]
    return wanted


def _annotations(entries, known, images, category, skeleton, path, problems) -> dict:
    """{image id: annotations}, those that can be used."""
    groups, seen = defaultdict(list), set()
    listed = {image["id"] for image in images if isinstance(image, dict) and "id" in image}
    for entry in entries:
        problem = _problem(entry, seen, listed, category, skeleton)
        seen.add(entry.get("id"))
        if entry.get("image_id") in known or entry.get("image_id") not in listed:
            if problem:
                problems.append(f"{path}: annotation {entry.get('id')}: {problem}")
            else:
                groups[entry["image_id"]].append(entry)
    return groups


def _problem(entry: dict, seen: set, listed: set, category: int, skeleton: Skeleton) -> str | None:
    """What is wrong with an annotation, or None."""
    if missing := {"id", "image_id", "category_id", "bbox"} - set(entry):
        return f"lacks {', '.join(sorted(missing))}"
    if entry["id"] in seen:
        return "its id stands twice"
    if entry["image_id"] not in listed:
        return f"of image {entry['image_id']}, which the file does not list"
    if entry["category_id"] != category:
        return f"of unknown category {entry['category_id']}; the persons' is {category}"
    keypoints = entry.get("keypoints", [])
    if keypoints and len(keypoints) != 3 * skeleton.count:
        return f"{len(keypoints)} keypoint numbers, expected {3 * skeleton.count}"
    if len(entry["bbox"]) != 4 or not np.isfinite([*entry["bbox"], *keypoints]).all():
        return "its box or keypoints are not finite numbers"
    return None


def _record(image: dict, path: str, entries: list, count: int) -> Record:
    people = [e for e in entries if not e.get("iscrowd") and any(e.get("keypoints", ())[2::3])]
    chosen = {e["id"] for e in people}
    others = [e for e in entries if e["id"] not in chosen]
    boxes = np.array([e["bbox"] for e in people], np.float32).reshape(-1, 4)
    areas = np.array([e.get("area", e["bbox"][2] * e["bbox"][3]) for e in people], np.float32)
    return Record(
        image["id"],
        path,
        image["width"],
        image["height"],
        np.array([e["keypoints"] for e in people], np.float32).reshape(-1, count, 3),
        boxes,
        areas,
        np.array([e["id"] for e in people], np.int64),
        tuple(e.get("segmentation") or e["bbox"] for e in others),
    )
