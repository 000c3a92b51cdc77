"""Published weights of keras.applications, by name or out of a file, as a network under its own layers' names."""

from collections.abc import Callable, Iterable
from pathlib import Path

import keras

from tfpose import paths, remote

# They are for 0..255 less these, in the order blue, green, red (Caffe's preprocessing of ImageNet).
CAFFE_MEAN = {"red": 123.68, "green": 116.779, "blue": 103.939}
FILES = (".h5", ".keras")


def network(weights: str, name: str, like: Callable[[], keras.Model], wanted: Iterable[str], option: str):
    """Return a network with the published weights of `name` (ResNet50, VGG19): "imagenet", or those of a file's path.

    The file is .h5, .weights.h5 or .keras, with a classifier or without; `like()` builds a network whose layers have
    the names and weights of those `wanted` of it. Raises ValueError, naming the `option`, where the download fails, and
    where the file cannot be read or lacks a layer.
    """
    if weights == "imagenet":
        return _imagenet(name, option)
    return _file(remote.fetched(paths.path(weights)), name, like, list(wanted), option)


def folded(kernel, bias, scale, offset):
    """Return a first convolution's kernel (h, w, RGB, n) and bias for other pixels, from those for BGR less the mean.

    A pixel 0..255 of a colour is read as pixel * `scale` + `offset`, each of three (red, green, blue). Values are the
    same, but where it looks over the border: zeros there are another grey.
    """
    kernel = kernel[:, :, ::-1]
    shifts = [-o / s - mean for s, o, mean in zip(scale, offset, CAFFE_MEAN.values(), strict=True)]
    moved = sum(shift * kernel[:, :, c].sum(axis=(0, 1)) for c, shift in enumerate(shifts))
    return kernel / [[s] for s in scale], bias + moved


def _imagenet(name: str, option: str):
    try:
        return getattr(keras.applications, name)(include_top=False, weights="imagenet")
    except Exception as error:  # Keras gives a failed download no type of its own
        raise ValueError(
            f"{option}: imagenet, but Keras could not download {name} ({error}); set it to none, or to the path of a "
            f"{name} file of keras.applications"
        ) from error


def _file(path: Path, name: str, like: Callable[[], keras.Model], wanted: list[str], option: str):
    if path.suffix not in FILES or not path.is_file():
        found = "no such file" if path.suffix in FILES else f"a {path.suffix or 'path without suffix'}"
        raise ValueError(f"{option}: {path}: {found}; expected imagenet, none, or an .h5 or .keras file of {name}")
    try:
        source = _read(path, like)
        there = {layer.name for layer in source.layers if layer.weights and _filled(layer)}
    except Exception as error:  # h5py, zipfile and Keras each have their own types
        raise ValueError(f"{option}: {path}: not a file of {name}'s weights ({error})") from error
    if missing := [layer for layer in wanted if layer not in there]:
        raise ValueError(
            f"{option}: {path}: found no weights of {len(missing)} layers, {missing[0]} the first; expected those of "
            f"keras.applications.{name}, under their names there"
        )
    return source


def _read(path: Path, like: Callable[[], keras.Model]):
    if path.suffix == ".keras":
        return keras.saving.load_model(path, compile=False)
    source = like()
    for weight in source.weights:  # zeros show what the file does not have
        weight.assign(keras.ops.zeros_like(weight))
    if path.name.endswith(".weights.h5"):
        source.load_weights(path)
    else:
        source.load_weights(path, by_name=True)
    return source


def _filled(layer) -> bool:
    return any(keras.ops.any(weight) for weight in layer.weights)
