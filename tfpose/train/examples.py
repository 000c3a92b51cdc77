"""What a network in training finds on some photos of the validation part, on the way that everybody's photos go."""

import io
from functools import cached_property

import numpy as np
import tensorflow as tf
from PIL import Image

from tfpose import evaluate_labels, evaluate_parts, label_runners, runners
from tfpose.data import records
from tfpose.poses import Poses
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor
from tfpose.predict_labels import LabelPredictor
from tfpose.skeleton import conversion, converted
from tfpose.train.run import Run
from tfpose.watch import samples

COUNT = 24


def photo(record) -> np.ndarray:
    """A record's photo (H, W, 3) uint8, wherever it is; grey of its size where labels alone are known."""
    if not record.path:
        return samples.photo(record)
    with io.BytesIO(records.fetched(record.path)) as memory, Image.open(memory) as image:
        return np.asarray(image.convert("RGB"))


class Examples:
    """Photos evenly taken from those of the validation part with labelled people, and their predictor."""

    def __init__(self, run: Run):
        self.run = run
        known = [r for r in run.parts.validation.records if (r.keypoints[..., 2] > 0).any()]
        self.records = [known[i] for i in np.unique(np.linspace(0, len(known) - 1, COUNT).astype(int))] if known else []
        boxed = "boxes" in run.system.terms and not any(term.startswith("heatmaps") for term in run.system.terms)
        self.measure = samples.IOU if boxed else samples.OKS

    def ranked(self) -> list[samples.Pair]:
        """Every photo with what is found on it now, the best first."""
        return samples.pairs(self.records, self.found(), self.run.system.skeleton, self.measure)

    def found(self) -> list[Poses]:
        """The people of each photo, in its pixels and with the keypoints of the annotations."""
        poses = getattr(self, f"_{self.run.system.view}")()
        body, asked = self.predictor.spec.skeleton, self.run.system.skeleton
        if body == asked:
            return poses
        ends = conversion(body, asked)
        return [Poses(converted(p.keypoints, ends), p.scores, p.boxes) for p in poses]

    @cached_property
    def predictor(self) -> Predictor | ImagePredictor | LabelPredictor:
        """The predictor of the network as it is at the moment."""
        spec, network = self.run.system.spec(self.run.config.data.padding), self.run.trainee.network
        spec.decoder.pop("assign", None)  # who says whose keypoint is whose is not trained yet
        if spec.view == "labels":
            return LabelPredictor(spec, label_runners.network(network, runners.last_stage))
        kind = ImagePredictor if spec.view == "image" else Predictor
        return kind(spec, runners.network(network, tf.function), batch=8)

    def _person(self) -> list[Poses]:
        return self.predictor.many((photo(r), r.boxes, None) for r in self.records)

    def _image(self) -> list[Poses]:
        photos = (photo(r) for r in self.records)
        if not self.predictor.has_parts:
            return self.predictor.many(photos)
        boxes = "own" if "boxes" in self.run.system.terms else "annotations"
        parts = zip(self.records, self.predictor.parts(photos))
        return [self._of_parts(record, found, boxes) for record, found in parts]

    def _of_parts(self, record, found, boxes: str) -> Poses:
        if self.measure == samples.IOU:
            nobody = np.zeros((len(found.boxes), self.predictor.spec.skeleton.count, 3), np.float32)
            return Poses(nobody, found.scores, found.boxes)
        return evaluate_parts.poses(self.predictor.decode, found, record, keypoints="own", boxes=boxes)

    def _labels(self) -> list[Poses]:
        return [self.predictor(*evaluate_labels.shuffled(record)) for record in self.records]
