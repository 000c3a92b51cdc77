"""A data set of drawn people, written as an ordinary COCO folder: pictures and person_keypoints files."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tfpose.data.drawn import outlines, scenes, visible
from tfpose.data.drawn.scenes import Scene
from tfpose.data.drawn.visible import Person
from tfpose.skeleton import COCO17

SPLITS = ("train", "validation")
_VERSION = 1  # goes up whenever the same seed would give other pictures
_FIRST_ID = {"train": 1, "validation": 5_000_001}
_MANIFEST = "synthetic.json"


def write(
    folder: str | Path,
    train: int = 600,
    validation: int = 100,
    size: tuple[int, int] = (240, 320),
    seed: int = 0,
    progress: Callable[[Iterable, int, str], Iterable] = lambda items, total, label: items,  # noqa: ARG005
) -> Path:
    """The folder, holding `train/`, `validation/` and `annotations/person_keypoints_<split>.json` of drawn people.

    A folder that holds exactly this data set already is left as it is. `size` is (height, width) of every picture;
    `progress(items, total, label)` may show how far the work is.
    Raises ValueError for a folder with something else in it.
    """
    folder = Path(folder)
    wanted = {"version": _VERSION, "train": train, "validation": validation, "size": list(size), "seed": seed}
    if _holds(folder, wanted):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    # Written first, so that a folder whose writing was interrupted is known as ours and simply written again.
    _write_manifest(folder, wanted | {"complete": False})
    for split, count in zip(SPLITS, (train, validation)):
        _write_split(folder, split, progress(range(count), count, f"drawing {split}"), size, seed)
    _write_manifest(folder, wanted | {"complete": True})
    return folder


def picture(seed: int, split: str, index: int, size: tuple[int, int]) -> Scene:
    """Picture `index` of a split: the same whatever the number of pictures, and of no other split."""
    return scenes.scene(np.random.default_rng([seed, SPLITS.index(split), index]), tuple(size))


def annotation(person: Person, identity: int, image_id: int) -> dict:
    """The COCO annotation of one person or crowd; box and area are those of the visible mask."""
    rows, columns = np.flatnonzero(person.mask.any(axis=1)), np.flatnonzero(person.mask.any(axis=0))
    box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    crowd = person.role == visible.CROWD
    keypoints = [float(round(value, 2)) for value in person.keypoints.ravel().tolist()]
    return {
        "id": identity,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": int(crowd),
        "bbox": [float(value) for value in box],
        "area": float(person.mask.sum()),
        "segmentation": outlines.run_lengths(person.mask) if crowd else outlines.polygons(person.mask),
        "keypoints": [int(v) if place % 3 == 2 else v for place, v in enumerate(keypoints)],
        "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
    }


def _holds(folder: Path, wanted: dict) -> bool:
    """Whether the data set is there already; ValueError where something else is."""
    if not folder.exists() or not any(folder.iterdir()):
        return False
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        raise ValueError(f"{folder}: expected an empty folder, found other files; name a new folder")
    found = json.loads(manifest.read_text())
    complete = found.pop("complete")
    if found != wanted:
        raise ValueError(f"{folder}: expected the data set {wanted}, found {found}; set data.folder or remove this one")
    return complete


def _write_manifest(folder: Path, content: dict) -> None:
    (folder / _MANIFEST).write_text(json.dumps(content) + "\n")


def _write_split(folder: Path, split: str, indices: Iterable[int], size: tuple[int, int], seed: int) -> None:
    images, annotations = [], []
    (folder / split).mkdir(parents=True, exist_ok=True)
    for index in indices:
        drawn, image_id = picture(seed, split, index, size), _FIRST_ID[split] + index
        name = f"{image_id:012d}.jpg"
        Image.fromarray(drawn.image).save(folder / split / name, quality=90)
        images.append({"id": image_id, "file_name": name, "height": size[0], "width": size[1], "license": 1})
        annotations += [annotation(p, image_id * 100 + n, image_id) for n, p in enumerate(drawn.people, 1)]
    target = folder / "annotations" / f"person_keypoints_{split}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(_file(split, images, annotations)))


def _file(split: str, images: list[dict], annotations: list[dict]) -> dict:
    skeleton = [[int(a) + 1, int(b) + 1] for a, b in COCO17.pairs]
    names = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO17.keypoints)}
    return {
        "info": {"description": f"people drawn by tfpose, {split}", "version": str(_VERSION), "year": 2026},
        "licenses": [{"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}],
        "images": images,
        "annotations": annotations,
        "categories": [names | {"skeleton": skeleton}],
    }
