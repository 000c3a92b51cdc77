"""The trunks of networks that look at several scales: features at strides 4, 8, 16 and 32, C2 to C5.

ResNets are keras.applications' own, so that their published weights fit; "dilated" ones keep stride 16 in C5 and spread
its 3x3 convolutions instead (Chen et al. 2018, DeepLab). "light" is for CPUs and devices and has no published weights.
"""

from pathlib import Path

import keras

from tfpose.models import blocks
from tfpose.models.mobilenet import separable

RESNETS = {"resnet50": "ResNet50", "resnet101": "ResNet101"}
DILATED = "_dilated"
BACKBONES = (*RESNETS, *(name + DILATED for name in RESNETS), "light")
# Blocks of the levels: keras.applications names a level's features after its last one.
DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
STRIDES = (4, 8, 16, 32)
FIRST = "conv1_conv"
# The published weights are for 0..255 less these, in the order blue, green, red (Caffe's preprocessing of ImageNet).
CAFFE_MEAN = (123.68, 116.779, 103.939)
FILES = (".h5", ".keras")

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

    The file is one of keras.applications' ResNet50 or ResNet101: .h5, .weights.h5 or .keras, with its classifier or
    without. Raises ValueError where the backbone has none, where the download fails, and where the file cannot be read
    or lacks a layer.
    """
    name = RESNETS.get(backbone.removesuffix(DILATED))
    if name is None:
        raise ValueError(f"system.backbone_weights: {weights}, but {backbone} has none; set it to none")
    source = _imagenet(name) if weights == "imagenet" else _file(Path(weights), name)
    for layer in source.layers:
        if layer.weights and layer.name.startswith("conv"):
            values = layer.get_weights()
            network.get_layer(layer.name).set_weights(folded(*values) if layer.name == FIRST else values)


def folded(kernel, bias):
    """Return a first convolution's kernel (h, w, RGB, n) and bias for `blocks.normalise`, from those for BGR less mean.

    It gives the same values, but where it looks over the border: zeros there are two means, half a grey level apart.
    """
    kernel = kernel[:, :, ::-1]
    shifts = [255 * ours - caffe for ours, caffe in zip(blocks.IMAGENET_MEAN, CAFFE_MEAN)]
    moved = sum(shift * kernel[:, :, c].sum(axis=(0, 1)) for c, shift in enumerate(shifts))
    return kernel * [[255 * std] for std in blocks.IMAGENET_STD], bias + moved


def _imagenet(name: str):
    try:
        return getattr(keras.applications, name)(include_top=False, weights="imagenet")
    except Exception as error:  # Keras gives a failed download no type of its own
        raise ValueError(
            f"system.backbone_weights: imagenet, but Keras could not download {name} ({error}); set it to none, or to "
            f"the path of a {name} file of keras.applications"
        ) from error


def _file(path: Path, name: str):
    if path.suffix not in FILES or not path.is_file():
        found = "no such file" if path.suffix in FILES else f"a {path.suffix or 'path without suffix'}"
        raise ValueError(
            f"system.backbone_weights: {path}: {found}; expected imagenet, none, or an .h5 or .keras file of {name}"
        )
    expected = getattr(keras.applications, name)(include_top=False, weights=None)
    try:
        network = _read(path, expected)
        there = {layer.name for layer in network.layers if layer.weights and _filled(layer)}
    except Exception as error:  # h5py, zipfile and Keras each have their own types
        raise ValueError(f"system.backbone_weights: {path}: not a file of {name}'s weights ({error})") from error
    if missing := [layer.name for layer in expected.layers if layer.weights and layer.name not in there]:
        raise ValueError(
            f"system.backbone_weights: {path}: found no weights of {len(missing)} layers, {missing[0]} the first; "
            f"expected those of keras.applications.{name}, under their names there"
        )
    return network


def _read(path: Path, network):
    if path.suffix == ".keras":
        return keras.saving.load_model(path, compile=False)
    for weight in network.weights:  # zeros show what the file does not have
        weight.assign(keras.ops.zeros_like(weight))
    if path.name.endswith(".weights.h5"):
        network.load_weights(path)
    else:
        network.load_weights(path, by_name=True)
    return network


def _filled(layer) -> bool:
    return any(keras.ops.any(weight) for weight in layer.weights)
