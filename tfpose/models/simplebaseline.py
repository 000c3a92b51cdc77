"""SimpleBaseline: a ResNet, and three transposed convolutions on top of it.

Xiao, Wu, Wei: "Simple Baselines for Human Pose Estimation and Tracking" (ECCV 2018).

    image -> ResNet to stride 32 -> transposed convolution x 3, back to stride 4 -> heatmaps

Shapes in the comments are for 256 x 192 and ResNet-50; B is left out.
"""

import keras
from keras import layers

from tfpose.models import blocks
from tfpose.models.resnet import resnet

STRIDE = 32


def simplebaseline(*, size, keypoints, depths=(3, 4, 6, 3), width=64, filters=256):
    """Return SimpleBaseline: "image" (B, H, W, 3) uint8 to "heatmaps/0" (B, H/4, W/4, keypoints) float32.

    `depths` and `width` are the ResNet's, `filters` the channels of the transposed convolutions. `size` is (height,
    width), multiples of 32, or (None, None) for any such. Raises ValueError for another size.
    """
    if any(side is not None and side % STRIDE for side in size):
        raise ValueError(f"simplebaseline: size is {tuple(size)}, expected multiples of {STRIDE}; choose the nearest")
    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 256x192x3
    x = resnet(blocks.normalise(image), depths, width)[-1]  # 8x6x2048
    for i in range(1, 4):
        x = upward(x, filters, name=f"up{i}")  # 16x12x256, 32x24x256, 64x48x256
    return keras.Model(image, {"heatmaps/0": blocks.heatmaps(x, keypoints, 1, name="heatmaps")}, name="simplebaseline")


def upward(x, filters, *, name):
    """Return `x` on a grid twice as fine, (B, 2H, 2W, filters), by a 4x4 transposed convolution, rectified."""
    # `same` cuts one cell on every side, as PyTorch's padding of 1 does: the grids' centres stay on each other.
    x = layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", use_bias=False, kernel_initializer=blocks.he(), name=f"{name}_conv"
    )(x)
    return blocks.relu(blocks.batch_norm(x, name=f"{name}_bn"), name=f"{name}_relu")
