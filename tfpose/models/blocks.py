"""The pieces that networks are made of: convolutions, residual units, upsampling, and the normalisation of a photo.

Every function takes a tensor and gives a tensor, and names its layers from `name`, so that a layer says what it does
("module1_branch2_block3_conv1"). Padding and batch norm follow the PyTorch conventions of the published code.
`init_std` is the standard deviation of a convolution's first weights; None draws them by He's rule over the fan-out.
"""

import keras
from keras import layers

# Mean and standard deviation of ImageNet's photos, red, green, blue, for values in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

EXPANSION = 4  # a bottleneck's outer channels for each inner one
OUTPUT_STD = 0.001


def normalise(image, *, name="normalise"):
    """Return `image` (B, H, W, 3) uint8 as float32 with ImageNet's mean 0 and deviation 1 in every channel."""
    scale = [1 / (255 * std) for std in IMAGENET_STD]
    offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD)]
    # float32 in every precision: rounding to 16 bits belongs after the subtraction, not before it.
    return layers.Rescaling(scale, offset, dtype="float32", name=name)(image)


def conv(x, filters, kernel, *, name, stride=1, bias=False, init_std=None, dtype=None):
    """Return the `kernel` x `kernel` convolution of `x`, padded by kernel // 2 on every side, `stride` cells apart."""
    padding = "same"
    if stride > 1 and kernel > 1:
        # `same` pads an even input at the bottom and right only, which would shift the grid by half a pixel.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        use_bias=bias,
        kernel_initializer=_initialiser(init_std),
        dtype=dtype,
        name=name,
    )(x)


def he():
    """Return a new initialiser by He's rule over the fan-out; one that is used twice gives the same weights twice."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")


def _initialiser(std):
    return he() if std is None else keras.initializers.RandomNormal(stddev=std)


def batch_norm(x, *, name):
    """Return `x` batch-normalised, with PyTorch's epsilon 1e-5 and momentum 0.1 (Keras counts the other way: 0.9)."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def relu(x, *, name):
    """Return max(x, 0)."""
    return layers.Activation("relu", name=name)(x)


def conv_bn(x, filters, kernel, *, name, stride=1, init_std=None):
    """Return the convolution of `x` without bias, batch-normalised."""
    x = conv(x, filters, kernel, stride=stride, init_std=init_std, name=name)
    return batch_norm(x, name=f"{name}_bn")


def conv_bn_relu(x, filters, kernel, *, name, stride=1, init_std=None):
    """Return the convolution of `x` without bias, batch-normalised and rectified."""
    x = conv_bn(x, filters, kernel, stride=stride, init_std=init_std, name=name)
    return relu(x, name=f"{name}_relu")


def residual_block(x, width, *, name, init_std=None):
    """Return `x` plus two 3x3 convolutions of it, rectified: (B, H, W, width) (PPNet's residual block, figure 5)."""
    y = conv_bn_relu(x, width, 3, init_std=init_std, name=f"{name}_conv1")
    y = conv_bn(y, width, 3, init_std=init_std, name=f"{name}_conv2")
    return _add_relu(x, y, width, 1, name=name, init_std=init_std)


def bottleneck(x, width, *, name, filters=None, stride=1, init_std=None):
    """Return `x` plus a 1x1, 3x3, 1x1 path of inner `width`, rectified: (B, H/s, W/s, filters), 4 * width by default.

    The sum's first term is `x` itself, or its projection where the channels differ (PPNet's residual module, figure 5)
    or the 3x3 convolution has a `stride`, as in ResNets that PyTorch users know.
    """
    filters = filters or EXPANSION * width
    y = conv_bn_relu(x, width, 1, init_std=init_std, name=f"{name}_conv1")
    y = conv_bn_relu(y, width, 3, stride=stride, init_std=init_std, name=f"{name}_conv2")
    y = conv_bn(y, filters, 1, init_std=init_std, name=f"{name}_conv3")
    return _add_relu(x, y, filters, stride, name=name, init_std=init_std)


def _add_relu(x, y, filters, stride, *, name, init_std):
    if stride > 1 or x.shape[-1] != filters:
        x = conv_bn(x, filters, 1, stride=stride, init_std=init_std, name=f"{name}_project")
    return relu(layers.Add(name=f"{name}_add")([x, y]), name=f"{name}_relu")


def upsample(x, factor, *, name):
    """Return `x` with every cell repeated `factor` times down and across."""
    return layers.UpSampling2D(factor, interpolation="nearest", name=name)(x)


def heatmaps(x, keypoints, kernel, *, name):
    """Return heatmaps (B, H, W, keypoints) float32 of the features `x`, by one convolution with bias."""
    # float32 in every precision: outputs are what losses and decoders read.
    # They start near zero by any rule: large ones would fill Adam's second moments for thousands of steps.
    return conv(x, keypoints, kernel, bias=True, init_std=OUTPUT_STD, dtype="float32", name=name)


def last_stage(network):
    """Return the network that is shipped: the same layers and weights, of "heatmaps/0", "heatmaps/1" ... the last.

    Of every other name with stages too: {"heatmaps/0", "pafs/0", "heatmaps/1", "pafs/1"} becomes {"heatmaps", "pafs"}.
    """
    stages = {key: int(key.rpartition("/")[2]) for key in network.output}
    last = max(stages.values())
    outputs = {key.rpartition("/")[0]: network.output[key] for key, stage in stages.items() if stage == last}
    return keras.Model(network.input, outputs, name=network.name)
