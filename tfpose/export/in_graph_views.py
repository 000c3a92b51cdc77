"""A photo -> the view that a network is served, as TensorFlow operations: `geometry.letterbox`, `crop` and `warp`.

Views that serve are neither turned nor mirrored, so that a view is where its first pixel lies in the photo and how far
it is from one pixel to the next: `start` (2,) x, y and `step` (), in pixels of the photo as it stands upright.
"""

import tensorflow as tf

from tfpose.export import in_graph_exif as exif
from tfpose.spec import PoseSpec


def decoded(data) -> tuple[tf.Tensor, tf.Tensor]:
    """Encoded bytes () string, JPEG or PNG -> pixels (h, w, 3) uint8 as they are stored, and their orientation ()."""
    image = tf.cond(
        tf.io.is_jpeg(data),
        # The accurate DCT gives Pillow's and OpenCV's pixels.
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_png(data, channels=3),
    )
    return image, exif.orientation(data)


def extent(image, orientation) -> tf.Tensor:
    """The width and height (2,) float32 of pixels (h, w, 3) once they stand upright."""
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    swapped, _ = exif.turns(orientation)
    return tf.where(swapped, [height, width], [width, height])


def seen(photo, spec: PoseSpec, box=None) -> tuple[tf.Tensor, tf.Tensor]:
    """Where a view lies, (start, step), of a photo with width and height (2,), or of a person's box (4,) in it.

    A network of persons without a box is served the whole photo as one person, as `Predictor` does.
    """
    view = tf.constant(spec.size[::-1], tf.float32)
    if spec.view == "image":
        step = tf.reduce_max(photo / view)
        margin = (view - photo / step) / 2
        return (0.5 - margin) * step - 0.5, step
    low, sides = (tf.zeros(2), photo) if box is None else (box[:2], box[2:])
    wide = tf.maximum(tf.reduce_max(sides * [1.0, view[0] / view[1]]), 1e-6)
    step = wide * spec.padding / view[0]
    return low + sides / 2 - 0.5 - (view - 1) / 2 * step, step


def cut(image, orientation, start, step, size: tuple[int, int]) -> tf.Tensor:
    """The view (height, width, 3) uint8 of pixels (h, w, 3) uint8 as they are stored: bilinear, zero outside."""
    swapped, flipped = exif.turns(orientation)
    view = tf.constant(size[::-1], tf.float32)
    first, last = start, start + step * (view - 1)
    end = extent(image, orientation) - 1
    first, last = (tf.where(flipped, end - place, place) for place in (first, last))
    # From x, y of the upright photo to rows, columns of the stored one, in a frame one pixel wide on each side.
    first, last = (tf.where(swapped, place, place[::-1]) + 1 for place in (first, last))
    limits = tf.cast(tf.shape(image)[:2] + 1, tf.float32)
    view = tf.image.crop_and_resize(
        tf.pad(image, [[1, 1], [1, 1], [0, 0]])[None],
        tf.concat([first / limits, last / limits], axis=0)[None],
        [0],
        tf.where(swapped, size[::-1], size),
    )[0]
    view = tf.cond(swapped, lambda: tf.transpose(view, [1, 0, 2]), lambda: view)
    return tf.ensure_shape(tf.cast(tf.round(view), tf.uint8), [*size, 3])
