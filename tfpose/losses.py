"""What training minimises: scalars in float32, masked by what is known and divided by what was counted."""

from keras import ops

HARDEST = 8  # keypoints of a person, in online hard keypoint mining


def heatmap_mse(target, output, weight=None):
    """Return half the mean squared error of `output` against `target`, both (B, H, W, K), as a float32 scalar.

    `weight`, (B, K) or (B, 1, 1, K), is 0 for a keypoint that is not known: it costs nothing; without it every map
    counts, as it does in RSN, where what is not known is taught as zeros. The sum is divided by
    B * H * W * K, unknown keypoints included, as PPNet's and RSN's published code does. A divisor that does not
    depend on the batch also makes the mean over equal parts of a batch, on several devices, that of the batch.
    """
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    if weight is None:
        return 0.5 * ops.mean(ops.square(output - target))
    weight = ops.cast(weight, "float32")
    if len(weight.shape) == 2:
        weight = weight[:, None, None, :]
    return 0.5 * ops.mean(weight * ops.square(output - target))


def hardest_mse(target, output, weight):
    """Return half the mean squared error of each person's 8 worst heatmaps (B, H, W, K), as a float32 scalar.

    `weight` (B, K) is 0 for a keypoint that is not known: it costs nothing, and counts as one of the 8 where fewer are
    known. Online hard keypoint mining: Chen et al. 2018, CPN, section 3.2; Li et al. 2019, MSPN.
    """
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    errors = ops.cast(weight, "float32") * ops.mean(ops.square(output - target), axis=(1, 2))
    worst, _ = ops.top_k(errors, min(HARDEST, errors.shape[-1]))
    return 0.5 * ops.mean(worst)


def maps_sse(target, output, weight):
    """Return half the squared errors of maps (B, H, W, C), summed over cells and channels, a view; float32 scalar.

    `weight` (B, H, W, 1) is 0 where nothing is known. The sum is divided by 2 B and by nothing else, as Caffe's
    EuclideanLoss does: the learning rates of OpenPose and MLN are made for it, and would be tens of thousands of times
    too small for a mean.
    """
    target, output, weight = (ops.cast(x, "float32") for x in (target, output, weight))
    return 0.5 * ops.sum(weight * ops.square(output - target)) / ops.cast(ops.shape(target)[0], "float32")
