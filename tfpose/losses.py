"""What training minimises: scalars in float32, masked by what is known and divided by what was counted."""

from keras import ops

HARDEST = 8  # keypoints of a person, in online hard keypoint mining
FOCAL_GAMMA, FOCAL_ALPHA = 2.0, 0.25
SIGMA = 3.0  # of the smooth L1 distance


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


def focal(target, output):
    """Return the focal loss of logits `output` (B, A, 1), as a float32 scalar; gamma is 2 and alpha 0.25.

    `target` is 1 for an anchor of a person, 0 for background, and -1 for one that costs nothing. A view's sum is
    divided by its number of persons' anchors, at least 1; the result is the mean of the views. Lin et al. 2017,
    "Focal Loss for Dense Object Detection", section 4.1.
    """
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    # From logits, so that a very sure mistake still has its gradient: log p = -softplus(-x), log(1 - p) = -softplus(x).
    found, missed = ops.softplus(-output), ops.softplus(output)
    somebody = FOCAL_ALPHA * ops.exp(-FOCAL_GAMMA * missed) * found
    nobody = (1 - FOCAL_ALPHA) * ops.exp(-FOCAL_GAMMA * found) * missed
    costs = ops.where(target > 0, somebody, ops.where(target < 0, 0.0, nobody))
    return ops.mean(ops.sum(costs, axis=(1, 2)) / _anchors(target))


def smooth_l1(target, output, states):
    """Return the smooth L1 distance of codes (B, A, 4) where `states` (B, A, 1) are 1, as a float32 scalar.

    Below 1/9 it is quadratic (sigma 3, as in keras-retinanet), beyond linear. A view's sum over anchors and corners is
    divided by the number of these anchors, at least 1; the result is the mean of the views.
    """
    target, output, states = (ops.cast(x, "float32") for x in (target, output, states))
    error, limit = ops.abs(target - output), 1 / SIGMA**2
    costs = ops.where(error < limit, 0.5 * ops.square(error) / limit, error - 0.5 * limit)
    costs = ops.where(states > 0, costs, 0.0)
    return ops.mean(ops.sum(costs, axis=(1, 2)) / _anchors(states))


def cross_entropy(target, output):
    """Return the mean binary cross-entropy of `output` against `target`, 0 to 1, of one shape, as a float32 scalar."""
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    return ops.mean(ops.binary_crossentropy(target, output))


def whose(owned, logits, inside):
    """Return the mean cross-entropy of candidates over the boxes that may have them, as a float32 scalar.

    `owned` (B, P, N) is 1 for a box's own candidate, `inside` (B, P, N) where a box may have it; of `logits` (B, P, N)
    nobody's is 0, and what no box owns is nobody's. Candidates in no box cost nothing.
    """
    owned, logits, inside = (ops.cast(x, "float32") for x in (owned, logits, inside))
    logits, seen = _bounded(logits), ops.cast(ops.sum(inside, axis=1) > 0, "float32")  # B,N
    costs = ops.log1p(ops.sum(ops.exp(logits) * inside, axis=1)) - ops.sum(logits * owned, axis=1)
    return ops.sum(costs * seen) / ops.maximum(ops.sum(seen), 1.0)


def which(owned, logits, inside, kinds):
    """Return the mean cross-entropy of boxes over the candidates of each kind inside them, as a float32 scalar.

    As `whose`, with `kinds` (B, N, K) one-hot: of what a box owns none of, the right answer is none, whose logit is 0.
    Kinds without a candidate in the box cost nothing.
    """
    owned, logits, inside, kinds = (ops.cast(x, "float32") for x in (owned, logits, inside, kinds))
    logits, offered = _bounded(logits), ops.cast(ops.matmul(inside, kinds) > 0, "float32")  # B,P,K
    costs = ops.log1p(ops.matmul(ops.exp(logits) * inside, kinds)) - ops.matmul(logits * owned, kinds)
    return ops.sum(costs * offered) / ops.maximum(ops.sum(offered), 1.0)


def _bounded(logits):
    return ops.clip(logits, -30.0, 30.0)  # their exponentials are finite


def _anchors(states):
    return ops.maximum(ops.sum(ops.cast(states > 0, "float32"), axis=(1, 2)), 1.0)
