"""MPII annotations, in the json form of the HRNet code or as the official .mat -> the same records as COCO's."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from tfpose import paths
from tfpose.data import coco, mpii_mat, photos
from tfpose.data.coco import Record, Split
from tfpose.data.faults import finite
from tfpose.skeleton import MPII16, Skeleton

SCALE = 200.0  # pixels of a person's height that "scale" counts as one
SAME = {"neck": "upper_neck"}  # what others call MPII's keypoints: LSP's neck is where the head begins
FIELDS = ("image", "joints", "joints_vis", "center", "scale")


def load(
    annotations: Path,
    images: Path | None,
    skeleton: Skeleton,
    *,
    on_bad: str = "refuse",
    keep: tuple | None = None,
    origin: int = 0,
    lowered: float = 0.0,
    ids: str = "order",
    heads: Path | None = None,
) -> Split:
    """The records of a .json (or .json.gz) with a list of {image, joints, joints_vis, center, scale}, or of the .mat.

    A `skeleton` of fewer keypoints than MPII's 16 takes its own by their names, as LSP's 14 do. A person's box is the
    square of side 200 * scale about the centre, `lowered` * scale further down; without keypoints it is to be ignored.
    `origin` is the number of the first pixel in a json file, always 1 in the .mat. Head boxes come from the .mat, from
    a field head_box [x1, y1, x2, y2] or from the file `heads`. Images have the ids of `identities`, `keep` and `on_bad`
    are as in `coco.load`. Raises ValueError for another form.
    """
    official = paths.path(annotations).suffix == ".mat"
    if official and not positions(skeleton):
        found = f"found data.skeleton={skeleton.name}; set it to mpii16 or lsp14"
        raise ValueError(f"{annotations}: has the keypoints of mpii16, {found}")
    entries = mpii_mat.read(annotations) if official else coco.read_json(annotations)
    if heads:
        entries = _with_heads(entries, heads, annotations)
    people, problems = _people(entries, skeleton, annotations)
    records = []
    for name, identity in identities(people, ids, annotations).items():
        if keep is not None and (identity % keep[0] == keep[1]) != keep[2]:
            continue
        placed = [(number, _placed(e, 1 if official else origin, lowered)) for number, e in people[name]]
        try:
            records.append(_record(identity, images, name, placed, skeleton.count))
        except ValueError as error:
            problems.append(f"image {identity}: {error}")
    return coco.accepted(Split(tuple(records), tuple(problems)), annotations, on_bad)


def identities(names, ids: str, path: Path) -> dict[str, int]:
    """{image: id} in order of name: its place, from 1 on, or for `ids` "name" the number that the name ends in.

    ValueError where a name ends in none or two in the same.
    """
    names, known = sorted(names), {}
    if ids == "order":
        return {name: place for place, name in enumerate(names, 1)}
    for name in names:
        end = re.search(r"[0-9]{1,18}$", Path(name).stem)
        if not end or known.setdefault(int(end.group()), name) != name:
            number = f"the same number as {known[int(end.group())]}" if end else "no number"
            raise ValueError(f"{path}: image {name} ends in {number}; set data.mpii.ids to order")
    return {name: number for number, name in known.items()}


def positions(skeleton: Skeleton) -> list[int]:
    """Where the keypoints of MPII's skeleton, or of one with fewer of them, are among its 16; empty for another."""
    names = [SAME.get(name, name) for name in skeleton.keypoints]
    fewer = len(names) < MPII16.count and set(names) <= set(MPII16.keypoints)
    return [MPII16.index(name) for name in names] if fewer or names == list(MPII16.keypoints) else []


def _with_heads(entries, path: Path, annotations: Path):
    """The entries with the head boxes of a companion file; ValueError where the two are no pair."""
    boxes = mpii_mat.heads(path)
    if not isinstance(entries, list) or len(entries) != len(boxes):
        found = len(entries) if isinstance(entries, list) else "no list of"
        raise ValueError(f"{path}: {len(boxes)} head boxes, but {found} people in {annotations}; are the files a pair?")
    return [e | {"head_box": box} if isinstance(e, dict) else e for e, box in zip(entries, boxes)]


def _people(entries, skeleton: Skeleton, path: Path) -> tuple[dict, list[str]]:
    """{image: [(number, entry)]} of the entries that can be used, and the problems of the others."""
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected MPII's form, a list of people; found {type(entries).__name__}")
    people, problems, places = defaultdict(list), [], positions(skeleton)
    counts = sorted({skeleton.count, MPII16.count} if places else {skeleton.count})
    for number, entry in enumerate(entries, 1):
        if fault := _fault(entry, counts):
            problems.append(f"{path}: entry {number}: {fault}")
        else:
            own = len(entry["joints"]) == skeleton.count
            people[entry["image"]].append((number, entry if own else _chosen(entry, places)))
    return people, problems


def _chosen(entry: dict, places: list[int]) -> dict:
    """The entry with those of its joints alone."""
    lists = {name: entry[name] for name in ("joints", "joints_vis", "hidden") if name in entry}
    return entry | {name: [values[i] for i in places] for name, values in lists.items()}


def _fault(entry, counts: list[int]) -> str | None:
    """What is wrong with an entry, or None."""
    if not isinstance(entry, dict):
        return "expected an object"
    if missing := [name for name in FIELDS if name not in entry]:
        return f"lacks {', '.join(missing)}"
    joints, known = entry["joints"], entry["joints_vis"]
    if not isinstance(entry["image"], str):
        return f"its image is {entry['image']!r:.80}, expected a file name"
    if not finite(known) or not isinstance(joints, list) or len(joints) not in counts:
        return f"expected {' or '.join(map(str, counts))} joints, a list of pairs, and as many joints_vis, numbers"
    if len(known) != len(joints):
        return f"has {len(joints)} joints, but {len(known)} joints_vis"
    pairs = (*joints, entry["center"])
    if not all(finite(pair) and len(pair) == 2 for pair in pairs) or not finite([entry["scale"]]):
        return "its joints, centre or scale are not finite numbers"
    head = entry.get("head_box", [0, 0, 0, 0])
    if not finite(head) or len(head) != 4:
        return f"its head_box is {head!r:.80}, expected the four numbers x1, y1, x2, y2"
    return None if entry["scale"] > 0 else f"its box has no area: scale {entry['scale']}"


def _placed(entry: dict, origin: int, lowered: float) -> dict:
    """The entry with its first pixel at 0, its box and its head's box, or None, as (x, y, w, h)."""
    side = entry["scale"] * SCALE
    x, y = (np.array(entry["center"]) - origin + (0, lowered * entry["scale"])).tolist()
    left, top, right, bottom = entry.get("head_box", [0, 0, 0, 0])
    head = (left - origin, top - origin, right - left, bottom - top) if right > left and bottom > top else None
    return entry | {
        "joints": np.array(entry["joints"]) - origin,
        "box": [x - side / 2, y - side / 2, side, side],
        "head": head,
    }


def _record(identity: int, folder: Path | None, name: str, entries: list, count: int) -> Record:
    width, height = photos.size(paths.path(folder) / name) if folder else (0, 0)
    people = [(number, e) for number, e in entries if any(v > 0 for v in e["joints_vis"])]
    nobody = [e for _, e in entries if not any(v > 0 for v in e["joints_vis"])]
    boxes = np.array([e["box"] for _, e in people], np.float32).reshape(-1, 4)
    return Record(
        image_id=identity,
        path=str(paths.path(folder) / name) if folder else "",
        width=width,
        height=height,
        keypoints=np.array([_keypoints(e) for _, e in people], np.float32).reshape(-1, count, 3),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        annotation_ids=np.array([number for number, _ in people], np.int64),
        ignore=tuple(e["box"] for e in nobody),
        heads=tuple(e["head"] for _, e in people),
    )


def _keypoints(entry: dict) -> np.ndarray:
    """(K, 3): absent and zero where joints_vis is 0, else visible; only the .mat tells which of them are hidden."""
    known = np.array(entry["joints_vis"]) > 0
    hidden = np.array(entry.get("hidden", 0 * known))
    return np.column_stack([entry["joints"], 2 - hidden]) * known[:, None]
