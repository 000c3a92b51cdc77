"""What networks of heatmaps and part affinity fields share: the photo's features at stride 8, and a head's layers.

A head is made as published, every convolution with a bias and first weights of deviation 0.01; or, where no trained
weights are at hand, with batch norm, which lets it learn from nothing in a few thousand steps.
"""

import keras

from tfpose.models import blocks, mobilenet, vgg

STRIDE = 8
INIT_STD = 0.01
READ = 128  # channels that maps are read from: fewer than their own would tie them to each other


def features(size, trunk, norm):
    """Return the input "image" (B, H, W, 3) uint8 and its features (B, H/8, W/8, 128) at stride 8, rectified.

    Raises ValueError for a trunk that does not exist and for a `size` (height, width) that 8 does not divide.
    """
    if trunk not in TRUNKS:
        raise ValueError(f"trunk is {trunk!r}, expected one of {', '.join(TRUNKS)}; set it to one of these")
    if any(side is not None and side % STRIDE for side in size):
        raise ValueError(f"size is {tuple(size)}, expected multiples of {STRIDE}; choose the nearest ones")
    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 368x432x3
    return image, TRUNKS[trunk](vgg.normalise(image), norm)


def deep(x, norm):
    """Return VGG-19's features and two convolutions more, conv4_3_CPM and conv4_4_CPM of the published networks."""
    x = vgg.vgg19(x)  # 46x54x512
    x = conv(x, 256, 3, norm=norm, name="context_conv1")  # 46x54x256
    return conv(x, 128, 3, norm=norm, name="context_conv2")  # 46x54x128


def light(x, norm):  # noqa: ARG001 (it is always normalised)
    """Return the light trunk's features."""
    return mobilenet.mobilenet(x)  # 46x54x128


TRUNKS = {"vgg19": deep, "mobilenet": light}


def conv(x, filters, kernel, *, norm, name):
    """Return the convolution of `x`, rectified: with a bias, or batch-normalised."""
    if norm:
        return blocks.conv_bn_relu(x, filters, kernel, name=name)
    x = blocks.conv(x, filters, kernel, bias=True, init_std=INIT_STD, name=name)
    return blocks.relu(x, name=f"{name}_relu")


def maps(x, channels, *, norm, name):
    """Return maps (B, H, W, channels) float32 of the features `x`, which begin near zero."""
    std = blocks.OUTPUT_STD if norm else INIT_STD  # normalised features are many times as large as others
    # float32 in every precision: outputs are what losses and decoders read.
    return blocks.conv(x, channels, 1, bias=True, init_std=std, dtype="float32", name=name)
