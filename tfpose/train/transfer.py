"""Weights from one network to another: all of them, or those of the layers that both have."""

import os
import re

import keras

from tfpose import paths, remote

BETWEEN = rf"{re.escape(os.pathsep)}(?!//)"  # gs://bucket is one name


def initial(network: keras.Model, names: str) -> int:
    """Takes the weights of networks saved as .keras, layer by layer under their names; returns how many it took.

    `names` is one, or several with ":" between (`os.pathsep`), of which a later one's count. A network of one part of
    another takes what they share, and a line says so. ValueError where a file is missing or no network, where a layer
    of that name has another shape, and where none is shared.
    """
    return sum(_initial(network, name) for name in re.split(BETWEEN, names))


def _initial(network: keras.Model, path: str) -> int:
    where = f"train.initial_weights: {path}"
    if not paths.path(path).is_file():
        raise ValueError(f"{where}: no such file")
    try:
        source = keras.models.load_model(remote.fetched(paths.path(path)), compile=False)
    except (ValueError, KeyError) as error:  # KeyError: a zip file, but not a network's
        raise ValueError(f"{where}: no network: {error}") from error
    try:
        shared = take(network, source)
    except ValueError as error:
        raise ValueError(f"{where}: of another network: {error}") from error
    total = len(weighted(network))
    if shared < total:
        print(f"{path}: the weights of {shared} of {total} layers", flush=True)
    return shared


def take(network: keras.Model, source: keras.Model) -> int:
    """Gives each layer the weights of the source's layer of that name; returns how many there are.

    ValueError where one has weights of other shapes, and where there is none; nothing is changed then.
    """
    there = weighted(source)
    shared = {name: layer for name, layer in weighted(network).items() if name in there}
    for name, layer in shared.items():
        expected, found = ([tuple(w.shape) for w in one.weights] for one in (layer, there[name]))
        if expected != found:
            raise ValueError(f"layer {name} has weights {found}, expected {expected}")
    if not shared:
        raise ValueError(f"no layer has the name of one of {network.name}'s")
    for name, layer in shared.items():
        layer.set_weights(there[name].get_weights())
    return len(shared)


def weighted(network: keras.Model) -> dict[str, keras.Layer]:
    """The layers that have weights, by their names."""
    return {layer.name: layer for layer in network.layers if layer.weights}
