"""SavedModel: the deployed network as a folder that TensorFlow runs without Keras, with named inputs and outputs."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

INPUT = "images"


def frozen(network: keras.Model, *, batch: int | None, dtype: str) -> keras.Model:
    """A copy of the network with its weights, float32 throughout, whose input `images` has this batch and dtype.

    Nearest upsampling becomes one resize operation: Keras writes it as repeats, which are many shape operations in a
    .tflite file, and which delegates do not know. ValueError where the network's view has no fixed size.
    """
    size = network.inputs[0].shape[1:]
    if len(network.inputs) != 1 or None in size:
        raise ValueError(f"network: its inputs are {network.inputs}, expected one of fixed height and width")
    images = keras.Input(batch_shape=(batch, *size), dtype=dtype, name=INPUT)
    copy = keras.models.clone_model(network, images, clone_function=_float32, call_function=_called)
    copy.set_weights(network.get_weights())
    return copy


def write(network: keras.Model, folder: Path | str, signatures: Callable[[Callable], dict] | None = None) -> None:
    """Writes a frozen network with the signature "maps": `images` (N, H, W, 3) -> its named outputs, float32.

    N is the batch of the network's input. `signatures` takes the function of "maps" and gives {name: tf.function} of
    what else there is; without it "serving_default" is "maps" too.
    """
    images = network.inputs[0]

    @tf.function(input_signature=[tf.TensorSpec(images.shape, images.dtype, name=INPUT)], autograph=False)
    def maps(images):
        # Said aloud, since the default would normalise by the statistics of the batch.
        return network(images, training=False)

    # Not keras.export.ExportArchive: it writes every weight twice (Keras 3.15).
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    functions = {"maps": maps} | (signatures(maps) if signatures else {"serving_default": maps})
    found = {name: function.get_concrete_function() for name, function in functions.items()}
    tf.saved_model.save(module, str(folder), found)


def _float32(layer: keras.Operation) -> keras.Operation:
    # A network trained in bfloat16 keeps float32 weights; neither file should round between its layers.
    config = layer.get_config() | ({"dtype": "float32"} if isinstance(layer, layers.Layer) else {})
    return layer.__class__.from_config(config)


def _called(layer: keras.Operation, *inputs, **options):
    if isinstance(layer, layers.UpSampling2D) and layer.interpolation == "nearest":
        height, width = (n * factor for n, factor in zip(inputs[0].shape[1:3], layer.size))
        return layers.Resizing(height, width, interpolation="nearest", name=layer.name)(*inputs)
    return layer(*inputs, **options)
