"""Small COCO folders for the tests: photos of smooth colour, persons with every keypoint in their box."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tfpose.skeleton import COCO17, Skeleton


def smooth(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A photo (H, W, 3) uint8 without edges: nothing of it is lost in a JPEG, and it interpolates well."""
    coarse = np.random.default_rng(seed).integers(40, 216, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


def photo(folder: Path, image_id: int, size: tuple[int, int] = (90, 120), suffix: str = "jpg") -> dict:
    """Writes a photo and returns its entry."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{image_id:06d}.{suffix}"
    Image.fromarray(smooth(size, image_id)).save(folder / name, **({"quality": 95} if suffix == "jpg" else {}))
    return {"id": image_id, "file_name": name, "height": size[0], "width": size[1]}


def person(identity: int, image_id: int, box=(30, 20, 40, 60), **changes) -> dict:
    """The annotation of a person, with keypoints spread over the box; `changes` replace fields."""
    x, y, w, h = box
    inside = np.random.default_rng(identity).uniform(0.1, 0.9, (17, 2)) * (w, h) + (x, y)
    keypoints = np.column_stack([inside.round(1), np.full(17, 2)]).ravel().tolist()
    entry = {"id": identity, "image_id": image_id, "category_id": 1, "iscrowd": 0, "bbox": list(box), "area": w * h}
    return entry | {"keypoints": keypoints, "num_keypoints": 17} | changes


def write(folder: Path, images: list, annotations: list, skeleton: Skeleton = COCO17) -> Path:
    """Writes the annotation file and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "people.json"
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path
