"""The SavedModel that servers load: encoded photos in, people in their pixels out, and nothing of this package needed.

A folder NAME/1 as TensorFlow Serving wants it, with the requests that warm it up. Signatures:

serving_default   image_bytes (N,) string, JPEG or PNG   ->  people
images            images (N, h, w, 3) uint8              ->  people
boxes             image_bytes, and boxes (N, 4) float32  ->  people; of networks of one person only
maps              images (N, H, W, 3) uint8, views       ->  what the network gives

People are `keypoints` (N, P, K, 3) x, y in pixels of each photo as it stands upright and a score, `scores` (N, P), best
first, and `count` (N,) int32, from which on all are zeros; `boxes` (N, P, 4) x, y, w, h where the network finds them.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from tfpose.export import in_graph_decoders, saved_model, warmup
from tfpose.export import in_graph_views as views
from tfpose.spec import PoseSpec

VERSION = "1"
BYTES, IMAGES, BOXES = "image_bytes", "images", "boxes"
FOUND = ("keypoints", "scores", "count", "boxes")


def save(network: keras.Model, spec: PoseSpec, folder: Path | str) -> None:
    """Writes the deployed network as version 1 into a folder; with "maps" alone where nothing in a graph decodes them.

    That is so for a network of one part, which finds nobody, and for a decoder with options that are NumPy's alone.
    """
    frozen, version = saved_model.frozen(network, batch=None, dtype="uint8"), Path(folder) / VERSION
    decode = _decoder(network, spec)
    if decode is None:
        saved_model.write(frozen, version)
        return
    saved_model.write(frozen, version, lambda maps: signatures(maps, decode, spec))
    warmup.write(version, spec)


def signatures(maps: Callable, decode: Callable, spec: PoseSpec) -> dict:
    """{name: tf.function with its signature} of what gives the maps of views, and of their decoder."""
    texts, boxes = tf.TensorSpec([None], tf.string, BYTES), tf.TensorSpec([None, 4], tf.float32, BOXES)
    photos = tf.TensorSpec([None, None, None, 3], tf.uint8, IMAGES)
    kinds = ([*spec.size, 3], tf.uint8), ([2], tf.float32), ([], tf.float32)
    view = tuple(tf.TensorSpec(shape, kind) for shape, kind in kinds)

    @tf.function(input_signature=[tf.TensorSpec([None, *shape], kind) for shape, kind in kinds], autograph=False)
    def people(view, start, step):
        return placed(_decoded(maps(view), decode, spec), start[:, None], step[:, None, None])

    def encoded(image_bytes):
        return people(*tf.map_fn(lambda b: _view(*views.decoded(b), spec), image_bytes, fn_output_signature=view))

    def plain(images):
        upright = tf.constant(1)
        return people(*tf.map_fn(lambda image: _view(image, upright, spec), images, fn_output_signature=view))

    def around(image_bytes, boxes):
        inputs = (image_bytes, boxes)
        return people(*tf.map_fn(lambda i: _view(*views.decoded(i[0]), spec, i[1]), inputs, fn_output_signature=view))

    found = {
        "serving_default": tf.function(encoded, [texts], autograph=False),
        IMAGES: tf.function(plain, [photos], autograph=False),
    }
    return found | ({BOXES: tf.function(around, [texts, boxes], autograph=False)} if spec.view == "person" else {})


def placed(people: dict, start, step) -> dict:
    """People in pixels of their views -> in pixels of their photos; `start` (N, 1, 2) and `step` (N, 1, 1)."""
    keypoints = people["keypoints"]
    points = start[:, :, None] + step[..., None] * keypoints[..., :2]
    known = tf.cast(keypoints[..., 2:] > 0, tf.float32)
    found = people | {"keypoints": tf.concat([points, keypoints[..., 2:]], axis=-1) * known}
    if "boxes" in people:
        boxes = people["boxes"]
        # Edges lie on pixel corners, half a pixel before the centres that are mapped.
        corner = start + step * (boxes[..., :2] - 0.5) + 0.5
        there = tf.cast(people["scores"] > 0, tf.float32)[..., None]
        found["boxes"] = tf.concat([corner, step * boxes[..., 2:]], axis=-1) * there
    return found


def _view(image, orientation, spec: PoseSpec, box=None):
    start, step = views.seen(views.extent(image, orientation), spec, box)
    return views.cut(image, orientation, start, step, spec.size), start, step


def _decoder(network: keras.Model, spec: PoseSpec) -> Callable | None:
    names = {name.partition("/")[0] for name in network.output}
    if spec.decoder["name"] == "boxes" and not {"heatmaps", "boxes", "scores"} <= names:
        return None
    try:
        return in_graph_decoders.decoder(spec)
    except ValueError:
        return None


def _decoded(maps: dict, decode: Callable, spec: PoseSpec) -> dict:
    if spec.view == "person":
        return {name: values for name, values in decode(maps).items() if name in FOUND}

    # A decoder of whole images looks at one view.
    @tf.function(input_signature=[{n: tf.TensorSpec(v.shape[1:], v.dtype) for n, v in maps.items()}], autograph=False)
    def one(view):
        found = decode({name: values[None] for name, values in view.items()})
        return {name: values[0] for name, values in found.items() if name in FOUND}

    found = one.get_concrete_function().structured_outputs
    shapes = {name: tf.TensorSpec(values.shape, values.dtype) for name, values in found.items()}
    return tf.map_fn(one, maps, fn_output_signature=shapes)
