"""Pictures of what the network is taught and what it says: view and truth, target maps, output maps, decoded poses."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfpose import decode, draw, poses, runners
from tfpose.decode.inboxes import InBoxes
from tfpose.systems.base import PoseSystem
from tfpose.train.ema import Averages

SURE = np.float32(20)


class Pictures(keras.callbacks.Callback):
    """After each epoch a contact sheet of the same validation views, as pictures/epoch_NNN.png and in TensorBoard."""

    def __init__(self, folder: Path, system: PoseSystem, batch: tuple, averages: Averages):
        super().__init__()
        self.folder, self.system, self.averages = folder, system, averages
        self.inputs, self.targets = batch

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(str(self.folder / "tensorboard"))

    def on_train_end(self, logs=None):
        self.writer.close()

    def on_epoch_end(self, epoch, logs=None):
        with self.averages.there():
            outputs = {k: np.asarray(v) for k, v in self.model(self.inputs, training=False).items()}
        picture = sheet(self.system, self.inputs["image"], self.targets, outputs)
        (self.folder / "pictures").mkdir(exist_ok=True)
        Image.fromarray(picture).save(self.folder / "pictures" / f"epoch_{epoch + 1:03d}.png")
        with self.writer.as_default(step=epoch + 1):
            tf.summary.image("views", picture[None])


def sheet(system: PoseSystem, images: np.ndarray, targets: dict, outputs: dict) -> np.ndarray:
    """A picture (height, width, 3) uint8 with a row per view: truth, target maps, output maps, decoded poses."""
    decoder = decode.decoder(system.decoder(), system.body)
    truth, found = (runners.last_stage({term: maps[term] for term in system.terms}) for maps in (targets, outputs))
    if "scores" in truth:  # taught as yes or no, said as a logit
        truth = truth | {"scores": np.where(truth["scores"] > 0, SURE, -SURE)}
    rows = []
    for i, image in enumerate(images):
        maps = [{name: values[i : i + 1] for name, values in side.items()} for side in (truth, found)]
        people = [_drawn(image, side, decoder, system) for side in maps]
        rows.append([people[0], *_maps(image, maps, system.body.count), people[1]])
    return draw.tile([picture for row in rows for picture in row], len(rows[0]), images.shape[1:3])


def _maps(image: np.ndarray, sides: list[dict], count: int) -> list[np.ndarray]:
    """Of what is taught and found: heatmaps, fields and the mask of persons, those that there are."""
    heatmaps = [side["heatmaps"][0] for side in sides if "heatmaps" in side]
    pictures = [draw.draw_heatmaps(image, maps[..., :count]) for maps in heatmaps]
    if "pafs" in sides[0]:
        return pictures + [draw.draw_fields(image, side["pafs"][0]) for side in sides]
    # After the keypoints there is a mask, or nothing: where there are fields the last map is the background.
    return pictures + [draw.draw_heatmaps(image, maps[..., count:]) for maps in heatmaps if maps.shape[-1] > count]


def _drawn(image: np.ndarray, side: dict, decoder, system: PoseSystem) -> np.ndarray:
    """The view with what its decoder finds: everybody of a whole image, or the one person's keypoints (1, K, 3).

    Of a network of one part of the outputs, what that part says: persons' boxes, or nothing yet.
    """
    if isinstance(decoder, InBoxes) and "boxes" not in side:
        return image
    if isinstance(decoder, InBoxes) and "heatmaps" not in side:
        grid = tuple(length // system.stride for length in image.shape[:2])
        boxes, scores = decoder.boxes(grid, side["boxes"][0], side["scores"][0])
        nobody = np.zeros((len(boxes), system.body.count, 3), np.float32)
        return draw.draw_poses(image, poses.Poses(nobody, scores, boxes), system.body, boxes=True)
    decoded = decoder(side)
    if system.view == "image":
        return draw.draw_poses(image, decoded[0], system.body, 0.0, boxes=isinstance(decoder, InBoxes))
    boxes = np.array([poses.bounds(k) for k in decoded], np.float32)
    return draw.draw_poses(image, poses.Poses(decoded, np.ones(len(decoded), np.float32), boxes), system.body)
