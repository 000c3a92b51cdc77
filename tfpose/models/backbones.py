"""The trunks of networks that look at several scales: features at strides 4, 8, 16 and 32, C2 to C5.

ResNets are keras.applications' own, so that their published weights fit; "dilated" ones keep stride 16 in C5 and spread
its 3x3 convolutions instead (Chen et al. 2018, DeepLab). "light" is for CPUs and devices and has no published weights.
"""

import keras

from tfpose.models import blocks, published
from tfpose.models.mobilenet import separable

RESNETS = {"resnet50": "ResNet50", "resnet101": "ResNet101"}
DILATED = "_dilated"
BACKBONES = (*RESNETS, *(name + DILATED for name in RESNETS), "light")
# Blocks of the levels: keras.applications names a level's features after its last one.
DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
STRIDES = (4, 8, 16, 32)
FIRST = "conv1_conv"
OPTION = "system.backbone_weights"

LIGHT = (32, 64, 128, 192)  # channels of the levels
LIGHT_DEPTH = 3  # separable convolutions of a level, from stride 16 on


def features(size, backbone):
    """Return the input "image" (B, H, W, 3) uint8, its features C2 to C5, and their strides.

    `size` is (height, width) or (None, None). Raises ValueError for a backbone that does not exist.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"backbone is {backbone!r}, expected one of {', '.join(BACKBONES)}; set it to one of these")
    image = keras.Input((*size, 3), dtype="uint8", name="image")
    x = blocks.normalise(image)
    if backbone == "light":
        return image, light(x), STRIDES
    name = backbone.removesuffix(DILATED)
    network = getattr(keras.applications, RESNETS[name])(include_top=False, weights=None, input_tensor=x)
    strides = STRIDES
    if backbone != name:
        network, strides = keras.models.clone_model(network, clone_function=_spread), (*STRIDES[:3], STRIDES[2])
    ends = [f"conv{level}_block{depth}_out" for level, depth in enumerate(DEPTHS[name], 2)]
    return network.inputs[0], [network.get_layer(end).output for end in ends], strides


def light(x):
    """Return four levels of a normalised photo `x`, of 32, 64, 128 and 192 channels, rectified.

    Dense convolutions while channels are few, then separable ones, as in `mobilenet`.
    """
    x = blocks.conv_bn_relu(x, 16, 3, stride=2, name="trunk_stem")
    levels = []
    for level, width in enumerate(LIGHT, 2):
        name = f"trunk_level{level}"
        x = blocks.conv_bn_relu(x, width, 3, stride=2, name=f"{name}_conv")
        if level < 4:
            x = blocks.residual_block(x, width, name=f"{name}_block")
        else:
            for i in range(1, LIGHT_DEPTH + 1):
                x = separable(x, width, name=f"{name}_block{i}")
        levels.append(x)
    return levels


def _spread(layer):
    # The last level's first convolutions keep every cell, and its 3x3 ones look at every second.
    config = layer.get_config()
    if layer.name in ("conv5_block1_0_conv", "conv5_block1_1_conv"):
        config["strides"] = (1, 1)
    elif layer.name.startswith("conv5_") and layer.name.endswith("_2_conv"):
        config["dilation_rate"] = (2, 2)
    return type(layer).from_config(config)


def load(network, backbone: str, weights: str) -> None:
    """Give the trunk of `network` published weights: "imagenet" (Keras downloads them) or the path of such a file.

    The file is one of keras.applications' ResNet50 or ResNet101. Raises ValueError where the backbone has none, and as
    `published.network`.
    """
    name = RESNETS.get(backbone.removesuffix(DILATED))
    if name is None:
        raise ValueError(f"{OPTION}: {weights}, but {backbone} has none; set it to none")
    trunk = [layer for layer in network.layers if layer.weights and layer.name.startswith("conv")]

    def like():
        return getattr(keras.applications, name)(include_top=False, weights=None)

    source = published.network(weights, name, like, [layer.name for layer in trunk], OPTION)
    for layer in trunk:
        values = source.get_layer(layer.name).get_weights()
        layer.set_weights(folded(*values) if layer.name == FIRST else values)


def folded(kernel, bias):
    """Return a first convolution's kernel (h, w, RGB, n) and bias for `blocks.normalise`, from the published ones."""
    scale = [1 / (255 * std) for std in blocks.IMAGENET_STD]
    offset = [-mean / std for mean, std in zip(blocks.IMAGENET_MEAN, blocks.IMAGENET_STD)]
    return published.folded(kernel, bias, scale, offset)
