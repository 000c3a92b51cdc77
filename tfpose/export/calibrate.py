"""Views to calibrate and to verify with: people, or whole photos, exactly as a predictor sees them."""

from collections.abc import Callable, Iterator

import numpy as np

from tfpose import geometry
from tfpose.predict import read_image
from tfpose.spec import PoseSpec


def views(records: list, spec: PoseSpec, count: int, seed: int, warp: Callable = geometry.warp) -> Iterator[np.ndarray]:
    """At most `count` views (H, W, 3) uint8 of people drawn from the records (path, boxes), each at most once.

    For a network of whole images they are of images that people are in. They are cut by the serving warp, without
    augmentation: ranges found on other views would be other ranges. The same seed draws the same people. ValueError
    where there is nobody to cut, or a photo cannot be read.
    """
    whole = spec.view == "image"
    people = [(r, box) for r in records for box in (r.boxes[:1] if whole else r.boxes)]
    if not people:
        raise ValueError(f"calibration: {len(records)} images with nobody on them; give a split that has people")
    drawn = np.random.default_rng(seed).permutation(len(people))[:count]
    return _cut([people[i] for i in sorted(drawn)], spec, warp)


def _cut(people: list, spec: PoseSpec, warp: Callable) -> Iterator[np.ndarray]:
    last, image = None, None
    for record, box in people:
        # A photo's people follow each other, so that it is read once for all of them.
        if record is not last:
            last, image = record, read_image(record.path)
        yield warp(image, affine(image, box, spec), spec.size)


def affine(image: np.ndarray, box, spec: PoseSpec) -> geometry.Affine:
    """Photo -> the view that the network is served."""
    if spec.view == "image":
        return geometry.letterbox(image.shape[:2], spec.size)
    return geometry.crop(box, spec.size, padding=spec.padding)
