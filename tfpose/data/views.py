"""Views: one affine, one warp. The TensorFlow side of `geometry.py`, for the people of one photo at once."""

import importlib.util

import numpy as np
import tensorflow as tf

from tfpose.data.augment import Draws


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
    """The part of the photo that any of the views sees: (y, x, height, width) int32, at least one pixel."""
    height, width = size
    corners = tf.constant([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], tf.float32)
    points = tf.reshape(tf.matmul(corners[None], inverse(affine), transpose_b=True), [-1, 2])
    limit = tf.cast(photo_size[::-1], tf.float32)  # (width, height)
    low = tf.clip_by_value(tf.floor(tf.reduce_min(points, axis=0)), 0.0, limit - 1)
    high = tf.clip_by_value(tf.math.ceil(tf.reduce_max(points, axis=0)) + 1, low + 1, limit)
    low, high = tf.cast(low, tf.int32), tf.cast(high, tf.int32)
    return tf.stack([low[1], low[0], high[1] - low[1], high[0] - low[0]])


def cut(image, affine, colour, size, warp: str):
    """Views (P, height, width, 3) uint8 of a photo, bilinear, black outside, each through its colour map (P, 3, 4).

    `warp` "graph" uses TensorFlow alone, so that the pipeline can be moved to other machines; "opencv" is faster.
    """
    if warp == "opencv":
        views = tf.numpy_function(_opencv, [image, affine, colour, *size], tf.uint8)
        return tf.ensure_shape(views, [None, *size, 3])
    rows = tf.reshape(inverse(affine), [-1, 6])
    transforms = tf.concat([rows, tf.zeros_like(rows[:, :2])], axis=1)
    photo = tf.cast(image, tf.float32)[None]

    def view(transform):
        warped = tf.raw_ops.ImageProjectiveTransformV3(
            images=photo,
            transforms=transform[None],
            output_shape=size,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
            fill_value=0.0,
        )
        return warped[0]

    views = tf.map_fn(view, transforms, fn_output_signature=tf.TensorSpec([*size, 3], tf.float32))
    flat = tf.matmul(tf.reshape(views, [-1, size[0] * size[1], 3]), colour[:, :, :3], transpose_b=True)
    views = tf.reshape(flat, [-1, *size, 3]) + colour[:, None, None, :, 3]
    return tf.cast(tf.clip_by_value(tf.round(views), 0.0, 255.0), tf.uint8)


def choose(warp: str) -> str:
    """The warp that "auto" means here: OpenCV's where it is installed. ValueError where it is asked for and is not."""
    installed = importlib.util.find_spec("cv2") is not None
    if warp == "opencv" and not installed:
        raise ValueError("data.warp: opencv, but it is not installed; pip install opencv-python-headless, or use graph")
    return ("opencv" if installed else "graph") if warp == "auto" else warp


def _opencv(image, affine, colour, height, width):
    import cv2

    views = np.empty((len(affine), height, width, 3), np.uint8)
    plain = np.eye(3, 4, dtype=np.float32)
    for view, matrix, change in zip(views, affine, colour):
        cv2.warpAffine(image, matrix, (int(width), int(height)), dst=view, flags=cv2.INTER_LINEAR)
        if not np.array_equal(change, plain):
            cv2.transform(view, change, dst=view)
    return views
