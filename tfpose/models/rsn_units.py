"""The units that RSN's encoder may consist of, in one frame: residual steps, ResNet's two blocks and Res2Net's.

Every unit is `x` plus a path of convolutions, rectified. Convolutions before a batch norm keep their biases, which it
takes away again: the published weight counts include them. Shapes in the comments are a first level's: width 26.
"""

from dataclasses import dataclass

import keras
from keras import layers, ops

from tfpose.models import blocks

REDUCTION = 8  # of the channels, in squeeze and excitation


@dataclass(frozen=True)
class Unit:
    """One unit's kind and channels: `planes` inside a ResNet block, `branches` of `width` each inside the others."""

    kind: str
    planes: int
    width: int
    branches: int
    filters: int
    squeeze: bool = False
    project: bool = False


def residual(x, plan: Unit, *, stride, name):
    """Return `x` after the unit that `plan` describes: (B, H / stride, W / stride, plan.filters)."""
    y = PATHS[plan.kind](x, plan, stride, name)
    if plan.squeeze:
        y = squeeze_and_excite(y, name=f"{name}_se")
    if plan.project or stride > 1 or x.shape[-1] != plan.filters:
        x = conv_bn(x, plan.filters, 1, stride=stride, name=f"{name}_project")
    return blocks.relu(layers.Add(name=f"{name}_add")([x, y]), name=f"{name}_relu")


def conv_bn(x, filters, kernel, *, name, stride=1):
    """Return the convolution of `x` with bias, batch-normalised."""
    x = blocks.conv(x, filters, kernel, stride=stride, bias=True, name=name)
    return blocks.batch_norm(x, name=f"{name}_bn")


def conv_bn_relu(x, filters, kernel, *, name, stride=1):
    """Return the convolution of `x` with bias, batch-normalised and rectified."""
    return blocks.relu(conv_bn(x, filters, kernel, stride=stride, name=name), name=f"{name}_relu")


def steps(parts, *, name):
    """Return one tensor for each of `parts`: the i-th after i convolutions, which see the neighbour's results too.

    y(i, j) = K(y(i, j-1) + y(i-1, j)), where y(i, 0) is part i, and the last of a branch has no neighbour (figure 2c).
    """
    above, last = [], []
    for i, y in enumerate(parts, 1):
        row = []
        for j in range(1, i + 1):
            step = f"{name}_branch{i}_step{j}"
            if j < i:
                y = layers.Add(name=f"{step}_add")([y, above[j - 1]])
            y = conv_bn_relu(y, y.shape[-1], 3, name=step)
            row.append(y)
        above = row
        last.append(y)
    return last


def hierarchy(parts, *, name):
    """Return one tensor for each of `parts`: the first as it is, each other convolved together with the one before.

    Gao et al. 2019, Res2Net, figure 2b.
    """
    result = [parts[0]]
    for i, y in enumerate(parts[1:], 2):
        step = f"{name}_branch{i}"
        if i > 2:
            y = layers.Add(name=f"{step}_add")([y, result[-1]])
        result.append(conv_bn_relu(y, y.shape[-1], 3, name=step))
    return result


def _rsb(x, plan, stride, name):
    return _split(x, plan, stride, name, steps)


def _res2(x, plan, stride, name):
    return _split(x, plan, stride, name, hierarchy)


def _split(x, plan, stride, name, branch):
    x = conv_bn_relu(x, plan.branches * plan.width, 1, stride=stride, name=f"{name}_conv1")  # 64x48x104
    parts = branch(ops.split(x, plan.branches, axis=-1), name=name)  # 4 of 64x48x26
    x = layers.Concatenate(name=f"{name}_concat")(parts)  # 64x48x104
    return conv_bn(x, plan.filters, 1, name=f"{name}_conv2")


def _basic(x, plan, stride, name):
    x = conv_bn_relu(x, plan.filters, 3, stride=stride, name=f"{name}_conv1")
    return conv_bn(x, plan.filters, 3, name=f"{name}_conv2")


def _bottleneck(x, plan, stride, name):
    x = conv_bn_relu(x, plan.planes, 1, name=f"{name}_conv1")
    x = conv_bn_relu(x, plan.planes, 3, stride=stride, name=f"{name}_conv2")
    return conv_bn(x, plan.filters, 1, name=f"{name}_conv3")


PATHS = {"rsb": _rsb, "basic": _basic, "bottleneck": _bottleneck, "res2": _res2}


def squeeze_and_excite(x, *, name):
    """Return `x` with every channel weighed by what all channels are on average (Hu et al. 2018)."""
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    y = blocks.conv(y, channels // REDUCTION, 1, bias=True, name=f"{name}_squeeze")
    y = blocks.conv(blocks.relu(y, name=f"{name}_relu"), channels, 1, bias=True, name=f"{name}_excite")
    y = layers.Activation("sigmoid", name=f"{name}_sigmoid")(y)
    return layers.Multiply(name=f"{name}_scale")([x, y])


def pose_refine_machine(x, *, name):
    """Return K(x) * (1 + alpha * beta): features weighed by channel (alpha) and by cell (beta) (equation 3, figure 3).

    Nothing is rectified before the two sigmoids, as in the figure; the released code does that, and never uses it.
    """
    channels = x.shape[-1]
    k = conv_bn_relu(x, channels, 3, name=f"{name}_conv")
    alpha = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(k)
    alpha = conv_bn_relu(alpha, channels, 1, name=f"{name}_channel1")
    alpha = conv_bn(alpha, channels, 1, name=f"{name}_channel2")
    alpha = layers.Activation("sigmoid", name=f"{name}_channel_sigmoid")(alpha)
    beta = conv_bn_relu(k, channels, 1, name=f"{name}_cell1")
    beta = blocks.batch_norm(_depthwise(beta, 9, name=f"{name}_cell2"), name=f"{name}_cell2_bn")
    beta = layers.Activation("sigmoid", name=f"{name}_cell_sigmoid")(beta)
    weight = layers.Multiply(name=f"{name}_weight")([beta, alpha])
    return layers.Add(name=f"{name}_add")([k, layers.Multiply(name=f"{name}_weighed")([k, weight])])


def _depthwise(x, kernel, *, name):
    first = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
    return layers.DepthwiseConv2D(kernel, padding="same", depthwise_initializer=first, name=name)(x)
