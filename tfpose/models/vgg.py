"""VGG-19 down to stride 8: the trunk of the first networks of part affinity fields, and its published weights.

Simonyan, Zisserman: "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015); of its sixteen
convolutions the first ten. Shapes in the comments are for 368 x 432; B is left out.
"""

from pathlib import Path

import keras
from keras import layers

from tfpose.models import blocks

# Pixels become pixel * SCALE + OFFSET (MLN, section 3.2).
SCALE, OFFSET = 1 / 256, -0.5
# Channels, and convolutions of them, between one pooling and the next.
LEVELS = ((64, 2), (128, 2), (256, 4), (512, 2))
# The published weights are for 0..255 less these, in the order blue, green, red (Caffe's preprocessing of ImageNet).
IMAGENET_MEAN = {"red": 123.68, "green": 116.779, "blue": 103.939}
OURS, KERAS = "conv{}_{}", "block{}_conv{}"
FILES = (".h5", ".keras")


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

    The file is one of keras.applications' VGG19: .h5, .weights.h5 or .keras, with its classifier or without. Raises
    ValueError where the download fails, and where the file cannot be read or lacks a convolution.
    """
    source = _imagenet() if weights == "imagenet" else _file(Path(weights))
    for level, (_, depth) in enumerate(LEVELS, 1):
        for i in range(1, depth + 1):
            kernel, bias = source.get_layer(KERAS.format(level, i)).get_weights()
            if (level, i) == (1, 1):
                kernel, bias = folded(kernel, bias)
            network.get_layer(OURS.format(level, i)).set_weights([kernel, bias])


def folded(kernel, bias):
    """Return a first convolution's kernel (3, 3, RGB, 64) and bias for `normalise`, from those for BGR less the mean.

    It gives the same values, but where it looks over the border: zeros there are grey, and were ImageNet's mean.
    """
    kernel = kernel[:, :, ::-1]
    # pixel = (x - OFFSET) / SCALE
    shifts = [-OFFSET / SCALE - mean for mean in IMAGENET_MEAN.values()]
    moved = sum(shift * kernel[:, :, c].sum(axis=(0, 1)) for c, shift in enumerate(shifts))
    return kernel / SCALE, bias + moved


def _imagenet():
    try:
        return keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # Keras gives a failed download no type of its own
        raise ValueError(
            f"system.trunk_weights: imagenet, but Keras could not download VGG19 ({error}); set it to none, or to the "
            "path of a VGG19 file of keras.applications"
        ) from error


def _file(path: Path):
    if path.suffix not in FILES or not path.is_file():
        found = "no such file" if path.suffix in FILES else f"a {path.suffix or 'path without suffix'}"
        raise ValueError(
            f"system.trunk_weights: {path}: {found}; expected imagenet, none, or an .h5 or .keras file of VGG19"
        )
    try:
        network = _read(path)
        names = {layer.name for layer in network.layers if layer.weights and _filled(layer)}
    except Exception as error:  # h5py, zipfile and Keras each have their own types
        raise ValueError(f"system.trunk_weights: {path}: not a file of VGG19's weights ({error})") from error
    wanted = [KERAS.format(level, i) for level, (_, depth) in enumerate(LEVELS, 1) for i in range(1, depth + 1)]
    if missing := [name for name in wanted if name not in names]:
        raise ValueError(
            f"system.trunk_weights: {path}: found no weights of {', '.join(missing)}; expected those of "
            "keras.applications.VGG19, under their names there"
        )
    return network


def _read(path: Path):
    if path.suffix == ".keras":
        return keras.saving.load_model(path, compile=False)
    image = keras.Input((None, None, 3))
    network = keras.Model(image, vgg19(image, names=KERAS))
    for weight in network.weights:  # zeros show what the file does not have
        weight.assign(keras.ops.zeros_like(weight))
    if path.name.endswith(".weights.h5"):
        network.load_weights(path)
    else:
        network.load_weights(path, by_name=True)
    return network


def _filled(layer) -> bool:
    return any(keras.ops.any(weight) for weight in layer.weights)
