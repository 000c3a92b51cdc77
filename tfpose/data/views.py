"""Views: one affine, one warp. The TensorFlow side of `geometry.py`, for several people at once."""

import importlib.util

import numpy as np
import tensorflow as tf

from tfpose.data import records
from tfpose.data.augment import Draws

GREY = (124, 116, 104)  # the mean of ImageNet's photos: zero to the network
MARGIN = 2  # pixels around what is needed: a JPEG's colours are interpolated from their neighbours


def affines(draws: Draws, size) -> tf.Tensor:
    """Photo -> view of each person, (P, 2, 3): `geometry.crop` of the drawn box, then the mirror where drawn."""
    height, width = size
    box, aspect = draws.boxes, width / height
    wide = tf.maximum(tf.maximum(box[:, 2], box[:, 3] * aspect), 1e-6) * draws.padding / draws.scale
    factor = width / wide
    centre = box[:, :2] + box[:, 2:] / 2 - 0.5 + draws.shift * tf.stack([wide, wide / aspect], axis=1)
    angle = draws.turn * (np.pi / 180)
    cos, sin = tf.cos(angle) * factor, tf.sin(angle) * factor
    linear = tf.stack([tf.stack([cos, -sin], axis=1), tf.stack([sin, cos], axis=1)], axis=1)
    middle = tf.constant([(width - 1) / 2, (height - 1) / 2], tf.float32)
    offset = middle - tf.linalg.matvec(linear, centre)
    result = tf.concat([linear, offset[..., None]], axis=2)
    mirrored = result * [[-1.0], [1.0]] + tf.constant([[0, 0, width - 1.0], [0, 0, 0]])
    return tf.where(draws.mirror[:, None, None], mirrored, result)


def letterboxes(photo_sizes, size) -> tf.Tensor:
    """Photo -> view of all of it, (N, 2, 3), for photos of sizes (N, 2): `geometry.letterbox`."""
    sides = tf.cast(photo_sizes[:, ::-1], tf.float32)  # width, height
    view = tf.constant(size[::-1], tf.float32)
    factor = tf.reduce_min(view / sides, axis=1)
    offset = (factor[:, None] - 1) / 2 + (view - sides * factor[:, None]) / 2
    return tf.concat([factor[:, None, None] * tf.eye(2), offset[..., None]], axis=2)


def mapped(keypoints, affine, mirror, skeleton):
    """Keypoints (P, K, 3) in the view; those of a mirrored person change sides."""
    points = tf.matmul(keypoints[..., :2], affine[:, :, :2], transpose_b=True) + affine[:, None, :, 2]
    moved = tf.where(keypoints[..., 2:] > 0, points, 0.0)
    moved = tf.concat([moved, keypoints[..., 2:]], axis=-1)
    return tf.where(mirror[:, None, None], tf.gather(moved, skeleton.mirror, axis=1), moved)


def inverse(affine):
    """View -> photo, (P, 2, 3)."""
    linear = tf.linalg.inv(affine[:, :, :2])
    return tf.concat([linear, -tf.matmul(linear, affine[:, :, 2:])], axis=2)


def region(affine, size, photo_size):
    """The part of the photo that any of the views needs: (y, x, height, width) int32, at least one pixel."""
    height, width = size
    corners = tf.constant([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], tf.float32)
    points = tf.reshape(tf.matmul(corners[None], inverse(affine), transpose_b=True), [-1, 2])
    limit = tf.cast(photo_size[::-1], tf.float32)  # (width, height)
    low = tf.clip_by_value(tf.floor(tf.reduce_min(points, axis=0)) - MARGIN, 0.0, limit - 1)
    high = tf.clip_by_value(tf.math.ceil(tf.reduce_max(points, axis=0)) + MARGIN + 1, low + 1, limit)
    low, high = tf.cast(low, tf.int32), tf.cast(high, tf.int32)
    return tf.stack([low[1], low[0], high[1] - low[1], high[0] - low[0]])


def read(path, photo_size, affine, colour, erased, size, warp: str):
    """Views (P, height, width, 3) uint8 of the people of a photo, a file or a shard's record; nobody's is not opened.

    Bilinear, black outside the photo, each view through its colour map (P, 3, 4), and grey where a rectangle (P, 4) is
    `erased`. `warp` "graph" uses TensorFlow alone, so that the pipeline can be moved to other machines; "opencv" is
    faster. The two agree to one grey level.
    """
    one = _read_opencv if warp == "opencv" else _read_graph
    some = tf.shape(affine)[0] > 0
    views = tf.cond(
        some, lambda: one(path, photo_size, affine, colour, size), lambda: tf.zeros([0, *size, 3], tf.uint8)
    )
    views = tf.cond(tf.reduce_any(erased[:, 2] > 0), lambda: without(views, erased, size), lambda: views)
    return tf.ensure_shape(views, [None, *size, 3])


def without(views, erased, size):
    """Views (P, *size, 3) with rectangles (P, 4), (left, top, right, bottom) in parts of the view, made grey."""
    height, width = size
    columns, rows = (tf.cast((tf.range(n) * 2 + 1) / (2 * n), tf.float32) for n in (width, height))
    left, top, right, bottom = tf.unstack(erased[:, :, None], axis=1)
    across = (columns >= left) & (columns < right)
    down = (rows >= top) & (rows < bottom)
    return tf.where((down[:, :, None] & across[:, None, :])[..., None], tf.constant(GREY, tf.uint8), views)


def choose(warp: str) -> str:
    """The warp that "auto" means here: OpenCV's where it is installed. ValueError where it is asked for and is not."""
    installed = importlib.util.find_spec("cv2") is not None
    if warp == "opencv" and not installed:
        raise ValueError("data.warp: opencv, but it is not installed; pip install opencv-python-headless, or use graph")
    return ("opencv" if installed else "graph") if warp == "auto" else warp


def _read_graph(path, photo_size, affine, colour, size):
    image, corner = _decoded(path, region(affine, size, photo_size))
    offset = affine[:, :, 2] + tf.linalg.matvec(affine[:, :, :2], corner)
    return cut(image, tf.concat([affine[:, :, :2], offset[..., None]], axis=2), colour, size)


def _decoded(path, needed):
    """The needed part of a photo and its corner (x, y); the accurate DCT gives Pillow's and OpenCV's pixels."""
    data = records.content(path)
    start, extent = [*tf.unstack(needed[:2]), 0], [*tf.unstack(needed[2:]), 3]
    image = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_and_crop_jpeg(data, needed, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.slice(tf.io.decode_image(data, 3, expand_animations=False), start, extent),
    )
    return image, tf.cast(tf.stack([needed[1], needed[0]]), tf.float32)


def cut(image, affine, colour, size):
    """Views (P, height, width, 3) uint8 of an image that is decoded already, in TensorFlow ops."""
    rows = tf.reshape(inverse(affine), [-1, 6])
    transforms = tf.concat([rows, tf.zeros_like(rows[:, :2])], axis=1)
    photo = tf.cast(image, tf.float32)[None]

    def one(transform):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=photo,
            transforms=transform[None],
            output_shape=size,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
            fill_value=0.0,
        )[0]

    views = tf.map_fn(one, transforms, fn_output_signature=tf.TensorSpec([*size, 3], tf.float32))
    plain = tf.reduce_all(colour == tf.eye(3, 4))
    views = tf.cond(plain, lambda: views, lambda: _coloured(views, colour))
    return tf.cast(tf.round(views), tf.uint8)


def _coloured(views, colour):
    flat = tf.matmul(tf.reshape(views, [-1, views.shape[1] * views.shape[2], 3]), colour[:, :, :3], transpose_b=True)
    return tf.clip_by_value(tf.reshape(flat, tf.shape(views)) + colour[:, None, None, :, 3], 0.0, 255.0)


def _read_opencv(path, _, affine, colour, size):
    return tf.numpy_function(_opencv, [records.content(path), path, affine, colour, *size], tf.uint8)


def _opencv(content, path, affine, colour, height, width):
    import cv2

    photo = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if photo is None:
        raise ValueError(f"{records.named(path.decode())}: cannot be read as an image")
    views = np.empty((len(affine), height, width, 3), np.uint8)
    plain = np.eye(3, 4, dtype=np.float32)
    for view, matrix, change in zip(views, affine, colour):
        cv2.warpAffine(photo, matrix, (int(width), int(height)), dst=view, flags=cv2.INTER_LINEAR)
        cv2.cvtColor(view, cv2.COLOR_BGR2RGB, dst=view)
        if not np.array_equal(change, plain):
            cv2.transform(view, change, dst=view)
    return views
