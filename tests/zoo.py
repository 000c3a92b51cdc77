"""A network of every kind of layer that our systems have, each once or twice, and small views for it."""

import keras
import numpy as np
from keras import layers, ops
from test_twin import worn

SIZE = (32, 24)


def network():
    """uint8 images of 32 x 24 -> "heatmaps" (16, 12, 5) and "scores" (240, 1), its weights as training leaves them."""
    keras.utils.set_random_seed(4)
    image = keras.Input((*SIZE, 3), dtype="uint8", name="image")
    x = layers.Rescaling([1 / 58, 1 / 57, 1 / 57], [-2.1, -2.0, -1.8], name="normalise")(image)
    x = convolved(layers.ZeroPadding2D(1, name="pad")(x), 8, "stem", strides=2, padding="valid")
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    y = relu(layers.BatchNormalization(name="depthwise_bn")(y), "depthwise_relu")
    parts = ops.split(y, 2, axis=-1)
    y = layers.Concatenate(name="side_by_side")([parts[0], convolved(layers.Add(name="two")(parts), 4, "half")])
    y = relu(layers.BatchNormalization(name="standing_bn")(layers.Add(name="skip")([x, y])), "standing_relu")
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(y)
    gate = layers.Activation("sigmoid", name="gate")(layers.Conv2D(8, 1, name="squeeze")(gate))
    y = layers.Multiply(name="gated")([y, gate])
    low = convolved(layers.MaxPooling2D(2, name="pool")(y), 8, "low")
    up = layers.Conv2DTranspose(8, 4, 2, padding="same", use_bias=False, name="up")(low)
    up = layers.BatchNormalization(name="up_bn")(up)
    soft = layers.UpSampling2D(2, interpolation="bilinear", name="bilinear")(low)
    hard = layers.UpSampling2D(2, interpolation="nearest", name="nearest")(low)
    y = relu(layers.Add(name="four")([y, up, soft, hard]), "four_relu")
    head = layers.Conv2D(1, 3, padding="same", name="head")  # on two levels
    rows = [layers.Reshape((-1, 1), name=f"rows{i}")(head(level)) for i, level in enumerate((y, low))]
    outputs = {"heatmaps": layers.Conv2D(5, 1, name="maps")(y), "scores": layers.Concatenate(axis=1, name="all")(rows)}
    return worn(keras.Model(image, outputs, name="zoo"))


def convolved(x, filters, name, **options):
    x = layers.Conv2D(filters, 3, use_bias=False, **({"padding": "same"} | options), name=name)(x)
    return relu(layers.BatchNormalization(name=f"{name}_bn")(x), f"{name}_relu")


def relu(x, name):
    return layers.Activation("relu", name=name)(x)


def views(count=16):
    """Patches of colour, black and white among them."""
    cells = np.random.default_rng(6).integers(0, 256, (count, SIZE[0] // 8, SIZE[1] // 8, 3), dtype=np.uint8)
    cells[:, 0, 0], cells[:, 0, 1] = 0, 255
    return cells.repeat(8, axis=1).repeat(8, axis=2)
