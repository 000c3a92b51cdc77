"""VGG-19 down to stride 8: the trunk of the first networks of part affinity fields, and its published weights.

Simonyan, Zisserman: "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015); of its sixteen
convolutions the first ten. Shapes in the comments are for 368 x 432; B is left out.
"""

import keras
from keras import layers

from tfpose.models import blocks, published

# Pixels become pixel * SCALE + OFFSET (MLN, section 3.2).
SCALE, OFFSET = 1 / 256, -0.5
# Channels, and convolutions of them, between one pooling and the next.
LEVELS = ((64, 2), (128, 2), (256, 4), (512, 2))
OURS, KERAS = "conv{}_{}", "block{}_conv{}"
OPTION = "system.trunk_weights"


def normalise(image, *, name="normalise"):
    """Return `image` (B, H, W, 3) uint8 as float32 between -0.5 and 0.5."""
    # float32 in every precision: rounding to 16 bits belongs after the subtraction, not before it.
    return layers.Rescaling(SCALE, OFFSET, dtype="float32", name=name)(image)


def vgg19(x, *, names=OURS):
    """Return the features (B, H/8, W/8, 512) of a normalised photo `x`, after conv4_2, rectified."""
    for level, (filters, depth) in enumerate(LEVELS, 1):
        for i in range(1, depth + 1):
            name = names.format(level, i)
            x = blocks.conv(x, filters, 3, bias=True, name=name)  # 368x432x64, 184x216x128, 92x108x256, 46x54x512
            x = blocks.relu(x, name=f"{name}_relu")
        if level < len(LEVELS):
            x = layers.MaxPooling2D(2, name=f"pool{level}")(x)  # 184x216x64, 92x108x128, 46x54x256
    return x


def load(network, weights: str) -> None:
    """Give the trunk of `network` published weights: "imagenet" (Keras downloads them) or the path of a VGG-19 file.

    The file is one of keras.applications' VGG19. Raises ValueError as `published.network`.
    """
    places = [(level, i) for level, (_, depth) in enumerate(LEVELS, 1) for i in range(1, depth + 1)]
    source = published.network(weights, "VGG19", _like, [KERAS.format(*place) for place in places], OPTION)
    for place in places:
        values = source.get_layer(KERAS.format(*place)).get_weights()
        if place == (1, 1):
            values = published.folded(*values, [SCALE] * 3, [OFFSET] * 3)
        network.get_layer(OURS.format(*place)).set_weights(values)


def _like():
    image = keras.Input((None, None, 3))
    return keras.Model(image, vgg19(image, names=KERAS))
