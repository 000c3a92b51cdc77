"""From a configuration's data section to the two parts of a data set, training and validation."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tfpose import paths
from tfpose.data import coco, mpii, synthetic
from tfpose.progress import progress
from tfpose.skeleton import Skeleton


@dataclass(frozen=True)
class Parts:
    """What is trained on and what it is measured on."""

    train: coco.Split
    validation: coco.Split


def load_parts(data, skeleton: Skeleton, *, bodies: bool = False, photos: bool = True) -> Parts:
    """Both parts; every problem found is printed as one line on stderr, or refused, as `data.bad_records` says."""
    return Parts(*(load_part(data, skeleton, part, bodies=bodies, photos=photos) for part in ("train", "validation")))


def load_part(data, skeleton: Skeleton, part: str, *, bodies: bool = False, photos: bool = True) -> coco.Split:
    """One part, "train" or "validation"; the synthetic data set is written first where it is not there yet.

    `bodies` keeps the persons' segmentations; without `photos` labels are read alone, and images may be anywhere.
    ValueError where the format has no such thing.
    """
    if data.format == "shards":
        from tfpose.data import shards  # which need TensorFlow

        return shards.load(data.folder, part, skeleton, bodies=bodies)
    annotations, images = locate(data, part)
    if not photos:
        if data.format == "mpii":
            raise ValueError("data.format: mpii has no boxes around persons, which this system learns from; use coco")
        images = None
    elif images is None:
        raise ValueError(
            f"data.{part}.images: missing; name the folder of the photos, as in data.{part}.images=photos/"
        )
    keep = (data.holdout.every, data.holdout.remainder, part == "validation") if data.holdout.every else None
    common = {"on_bad": data.bad_records, "keep": keep}
    if data.format == "mpii":
        if bodies:
            raise ValueError("data.format: mpii has no outlines of persons, which this system learns; use coco")
        heads = getattr(data, part).heads
        form = asdict(data.mpii) | {"heads": paths.path(heads) if heads else None}
        split = mpii.load(annotations, images, skeleton, **common, **form)
    else:
        split = coco.load(annotations, images, skeleton, bodies=bodies, **common)
    for problem in split.problems:
        print(f"skipped: {problem}", file=sys.stderr)
    if split.problems:
        print(f"{part}: {len(split.problems)} entries skipped", file=sys.stderr)
    return split


def locate(data, part: str) -> tuple:
    """The annotation file and image folder of a part; ValueError where the configuration names none."""
    if data.format == "shards":
        raise ValueError(
            "data.format: shards are trained on; to evaluate or export give the files they were made from, as in "
            "data.format=coco data.validation.annotations=FILE data.validation.images=FOLDER"
        )
    if data.format == "synthetic":
        if paths.SCHEME in data.folder:
            raise ValueError(f"data.folder: {data.folder}; people are drawn into a folder of this machine")
        folder = Path(data.folder)
        train, validation = data.count
        synthetic.write(folder, train=train, validation=validation, progress=progress)
        return folder / "annotations" / f"person_keypoints_{part}.json", folder / part
    split = data.train if part == "train" else data.validation
    if not split.annotations:
        raise ValueError(f"data.{part}.annotations: missing; name the file, as in data.{part}.annotations=FILE")
    return paths.path(split.annotations), paths.path(split.images) if split.images else None
