"""COCO's labels as scenes: the boxes of an image and its keypoints, of which nobody says whose they are.

A scene is what a detector of persons and one of keypoints would hand over, free of error or with the errors of `noisy`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfpose.evaluate import _read
from tfpose.skeleton import COCO17


@dataclass(frozen=True, eq=False)
class Scene:
    """One image: boxes (B, 4), candidates (N, 4) kind, x, y, score in any order, and the box that each belongs to.

    `owners` (N,) are indices of boxes, -1 for a candidate that is nobody's; `persons` (B,) the annotations' ids.
    """

    image_id: int
    persons: np.ndarray
    boxes: np.ndarray
    candidates: np.ndarray
    owners: np.ndarray

    def keypoints(self) -> np.ndarray:
        """The keypoints (B, 17, 3) of each box's own candidates."""
        result, own = np.zeros((len(self.boxes), COCO17.count, 3), np.float32), self.owners >= 0
        result[self.owners[own], self.candidates[own, 0].astype(int)] = self.candidates[own, 1:]
        return result


def read(path: Path) -> dict:
    """The content of a COCO file, with nobody of whom no keypoint is labelled."""
    content = _read(path)
    people = [a for a in content["annotations"] if not a["iscrowd"] and a["num_keypoints"]]
    return content | {"annotations": people}


def part(content: dict, remainder: int | None) -> dict:
    """The images whose id leaves `remainder` when divided by 20; None: those that leave neither 3 nor 7."""
    held = {remainder} if remainder is not None else set(range(20)) - {3, 7}
    images = [i for i in content["images"] if i["id"] % 20 in held]
    people = [a for a in content["annotations"] if a["image_id"] % 20 in held]
    return content | {"images": images, "annotations": people}


def scenes(content: dict, seed: int = 0) -> list[Scene]:
    """Every image with its people, both in an order that chance has drawn: the labels' order tells who is whose."""
    draw, by_image = np.random.default_rng(seed), {}
    for person in content["annotations"]:
        by_image.setdefault(person["image_id"], []).append(person)
    return [_scene(image_id, people, draw) for image_id, people in sorted(by_image.items())]


def _scene(image_id: int, people: list[dict], draw: np.random.Generator) -> Scene:
    people = [people[i] for i in draw.permutation(len(people))]
    keypoints = np.array([p["keypoints"] for p in people], np.float32).reshape(-1, COCO17.count, 3)
    owners, kinds = np.nonzero(keypoints[..., 2] > 0)
    order = draw.permutation(len(owners))
    owners, kinds = owners[order], kinds[order]
    candidates = np.column_stack([kinds, keypoints[owners, kinds, :2], np.ones(len(kinds))]).astype(np.float32)
    boxes = np.array([p["bbox"] for p in people], np.float32)
    return Scene(image_id, np.array([p["id"] for p in people]), boxes, candidates, owners)


def noisy(scene: Scene, draw: np.random.Generator) -> Scene:
    """The scene as detectors might see it.

    Of 40 % of the people no keypoint is found, of the others 90 % of the keypoints, off by a normal error of half of
    COCO's sigma for the kind times the root of the box's area; one spurious keypoint for ten true ones lies anywhere
    in a box and its surroundings; boxes are moved by up to 10 % of their sides and 10 % larger or smaller.
    """
    seen = draw.random(len(scene.boxes)) >= 0.4
    found = seen[scene.owners] & (draw.random(len(scene.owners)) >= 0.1)
    candidates, owners = scene.candidates[found].copy(), scene.owners[found]
    spread = 0.5 * np.array(COCO17.sigmas)[candidates[:, 0].astype(int)]
    spread = spread * np.sqrt(scene.boxes[owners, 2:].prod(axis=1))
    candidates[:, 1:3] += draw.normal(0, 1, (len(owners), 2)) * spread[:, None]
    spurious = _anywhere(scene.boxes, draw.binomial(len(owners), 0.1), draw)
    candidates, owners = np.concatenate([candidates, spurious]), np.r_[owners, np.full(len(spurious), -1)]
    order = draw.permutation(len(owners))
    return Scene(scene.image_id, scene.persons, _moved(scene.boxes, draw), candidates[order], owners[order])


def _anywhere(boxes, count: int, draw: np.random.Generator) -> np.ndarray:
    box = boxes[draw.integers(len(boxes), size=count)]
    points = box[:, :2] + draw.uniform(-0.2, 1.2, (count, 2)) * box[:, 2:]
    return np.column_stack([draw.integers(COCO17.count, size=count), points, np.ones(count)]).astype(np.float32)


def _moved(boxes, draw: np.random.Generator) -> np.ndarray:
    centres = boxes[:, :2] + boxes[:, 2:] * (0.5 + draw.uniform(-0.1, 0.1, (len(boxes), 2)))
    sizes = boxes[:, 2:] * draw.uniform(0.9, 1.1, (len(boxes), 2))
    return np.concatenate([centres - sizes / 2, sizes], axis=1).astype(np.float32)


def remaining(content: dict, noisy: list[Scene]) -> dict:
    """The labels with which noisy scenes are compared: people of whom nothing is found are there without keypoints.

    COCO forgives a pose there, as in any box that nobody has labelled.
    """
    seen = {int(i) for s in noisy for i in s.persons[np.unique(s.owners[s.owners >= 0])]}
    blank = {"num_keypoints": 0, "keypoints": [0] * 51}
    return content | {"annotations": [a if a["id"] in seen else a | blank for a in content["annotations"]]}
