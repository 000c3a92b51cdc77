"""PPNet: parallel pyramid modules, with supervision after each.

Zhao, Wang, Gong, Yang, Gao: "Estimating Human Pose Efficiently by Parallel Pyramid Networks".

    image -> stem -> branches at stride 4, 8, 16 -> [module: pyramid -> fusion -> head -> feedback] x modules

Branch i has 2^i times the width and 2^i times the blocks of the first: narrow and shallow where the grid is fine.
Shapes in the comments are for 256 x 192, width 32, three branches and residual blocks; B is left out.
"""

import math

import keras
from keras import layers

from tfpose.models import blocks

UNITS = {"block": blocks.residual_block, "bottleneck": blocks.bottleneck}
EXPANSIONS = {"block": 1, "bottleneck": blocks.EXPANSION}
SKIPS = ("input", "branch")
STEM_STRIDE = 4


def ppnet(
    *,
    size,
    keypoints,
    modules=2,
    depth=2,
    width=32,
    unit="block",
    branches=3,
    depth_ratio=2,
    width_ratio=2,
    strides=(2, 2),
    skip="input",
    head_width=32,
    stem_width=64,
    stem_blocks=4,
    stem_out=256,
    init_std=0.001,
):
    """Return PPNet `Mm-Dn-WC`: "image" (B, H, W, 3) uint8 to "heatmaps/m" (B, H/4, W/4, keypoints) float32.

    `size` is (height, width), or (None, None) for any size that the strides divide. `strides` are the ratios of
    resolution from each branch to the next (table VIII). `skip` says what is added to a module's result for the next
    one: its "input" (the paper, figure 6) or its branches before fusion (what the released code does).
    Raises ValueError for a choice that does not exist and for a size that the strides do not divide.
    """
    _check(size, unit, branches, strides, skip)
    widths = [width * width_ratio**i for i in range(branches)]
    depths = [depth * depth_ratio**i for i in range(branches)]
    channels = [EXPANSIONS[unit] * w for w in widths]

    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 256x192x3
    x = blocks.normalise(image)
    x = stem(x, stem_width, stem_blocks, stem_out, init_std)  # 64x48x256
    inputs = spread(x, channels, strides, init_std)  # 64x48x32, 32x24x64, 16x12x128
    outputs = {}
    for m in range(modules):
        name, last = f"module{m + 1}", m == modules - 1
        pyramid = parallel(inputs, widths, depths, unit, init_std, name)
        # The last module's coarse branches feed nothing but the finest one.
        fused = fuse(pyramid, strides, 1 if last else branches, init_std, name)
        features, heatmaps = head(fused[0], keypoints, head_width, init_std, name)  # 64x48x32, 64x48x17
        outputs[f"heatmaps/{m}"] = heatmaps
        if not last:
            fused[0] = feedback(features, heatmaps, init_std, name)  # 64x48x32
            added = inputs if skip == "input" else pyramid
            inputs = [layers.Add(name=f"{name}_skip{i}")([a, b]) for i, (a, b) in enumerate(zip(added, fused), 1)]
    return keras.Model(image, outputs, name="ppnet")


def stem(x, width, count, out, init_std):
    """Return the photo's features at stride 4: two strided convolutions, then `count` bottlenecks to `out` channels."""
    x = blocks.conv_bn_relu(x, width, 3, stride=2, init_std=init_std, name="stem_conv1")  # 128x96x64
    x = blocks.conv_bn_relu(x, width, 3, stride=2, init_std=init_std, name="stem_conv2")  # 64x48x64
    for b in range(1, count + 1):
        x = blocks.bottleneck(x, width, filters=out, init_std=init_std, name=f"stem_block{b}")  # 64x48x256
    return x


def spread(x, channels, strides, init_std):
    """Return the first module's input: one tensor per branch, each from `x` by its own chain of convolutions."""
    first = x
    if x.shape[-1] != channels[0]:
        first = blocks.conv_bn_relu(x, channels[0], 3, init_std=init_std, name="input_branch1_conv")  # 64x48x32
    result = [first]
    for i in range(1, len(channels)):
        y, chain = x, _chain(strides[:i])
        for c, stride in enumerate(chain, 1):
            out = channels[i] if c == i else x.shape[-1]
            name = f"input_branch{i + 1}_conv{c}"
            y = blocks.conv_bn_relu(y, out, 3, stride=stride, init_std=init_std, name=name)
        result.append(y)  # 32x24x64, then 16x12x128
    return result


def parallel(inputs, widths, depths, unit, init_std, name):
    """Return every branch after its own residual units: shapes as they came, nothing passed between branches."""
    result = []
    for i, (x, width, depth) in enumerate(zip(inputs, widths, depths), 1):
        for b in range(1, depth + 1):
            x = UNITS[unit](x, width, init_std=init_std, name=f"{name}_branch{i}_block{b}")
        result.append(x)
    return result


def fuse(inputs, strides, count, init_std, name):
    """Return the first `count` branches, each the rectified sum of all branches brought to its grid and channels."""
    result = []
    for i in range(count):
        terms = [_bring(x, j, i, inputs[i].shape[-1], strides, init_std, name) for j, x in enumerate(inputs)]
        total = layers.Add(name=f"{name}_fuse{i + 1}_add")(terms)
        result.append(blocks.relu(total, name=f"{name}_fuse{i + 1}_relu"))
    return result


def _bring(x, source, target, channels, strides, init_std, name):
    name = f"{name}_fuse{target + 1}_from{source + 1}"
    if source > target:  # coarse to fine: channels first, where cells are few, then cells
        x = blocks.conv_bn(x, channels, 1, init_std=init_std, name=f"{name}_conv")
        return blocks.upsample(x, math.prod(strides[target:source]), name=f"{name}_up")
    chain = _chain(strides[source:target])
    for c, stride in enumerate(chain[:-1], 1):
        x = blocks.conv_bn_relu(x, x.shape[-1], 3, stride=stride, init_std=init_std, name=f"{name}_conv{c}")
    if chain:
        x = blocks.conv_bn(x, channels, 3, stride=chain[-1], init_std=init_std, name=f"{name}_conv{len(chain)}")
    return x


def head(x, keypoints, width, init_std, name):
    """Return the features behind a module's heatmaps, with the channels of `x`, and the heatmaps, float32."""
    features = blocks.conv_bn_relu(x, x.shape[-1], 1, init_std=init_std, name=f"{name}_head_fc")  # 64x48x32
    x = blocks.conv_bn_relu(features, width, 3, init_std=init_std, name=f"{name}_head_conv1")
    x = blocks.conv_bn_relu(x, width, 3, init_std=init_std, name=f"{name}_head_conv2")
    return features, blocks.heatmaps(x, keypoints, 1, name=f"{name}_heatmaps")  # 64x48x32, 64x48x17


def feedback(features, heatmaps, init_std, name):
    """Return a module's features and heatmaps, each mapped to the first branch's channels, and added."""
    channels = features.shape[-1]
    a = blocks.conv(features, channels, 1, bias=True, init_std=init_std, name=f"{name}_feedback_features")
    b = blocks.conv(heatmaps, channels, 1, bias=True, init_std=init_std, name=f"{name}_feedback_heatmaps")
    return layers.Add(name=f"{name}_feedback_add")([a, b])


def _chain(strides):
    # The larger step first: the order in which table VIII's ratios 2-3 cost the printed 5.88 GFLOPs.
    return sorted(strides, reverse=True)


def _check(size, unit, branches, strides, skip):
    if unit not in UNITS:
        raise ValueError(f"ppnet: unit is {unit!r}, expected one of {', '.join(UNITS)}; set it to one of these")
    if skip not in SKIPS:
        raise ValueError(f"ppnet: skip is {skip!r}, expected one of {', '.join(SKIPS)}; set it to one of these")
    if len(strides) != branches - 1:
        raise ValueError(
            f"ppnet: {branches} branches and strides {strides}, expected {branches - 1} strides; change one"
        )
    step = STEM_STRIDE * math.prod(strides)
    if any(side is not None and side % step for side in size):
        raise ValueError(f"ppnet: size is {tuple(size)}, expected multiples of {step}; choose the nearest ones")
