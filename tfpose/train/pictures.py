"""Pictures of what the network is taught and what it says: view and truth, target maps, output maps, decoded poses."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfpose import decode, draw, poses, runners
from tfpose.systems.base import PoseSystem


class Pictures(keras.callbacks.Callback):
    """After each epoch a contact sheet of the same validation views, as pictures/epoch_NNN.png and in TensorBoard."""

    def __init__(self, folder: Path, system: PoseSystem, batch: tuple):
        super().__init__()
        self.folder, self.system = folder, system
        self.inputs, self.targets = batch

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(str(self.folder / "tensorboard"))

    def on_train_end(self, logs=None):
        self.writer.close()

    def on_epoch_end(self, epoch, logs=None):
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
    rows = []
    for i, image in enumerate(images):
        maps = [{name: values[i : i + 1] for name, values in side.items()} for side in (truth, found)]
        people = [_drawn(image, decoder(side), system) for side in maps]
        rows.append([people[0], *_maps(image, maps, system.body.count), people[1]])
    return draw.tile([picture for row in rows for picture in row], len(rows[0]), images.shape[1:3])


def _maps(image: np.ndarray, sides: list[dict], count: int) -> list[np.ndarray]:
    """Heatmaps taught and found, and the fields of both where there are any."""
    pictures = [draw.draw_heatmaps(image, side["heatmaps"][0, ..., :count]) for side in sides]
    return pictures + [draw.draw_fields(image, side["pafs"][0]) for side in sides if "pafs" in side]


def _drawn(image: np.ndarray, decoded, system: PoseSystem) -> np.ndarray:
    """The view with what its decoder found: people of a whole image, or the one person's keypoints (1, K, 3)."""
    if system.view == "image":
        return draw.draw_poses(image, decoded[0], system.body, 0.0)
    boxes = np.array([poses.bounds(k) for k in decoded], np.float32)
    return draw.draw_poses(image, poses.Poses(decoded, np.ones(len(decoded), np.float32), boxes), system.body)
