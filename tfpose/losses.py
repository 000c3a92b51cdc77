"""What training minimises: scalars in float32, masked by what is known and divided by what was counted."""

from keras import ops


def heatmap_mse(target, output, weight):
    """Return half the mean squared error of `output` against `target`, both (B, H, W, K), as a float32 scalar.

    `weight`, (B, K) or (B, 1, 1, K), is 0 for a keypoint that is not known: it costs nothing. The sum is divided by
    B * H * W * K, unknown keypoints included, as PPNet's and RSN's published code does. A divisor that does not
    depend on the batch also makes the mean over equal parts of a batch, on several devices, that of the batch.
    """
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    weight = ops.cast(weight, "float32")
    if len(weight.shape) == 2:
        weight = weight[:, None, None, :]
    return 0.5 * ops.mean(weight * ops.square(output - target))
