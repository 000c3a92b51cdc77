"""HRNet: branches of two, three and four resolutions side by side, which pass everything to each other again and again.

Sun, Xiao, Liu, Wang: "Deep High-Resolution Representation Learning for Human Pose Estimation" (CVPR 2019).

    image -> stem -> [modules of 2 branches] -> [of 3] -> [of 4] -> heatmaps of the finest branch

A module is PPNet's: residual blocks in every branch, then the same fusion. Here no branch is deeper than another, and a
new one starts from the coarsest. Shapes in the comments are for 256 x 192 and W32; B is left out.
"""

import keras

from tfpose.models import blocks
from tfpose.models.ppnet import fuse, parallel

STEM_WIDTH = 64
STEM_BLOCKS = 4


def hrnet(*, size, keypoints, width=32, modules=(1, 4, 3), depth=4):
    """Return HRNet-W`width`: "image" (B, H, W, 3) uint8 to "heatmaps/0" (B, H/4, W/4, keypoints) float32.

    `modules` are the numbers of modules with 2, 3, ... branches, `depth` the residual blocks of a branch in each.
    `size` is (height, width), multiples of 4 * 2^len(modules), or (None, None) for any such. Raises ValueError for
    another size.
    """
    step = 4 << len(modules)
    if any(side is not None and side % step for side in size):
        raise ValueError(f"hrnet: size is {tuple(size)}, expected multiples of {step}; choose the nearest ones")
    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 256x192x3
    x = stem(blocks.normalise(image))  # 64x48x256
    # The first stage starts both of its branches from the stem's features.
    first = blocks.conv_bn_relu(x, width, 3, name="stage2_start1")
    branches = [first, blocks.conv_bn_relu(x, 2 * width, 3, stride=2, name="stage2_start2")]
    for s, count in enumerate(modules, 2):
        if s > 2:
            new = blocks.conv_bn_relu(branches[-1], width << (s - 1), 3, stride=2, name=f"stage{s}_start{s}")
            branches = [*branches, new]  # 64x48x32, 32x24x64, 16x12x128, 8x6x256
        widths, strides = [width << i for i in range(s)], [2] * (s - 1)
        for m in range(1, count + 1):
            name, last = f"stage{s}_module{m}", s == len(modules) + 1 and m == count
            branches = parallel(branches, widths, [depth] * s, "block", None, name)
            # The network's last module gives the finest branch alone.
            branches = fuse(branches, strides, 1 if last else s, None, name)
    maps = blocks.heatmaps(branches[0], keypoints, 1, name="heatmaps")  # 64x48x17
    return keras.Model(image, {"heatmaps/0": maps}, name="hrnet")


def stem(x):
    """Return the photo's features at stride 4: two strided convolutions and four bottlenecks."""
    x = blocks.conv_bn_relu(x, STEM_WIDTH, 3, stride=2, name="stem_conv1")  # 128x96x64
    x = blocks.conv_bn_relu(x, STEM_WIDTH, 3, stride=2, name="stem_conv2")  # 64x48x64
    for b in range(1, STEM_BLOCKS + 1):
        x = blocks.bottleneck(x, STEM_WIDTH, name=f"stem_block{b}")  # 64x48x256
    return x
