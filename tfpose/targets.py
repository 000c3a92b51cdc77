"""`tfpose show CONFIG --fields PHOTO`: what a network of whole images will be taught, before anything is trained.

A row for each view: truth / heatmaps / fields, or mask and anchors, what is not taught in grey. A person whom no anchor
is taught to find has a red box: such a one is too small, too slim or too much like another for the detector to learn.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tfpose import anchors, draw, paths, runners
from tfpose.config import Config
from tfpose.data import pipeline
from tfpose.data.source import load_part
from tfpose.encode import boxes as encoding
from tfpose.poses import Poses
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system
from tfpose.train import stages

PARTS = ("train", "validation")
VIEWS = 4
WIDTH = 640  # pixels of a picture, so that its boxes can be told apart
FOUND, MISSED, UNTAUGHT = draw.BOX, (255, 40, 40), (150, 150, 158)


def write(config: Config, what: Path, picture: Path, stage: str = "") -> str:
    """Draws the views of a photo of the data, or the first of a part ("train" with its chance); says what is there.

    Of a configuration with stages `stage` is the name of one, or all of them are drawn together. ValueError for a photo
    that is not in the data, for an unknown stage, and for a system that looks at one person.
    """
    if stage:
        names = [one.name for one in config.stages]
        if stage not in names:
            raise ValueError(f"--stage: found {stage}; choose from {', '.join(names) or 'none, there are no stages'}")
        config = stages.alone(config, names.index(stage))
    method = system(config.system, skeleton(config.data.skeleton))
    if method.view != "image":
        raise ValueError(f"--fields: {method.name} looks at no whole image; a run's pictures/ show what it is taught")
    rows, counts = [], {}
    for batch, targets in islice(samples(config, method, what), VIEWS):
        pictures, found = steps(method, batch, targets)
        rows += pictures
        counts = {name: counts.get(name, 0) + count for name, count in found.items()}
    columns = len(pictures)
    Image.fromarray(draw.tile(rows, columns, pictures[0].shape[:2])).save(picture)
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return f"{len(rows) // columns} views: {said}: {picture}"


def samples(config: Config, method: PoseSystem, what: Path) -> Iterator[tuple[dict, dict]]:
    """One view after the other, its batch of labels and its targets, as NumPy arrays without the batch's axis."""
    common = {"size": method.training_size, "padding": config.data.padding, "skeleton": method.skeleton}
    common |= {"batch": config.train.batch, "view": method.view, "stride": method.stride, "labels": method.labels}
    common |= {"warp": config.data.warp, "buckets": config.train.buckets}

    def encode(batch):
        return batch, method.encode(batch)[1]

    if str(what) == "train":
        records = load_part(config.data, method.skeleton, "train", bodies="mask" in method.labels).records
        data = pipeline.training(records, encode, augment=config.augment, seed=config.seed, **common)
    else:
        data = pipeline.validation(chosen(config, method, what), encode, **common)
    for batch, targets in data.as_numpy_iterator():
        for i in range(len(batch["image"])):
            yield tuple({name: values[i] for name, values in side.items()} for side in (batch, targets))


def chosen(config: Config, method: PoseSystem, what: Path) -> list:
    """The records of the validation part, or that of the one photo, in whichever part it is."""
    for part in PARTS[::-1]:
        records = load_part(config.data, method.skeleton, part, bodies="mask" in method.labels).records
        if str(what) == part:
            return records
        if found := [r for r in records if len(r.boxes) and _same(r.path, what)]:
            return found
    raise ValueError(f"{what}: no photo of data.train or data.validation with somebody's keypoints; or say train")


def _same(path: str, what: Path | paths.Remote) -> bool:
    found = paths.path(path)
    return found == what or (isinstance(found, Path) and isinstance(what, Path) and found.resolve() == what.resolve())


def steps(method: PoseSystem, batch: dict, targets: dict) -> tuple[list[np.ndarray], dict[str, int]]:
    """The pictures (height, width, 3) uint8 of what one view is taught, and {what: how many}."""
    size = batch["image"].shape[:2]
    factor = max(1, round(WIDTH / size[1]))
    large = size[1] * factor, size[0] * factor
    ground = np.asarray(Image.fromarray(batch["image"]).resize(large, Image.Resampling.BICUBIC))
    maps, count = runners.last_stage(targets), method.body.count
    known = batch["keypoints"][(batch["keypoints"][..., 2] > 0).any(axis=1)]
    pictures, counts = [truth(ground, known, factor, method)], {"people": len(known)}
    if "heatmaps" in maps:
        pictures.append(shaded(draw.draw_heatmaps(ground, maps["heatmaps"][..., :count]), batch["ignore"]))
    if "pafs" in maps:
        pictures.append(shaded(draw.draw_fields(ground, maps["pafs"]), batch["ignore"]))
    elif "heatmaps" in maps:
        mask = draw.draw_heatmaps(ground, maps["heatmaps"][..., count:])
        pictures.append(shaded(mask, 1 - maps["weights"][..., -1]))
    if "boxes" in maps:
        picture, found = detector(ground, batch["boxes"], maps["scores"][:, 0], size, factor)
        pictures.append(shaded(picture, batch["ignore"]))
        counts |= found
    return pictures, counts


def truth(ground: np.ndarray, known: np.ndarray, factor: int, method: PoseSystem) -> np.ndarray:
    """The view with the skeletons of its annotations."""
    points = np.concatenate([(known[..., :2] + 0.5) * factor - 0.5, known[..., 2:]], axis=-1)
    return draw.draw_poses(ground, Poses(points, np.ones(len(points)), np.zeros((len(points), 4))), method.skeleton)


def shaded(picture: np.ndarray, ignore: np.ndarray) -> np.ndarray:
    """The picture with grey where nothing is taught, of `ignore` (h, w) between 0 and 1 in cells."""
    cells = Image.fromarray(np.rint(255 * ignore).astype(np.uint8)).resize(
        picture.shape[1::-1], Image.Resampling.NEAREST
    )
    weight = 0.7 * np.asarray(cells, np.float32)[..., None] / 255
    return np.rint(picture * (1 - weight) + np.array(UNTAUGHT) * weight).astype(np.uint8)


def detector(ground: np.ndarray, boxes: np.ndarray, states: np.ndarray, size: tuple, factor: int) -> tuple:
    """The view with its people's boxes and the anchors taught by them, and {what: how many}.

    `boxes` (P, 4) in pixels of the view of `size`, zeros for nobody; `states` (A,) 1, 0 or -1 for an anchor not taught.
    """
    boxes = boxes[boxes[:, 2:].min(axis=1, initial=np.inf) > 0] if len(boxes) else boxes
    among = anchors.anchors(size)
    alike = np.asarray(encoding.overlaps(np.float32(boxes)[None], among))[0]  # (P, A)
    nearest = alike.argmax(axis=0) if len(boxes) else np.zeros(len(among), int)
    taught = [int(((nearest == i) & (states == 1)).sum()) for i in range(len(boxes))]
    near = (states == -1) & (alike.max(axis=0, initial=0) >= encoding.NEGATIVE)
    picture = Image.fromarray((ground * 0.6).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for chosen_ones, colour in ((near, UNTAUGHT), (states == 1, draw.LEFT)):
        for box in among[chosen_ones]:
            outline(pen, box, factor, colour, 1)
    for box, count in zip(boxes, taught):
        outline(pen, box, factor, FOUND if count else MISSED, 3)
    counts = {"boxes": len(boxes), "of them without an anchor": sum(count == 0 for count in taught)}
    counts |= {"anchors of somebody": int((states == 1).sum()), "not taught": int((states == -1).sum())}
    return np.asarray(picture), counts | {"of nobody": int((states == 0).sum())}


def outline(pen: ImageDraw.ImageDraw, box: np.ndarray, factor: int, colour: tuple, width: int) -> None:
    """Draws a box (4,) of the view, whose edges lie on pixel corners."""
    x, y, w, h = (float(value) * factor for value in box)
    pen.rectangle((x, y, x + w - 1, y + h - 1), outline=colour, width=width)
