"""Which way up a JPEG is, as TensorFlow operations: the orientation that a phone writes into its EXIF data."""

import tensorflow as tf

HEAD = 1 << 17  # a JPEG's segments of what is no picture have 64 KiB at most, and EXIF data is the first or second
ENTRIES = 64
TAG = 0x0112
MARK = ((0, 0xFF), (1, 0xE1), (4, ord("E")), (5, ord("x")), (6, ord("i")), (7, ord("f")), (8, 0), (9, 0))


def orientation(data) -> tf.Tensor:
    """The orientation () int32, 1 to 8, that encoded bytes () string ask for; 1 where they say nothing (EXIF 2.32)."""
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, HEAD), tf.uint8), tf.int32)
    head = tf.concat([head, tf.zeros([len(MARK) + 2], tf.int32)], axis=0)
    places = tf.shape(head)[0] - len(MARK) - 2
    marked = tf.reduce_all([head[i : i + places] == value for i, value in MARK], axis=0)
    start = tf.argmax(marked, output_type=tf.int32) + 10  # of the TIFF header: all places count from there
    little = _byte(head, start) == ord("I")
    entries = start + _number(head, start + 4, 4, little) + 2
    count = _number(head, entries - 2, 2, little)
    each = tf.range(ENTRIES)
    right = (_number(head, entries + 12 * each, 2, little) == TAG) & (each < count) & tf.reduce_any(marked)
    values = tf.where(right, _number(head, entries + 12 * each + 8, 2, little), 0)
    found = tf.reduce_max(values)
    return tf.where((found >= 1) & (found <= 8), found, 1)


def turns(orientation) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether rows and columns are exchanged, () bool, and then which of x and y run backwards, (2,) bool."""
    x, y = (tf.reduce_any(orientation == backwards) for backwards in ([2, 3, 6, 7], [3, 4, 7, 8]))
    return orientation >= 5, tf.stack([x, y])


def _number(head, places, size: int, little):
    digits = [_byte(head, places + i) for i in range(size)]
    return tf.where(little, _joined(digits[::-1]), _joined(digits))


def _joined(digits):
    total = digits[0]
    for digit in digits[1:]:
        total = total * 256 + digit
    return total


def _byte(head, places):
    # What is broken points anywhere.
    return tf.gather(head, tf.clip_by_value(places, 0, tf.shape(head)[0] - 1))
