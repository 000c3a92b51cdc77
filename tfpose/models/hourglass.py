"""Stacked Hourglass: down to the coarsest grid and up again, several times over, with supervision after each.

Newell, Yang, Deng: "Stacked Hourglass Networks for Human Pose Estimation" (ECCV 2016), in the lighter form that public
PyTorch code made common, one residual unit where the paper has three: 6.7 M weights for two stages. Convolutions have
biases, and batch norm stands before each. Shapes in the comments are for 256 x 192; B is left out.

    image -> stem -> [hourglass -> head -> back into the features] x stages
"""

import keras
from keras import layers

from tfpose.models import blocks

STEM_STRIDE = 4
EXPANSION = 2


def hourglass(*, size, keypoints, stages=2, depth=4, width=128):
    """Return Hourglass: "image" (B, H, W, 3) uint8 to "heatmaps/i" (B, H/4, W/4, keypoints) float32, i of `stages`.

    `depth` is how often each hourglass halves its grid, `width` the inner channels of its units, whose outer ones are
    twice as many. `size` is (height, width), multiples of 4 * 2^depth, or (None, None) for any such. Raises ValueError
    for another size.
    """
    step = STEM_STRIDE * 2**depth
    if any(side is not None and side % step for side in size):
        raise ValueError(f"hourglass: size is {tuple(size)}, expected multiples of {step}; choose the nearest ones")
    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 256x192x3
    x = stem(blocks.normalise(image), width)  # 64x48x256
    outputs = {}
    for s in range(stages):
        name = f"stage{s + 1}"
        y = unit(sandglass(x, depth, width, name), width, name=f"{name}_unit")
        y = conv(y, EXPANSION * width, 1, name=f"{name}_fc")
        y = blocks.relu(blocks.batch_norm(y, name=f"{name}_fc_bn"), name=f"{name}_fc_relu")  # 64x48x256
        outputs[f"heatmaps/{s}"] = maps = blocks.heatmaps(y, keypoints, 1, name=f"{name}_heatmaps")  # 64x48x17
        if s < stages - 1:
            a = conv(y, EXPANSION * width, 1, name=f"{name}_feedback_features")
            b = conv(maps, EXPANSION * width, 1, name=f"{name}_feedback_heatmaps")
            x = layers.Add(name=f"{name}_feedback_add")([x, a, b])
    return keras.Model(image, outputs, name="hourglass")


def stem(x, width):
    """Return the photo's features at stride 4, `2 * width` channels of them."""
    x = conv(x, width // 2, 7, stride=2, name="stem_conv")  # 128x96x64
    x = blocks.relu(blocks.batch_norm(x, name="stem_bn"), name="stem_relu")
    x = unit(x, width // 2, name="stem_unit1")  # 128x96x128
    x = layers.MaxPooling2D(2, name="stem_pool")(x)  # 64x48x128
    x = unit(x, width, name="stem_unit2")  # 64x48x256
    return unit(x, width, name="stem_unit3")


def sandglass(x, depth, width, name):
    """Return `x` plus what `depth` coarser grids see: half the grid, deeper again, and back; its shape as it came."""
    name = f"{name}_grid{depth}"
    beside = unit(x, width, name=f"{name}_beside")
    y = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    y = unit(y, width, name=f"{name}_down")  # 32x24x256, 16x12x256, 8x6x256, 4x3x256
    y = sandglass(y, depth - 1, width, name) if depth > 1 else unit(y, width, name=f"{name}_bottom")
    y = blocks.upsample(unit(y, width, name=f"{name}_up"), 2, name=f"{name}_resize")
    return layers.Add(name=f"{name}_add")([beside, y])


def unit(x, width, *, name):
    """Return `x`, projected where its channels are not `2 * width`, plus a 1x1, 3x3, 1x1 path of inner `width`."""
    y = norm_relu_conv(x, width, 1, name=f"{name}_conv1")
    y = norm_relu_conv(y, width, 3, name=f"{name}_conv2")
    y = norm_relu_conv(y, EXPANSION * width, 1, name=f"{name}_conv3")
    if x.shape[-1] != EXPANSION * width:
        x = conv(x, EXPANSION * width, 1, name=f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y])


def norm_relu_conv(x, filters, kernel, *, name):
    """Return the convolution, with bias, of `x` batch-normalised and rectified."""
    x = blocks.relu(blocks.batch_norm(x, name=f"{name}_bn"), name=f"{name}_relu")
    return conv(x, filters, kernel, name=name)


def conv(x, filters, kernel, *, name, stride=1):
    """Return the convolution of `x` with bias."""
    return blocks.conv(x, filters, kernel, stride=stride, bias=True, name=name)
