"""A file that takes a photo as it is: the view is cut in it, then come the network and the decoder, then the way back.

Photos have one size, which is the file's; a network of one person takes the person's box too.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfpose import spec as specs
from tfpose.export import bundle, decoded, in_graph_decoders, in_graph_views, join
from tfpose.export.saved_model import INPUT
from tfpose.litert import LiteRT
from tfpose.spec import PoseSpec

BOXES, VIEW = "boxes", "view"


def add(folder: Path | str, kind: str, size: tuple[int, int]) -> Path:
    """The path of the file for photos of `size`, photo/KIND.tflite, that is put beside a bundle's file of that kind."""
    folder = Path(folder)
    path = folder / bundle.PHOTO / bundle.FILES[kind]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(photo((folder / bundle.FILES[kind]).read_bytes(), specs.load(folder / bundle.SPEC), size))
    return path


def photo(network: bytes, spec: PoseSpec, size: tuple[int, int]) -> bytes:
    """The file with `images` (1, *size, 3) uint8 of a photo, people in pixels of it out, of built-in operations.

    Its outputs are those of `in_graph_decoders.decoder`. For a network of one person there is `boxes` (1, 4) too, x, y,
    w, h in pixels of the photo.
    """
    maps = join.joined(view(spec, size, LiteRT(network).levels), network, {INPUT: VIEW})
    return join.joined(maps, people(spec, size, join.outputs(network)))


def view(spec: PoseSpec, size: tuple[int, int], levels: np.ndarray | None) -> bytes:
    """The file that cuts "view" (1, height, width, 3) out of photos of `size`, as the `Predictor` does.

    `levels` (256,) is what the network reads for each grey level, None where that is the level itself, uint8.
    """

    def cut(**inputs):
        start, step = _seen(spec, size, inputs)
        rows = _between(tf.cast(inputs[INPUT], tf.float32), start[1], step, spec.size[0], axis=1)
        grey = tf.cast(tf.round(_between(rows, start[0], step, spec.size[1], axis=2)), tf.int32)
        return {VIEW: tf.cast(grey, tf.uint8) if levels is None else tf.gather(levels, grey)}

    return decoded.converted(cut, _inputs(spec, size))


def people(spec: PoseSpec, size: tuple[int, int], shapes: dict[str, tuple[int, ...]]) -> bytes:
    """The file of the decoder whose people are in pixels of photos of `size`: maps of these shapes, and boxes, in."""
    call = in_graph_decoders.decoder(spec)

    def found(**inputs):
        start, step = _seen(spec, size, inputs)
        result = call({name: inputs[name] for name in shapes})
        keypoints = result["keypoints"]
        there = tf.range(keypoints.shape[1]) < result["count"]
        points = tf.concat([start + step * keypoints[..., :2], keypoints[..., 2:]], axis=-1)
        result |= {"keypoints": tf.where(there[:, None, None], points, 0.0)}
        if BOXES in result:
            # Edges lie on pixel corners, half a pixel before the centres.
            low = start + step * (result[BOXES][..., :2] - 0.5) + 0.5
            result |= {BOXES: tf.where(there[:, None], tf.concat([low, step * result[BOXES][..., 2:]], axis=-1), 0.0)}
        return result

    inputs = {name: spec for name, spec in _inputs(spec, size).items() if name != INPUT}
    return decoded.converted(found, {name: tf.TensorSpec(s, tf.float32) for name, s in shapes.items()} | inputs)


def _inputs(spec: PoseSpec, size) -> dict[str, tf.TensorSpec]:
    boxes = {BOXES: tf.TensorSpec((1, 4), tf.float32)} if spec.view == "person" else {}
    return {INPUT: tf.TensorSpec((1, *size, 3), tf.uint8)} | boxes


def _seen(spec: PoseSpec, size, inputs) -> tuple:
    box = tf.reshape(inputs[BOXES], [4]) if spec.view == "person" else None
    return in_graph_views.seen(tf.constant(size[::-1], tf.float32), spec, box)


def _between(image, start, step, count: int, *, axis: int):
    """Images (1, h, w, 3) float32 read at `count` places along an axis, bilinear, zero outside."""
    places = start + step * tf.range(count, dtype=tf.float32)
    low, last, read = tf.floor(places), image.shape[axis] - 1, 0.0
    for cell, weight in ((low, 1 - (places - low)), (low + 1, places - low)):
        weight = tf.where((cell >= 0) & (cell <= last), weight, 0.0)
        index = tf.cast(tf.clip_by_value(cell, 0.0, float(last)), tf.int32)
        read += tf.gather(image, index, axis=axis) * tf.reshape(weight, [-1, 1] if axis == 2 else [-1, 1, 1])
    return read
