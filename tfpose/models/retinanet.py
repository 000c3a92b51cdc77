"""RetinaNet's head with one class: how much each anchor is a person, and where that person's box is from it.

Lin et al. 2017: "Focal Loss for Dense Object Detection". Both towers are the same at every level. Normalised, a level
has statistics of its own, as in EfficientDet (Tan et al. 2020): those of a fine and a coarse one differ.
"""

import math

import keras
from keras import layers

from tfpose.models import blocks

STD = 0.01
PRIOR = 0.01  # of an anchor to be a person's before anything is learnt: the many that are not would drown all else


def head(levels, width, depth, anchors, *, norm, name):
    """Return codes (B, A, 4) and logits (B, A, 1), float32, of the `anchors` of every cell of `levels`, fine to coarse.

    A tower is `depth` convolutions of `width` channels, rectified, and one more.
    """
    boxes = tower(levels, width, depth, 4 * anchors, 0.0, norm=norm, name=f"{name}_boxes")
    scores = tower(levels, width, depth, anchors, -math.log((1 - PRIOR) / PRIOR), norm=norm, name=f"{name}_scores")
    return _anchors_first(boxes, 4, f"{name}_boxes"), _anchors_first(scores, 1, f"{name}_scores")


def tower(levels, width, depth, channels, bias, *, norm, name):
    """Return maps of `channels` for each of `levels`, by the same convolutions; the last one's `bias` begins there."""
    hidden = [_conv(width, norm=norm, name=f"{name}_conv{i}") for i in range(1, depth + 1)]
    # float32 in every precision: outputs are what losses and decoders read.
    last = _conv(channels, bias=bias, dtype="float32", name=name)
    result = []
    for level, x in enumerate(levels, 8 - len(levels)):
        for i, layer in enumerate(hidden, 1):
            x = layer(x)
            if norm:
                x = blocks.batch_norm(x, name=f"{name}_bn{i}_level{level}")
            x = blocks.relu(x, name=f"{name}_relu{i}_level{level}")
        result.append(last(x))  # 60x60x36 ... 4x4x36
    return result


def _conv(filters, *, name, norm=False, bias=0.0, dtype=None):
    return layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=not norm,
        kernel_initializer=blocks.he() if norm else keras.initializers.RandomNormal(stddev=STD),
        bias_initializer=keras.initializers.Constant(bias),
        dtype=dtype,
        name=name,
    )


def _anchors_first(maps, each, name):
    rows = [layers.Reshape((-1, each), dtype="float32", name=f"{name}_rows{i}")(x) for i, x in enumerate(maps, 3)]
    return layers.Concatenate(axis=1, dtype="float32", name=f"{name}_all")(rows)  # 43245x4
