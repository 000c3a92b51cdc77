"""Pictures of what the network is taught and what it says: view and truth, target maps, output maps, decoded pose."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfpose import decode, draw, poses
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
    """A picture (height, width, 3) uint8 with a row per view: truth, target maps, output maps, decoded pose."""
    last = system.terms[-1]
    decoder = decode.decoder(system.decoder())
    rows = []
    for image, target, output in zip(images, targets[last], outputs[last]):
        truth, found = (decoder({"heatmaps": maps[None]}) for maps in (target, output))
        rows += [
            draw.draw_poses(image, _person(truth), system.skeleton),
            draw.draw_heatmaps(image, target),
            draw.draw_heatmaps(image, output),
            draw.draw_poses(image, _person(found), system.skeleton),
        ]
    return draw.tile(rows, 4, images.shape[1:3])


def _person(keypoints: np.ndarray) -> poses.Poses:
    boxes = np.array([poses.bounds(k) for k in keypoints], np.float32)
    return poses.Poses(keypoints, np.ones(len(keypoints), np.float32), boxes)
