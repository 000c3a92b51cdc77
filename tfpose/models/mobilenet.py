"""A light trunk to stride 8: dense convolutions while channels are few, then depthwise separable ones.

Howard et al.: "MobileNets" (arXiv:1704.04861). Theirs are separable from the second layer on; with 16 to 64 channels a
dense one takes a CPU's integer units no longer, and sees more. Shapes in the comments are for 368 x 432; B is left out.
"""

from keras import layers

from tfpose.models import blocks

DENSE = (16, 32, 64)  # channels at stride 2, 4, 8
SEPARABLE = 6
WIDTH = 128


def mobilenet(x):
    """Return the features (B, H/8, W/8, 128) of a normalised photo `x`, rectified."""
    for i, filters in enumerate(DENSE, 1):
        x = blocks.conv_bn_relu(x, filters, 3, stride=2, name=f"trunk_conv{i}")  # 184x216x16, 92x108x32, 46x54x64
    for i in range(1, SEPARABLE + 1):
        x = separable(x, WIDTH, name=f"trunk_block{i}")  # 46x54x128
    return x


def separable(x, filters, *, name):
    """Return a 3x3 convolution of each channel of `x` by itself, then a pointwise one of all, both rectified."""
    x = layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, depthwise_initializer=blocks.he(), name=f"{name}_depthwise"
    )(x)
    x = blocks.relu(blocks.batch_norm(x, name=f"{name}_depthwise_bn"), name=f"{name}_depthwise_relu")
    return blocks.conv_bn_relu(x, filters, 1, name=f"{name}_pointwise")
