"""The mask of persons, which a network is taught as one more map beside the heatmaps (MultiPoseNet, section 3.1)."""

import tensorflow as tf


def with_mask(heatmaps, mask):
    """Heatmaps (B, h, w, K + 1) with a mask (B, h, w) of 0 and 1 in place of the background, the last map."""
    return tf.concat([heatmaps[..., :-1], mask[..., None]], axis=-1)


def weights(ignore, mask, keypoints):
    """What each of `keypoints` maps and the mask count in each cell: (B, h, w, keypoints + 1) float32, 0 or 1.

    Of somebody without marked keypoints, who is in `ignore` (B, h, w), the `mask` (B, h, w) is known nevertheless; of a
    crowd nothing is.
    """
    known = 1.0 - ignore[..., None]
    outline = 1.0 - ignore * (1.0 - mask)
    return tf.concat([tf.repeat(known, keypoints, axis=-1), outline[..., None]], axis=-1)
