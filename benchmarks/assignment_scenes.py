"""COCO's labels as scenes for the benchmark: which images are measured, and what is compared with errors in them."""

from pathlib import Path

import numpy as np

from tfpose import evaluate
from tfpose.data import coco, scenes
from tfpose.data.coco import Record
from tfpose.data.scenes import Scene
from tfpose.skeleton import COCO17


def read(path: Path) -> tuple[list[Record], dict]:
    """The records of a COCO file, and its content with nobody of whom no keypoint is labelled."""
    records = coco.load(path, None, COCO17, on_bad="skip").records
    content = evaluate.content(path)
    people = [a for a in content["annotations"] if not a["iscrowd"] and a["num_keypoints"]]
    return [r for r in records if len(r.boxes)], content | {"annotations": people}


def part(records: list[Record], remainder: int | None) -> list[Record]:
    """The images whose id leaves `remainder` when divided by 20; None: those that leave neither 3 nor 7."""
    held = {remainder} if remainder is not None else set(range(20)) - {3, 7}
    return [r for r in records if r.image_id % 20 in held]


def shuffled(records: list[Record], seed: int = 0) -> list[Scene]:
    """Every image with its people, both in an order that chance has drawn: the labels' order tells who is whose."""
    draw = np.random.default_rng(seed)
    return [scenes.scene(r, draw) for r in records]


def remaining(content: dict, noisy: list[Scene]) -> dict:
    """The labels with which noisy scenes are compared: people of whom nothing is found are there without keypoints.

    COCO forgives a pose there, as in any box that nobody has labelled.
    """
    seen = {int(i) for s in noisy for i in s.persons[np.unique(s.owners[s.owners >= 0])]}
    blank = {"num_keypoints": 0, "keypoints": [0] * 51}
    return content | {"annotations": [a if a["id"] in seen else a | blank for a in content["annotations"]]}
