"""Networks whose files compress: most of their kernels zero, or a kernel's values few.

Zhu and Gupta 2017, "To prune, or not to prune" (the least weights go, more and more of them, while the rest learn to do
without); Han, Mao and Dally 2016, "Deep Compression", section 3 (weights share what they are nearest to).
"""

import gzip
from collections.abc import Callable
from pathlib import Path

import keras
import tf_keras

from tfpose.export.toolkit import clustering, sparsity
from tfpose.export.twin import back, twin

# Depthwise kernels stay: they are few, and each channel has nothing else.
DENSE = (tf_keras.layers.Conv2D, tf_keras.layers.Conv2DTranspose)
Training = Callable[[tf_keras.Model, tf_keras.callbacks.Callback], object]


def prune(network: keras.Model, share: float, steps: int, train: Training) -> None:
    """Leaves `share` of each convolution's kernel zero, what is left trained by `train` in so many `steps`.

    The share grows over two thirds of the steps, fast at first. `train` gets a twin, and a callback that it must call.
    """
    grown = max(2 * steps // 3, 1)
    schedule = sparsity.keras.PolynomialDecay(0.0, share, 0, grown, frequency=max(grown // 50, 1))
    copy = _wrapped(twin(network), lambda layer: sparsity.keras.prune_low_magnitude(layer, schedule))
    train(copy, sparsity.keras.UpdatePruningStep())
    back(sparsity.keras.strip_pruning(copy), network)


def cluster(network: keras.Model, count: int, train: Training) -> None:
    """Leaves each convolution's kernel at most `count` values, trained by `train`."""
    first = clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    options = {"number_of_clusters": count, "cluster_centroids_init": first}
    copy = _wrapped(twin(network), lambda layer: clustering.keras.cluster_weights(layer, **options))
    train(copy, tf_keras.callbacks.Callback())
    back(clustering.keras.strip_clustering(copy), network)


def _wrapped(copy: tf_keras.Model, wrapper: Callable) -> tf_keras.Model:
    def wrapped(layer):
        dense = isinstance(layer, DENSE) and not isinstance(layer, tf_keras.layers.DepthwiseConv2D)
        return wrapper(layer) if dense else layer

    return tf_keras.models.clone_model(copy, clone_function=wrapped)


def zipped(path: Path) -> int:
    """The bytes of a file after gzip."""
    return len(gzip.compress(path.read_bytes(), mtime=0))
