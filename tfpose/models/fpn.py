"""The feature pyramid: what a trunk sees coarsely is added to what it sees finely, level by level.

Lin et al. 2017: "Feature Pyramid Networks for Object Detection"; levels 6 and 7 as in RetinaNet (Lin et al. 2017,
"Focal Loss for Dense Object Detection"). Shapes in the comments are for 480 x 480, width 256; B is left out.
"""

from keras import layers

from tfpose.models import blocks


def fpn(levels, strides, width, *, norm, name):
    """Return `levels`, features of a trunk from fine to coarse, each with `width` channels and all coarser ones in it.

    `strides` are the levels'; two that follow may be equal. The coarsest is level 5. `norm` batch-normalises.
    """
    numbers = range(6 - len(levels), 6)
    result, above = [], None
    for i in reversed(range(len(levels))):
        x = conv(levels[i], width, 1, norm=norm, name=f"{name}_lateral{numbers[i]}")  # 15x15x256 ... 120x120x256
        if above is not None:
            factor = strides[i + 1] // strides[i]
            if factor > 1:
                above = blocks.upsample(above, factor, name=f"{name}_up{numbers[i]}")
            x = layers.Add(name=f"{name}_add{numbers[i]}")([x, above])
        above = x
        result.append(conv(x, width, 3, norm=norm, name=f"{name}_smooth{numbers[i]}"))
    return result[::-1]


def coarser(x, width, *, norm, name):
    """Return levels 6 and 7 of the trunk's coarsest features `x`, each half as fine as the one before."""
    six = conv(x, width, 3, stride=2, norm=norm, name=f"{name}_level6")  # 8x8x256
    seven = blocks.relu(six, name=f"{name}_level6_relu")
    return [six, conv(seven, width, 3, stride=2, norm=norm, name=f"{name}_level7")]  # 4x4x256


def conv(x, filters, kernel, *, norm, name, stride=1):
    """Return the convolution of `x`, not rectified: with a bias, or batch-normalised."""
    if norm:
        return blocks.conv_bn(x, filters, kernel, stride=stride, name=name)
    return blocks.conv(x, filters, kernel, stride=stride, bias=True, name=name)
