"""How an int8 kernel rounds, as layers of `tf_keras` and as what the model optimization toolkit asks for each of them.

The rounding is that of Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference": 256 levels of a tensor, 255 of a kernel's channel, and gradients as if there were
no rounding.
"""
# ruff: noqa: ARG002 (the toolkit gives every rule all that any rule may need)

import numpy as np
import tensorflow as tf
import tf_keras

from tfpose.export.toolkit import quantization as toolkit

BITS, LARGEST = 8, 255.0


class Rounded(toolkit.quantizers.Quantizer):
    """Rounds a kernel to 127 levels on each side of zero, per channel along `axis`, its largest value the last one."""

    def __init__(self, axis: int):
        self.axis = axis

    def build(self, tensor_shape, name, layer):
        return {}

    def __call__(self, inputs, training, weights):
        # The operation knows the last axis only.
        order = [i for i in range(len(inputs.shape)) if i != self.axis] + [self.axis]
        kernel = tf.transpose(inputs, order)
        ends = tf.reduce_max(tf.abs(tf.stop_gradient(kernel)), axis=range(len(order) - 1))
        ends = tf.maximum(ends, 1e-9)  # a channel of zeros has a scale as well
        kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -ends, ends, BITS, narrow_range=True)
        return tf.transpose(kernel, np.argsort(order))

    def get_config(self):
        return {"axis": self.axis}


class Integers(toolkit.QuantizeConfig):
    """How a layer is rounded: its kernel along `axis` (None: not at all), and what it returns within `output`.

    "moving" is a range that follows the values, "sigmoid" the one that LiteRT's sigmoid has, "" none.
    """

    def __init__(self, axis: int | None, output: str):
        self.axis, self.output = axis, output

    def get_weights_and_quantizers(self, layer):
        return [] if self.axis is None else [(getattr(layer, _kernel(layer)), Rounded(self.axis))]

    def set_quantize_weights(self, layer, quantize_weights):
        for kernel in quantize_weights:
            setattr(layer, _kernel(layer), kernel)

    def get_activations_and_quantizers(self, layer):
        return []

    def set_quantize_activations(self, layer, quantize_activations):
        assert not quantize_activations

    def get_output_quantizers(self, layer):
        if self.output == "sigmoid":
            return [toolkit.quantizers.FixedQuantizer(BITS, 0.0, LARGEST / 256, narrow_range=False)]
        options = {"num_bits": BITS, "per_axis": False, "symmetric": False, "narrow_range": False}
        return [toolkit.quantizers.MovingAverageQuantizer(**options)] if self.output else []

    def get_config(self):
        return {"axis": self.axis, "output": self.output}


def _kernel(layer) -> str:
    return "depthwise_kernel" if isinstance(layer, tf_keras.layers.DepthwiseConv2D) else "kernel"


class Folded(tf_keras.layers.BatchNormalization):
    """A batch norm that is a part of the convolution before it, as in the file: its statistics stay as they are."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=False)


class Standing(tf_keras.layers.BatchNormalization):
    """A batch norm with no convolution before it, its statistics as they are, as a 1x1 depthwise convolution."""

    def call(self, inputs, training=None):
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        return _scaled(inputs, scale, self.beta - self.moving_mean * scale)


class Normalised(tf_keras.layers.Rescaling):
    """The normalisation of a photo of 256 levels, as a 1x1 depthwise convolution."""

    def call(self, inputs):
        photo = tf.quantization.fake_quant_with_min_max_args(tf.cast(inputs, tf.float32), 0.0, LARGEST, BITS)
        channels = photo.shape[-1:]
        return _scaled(photo, *(tf.broadcast_to(tf.cast(x, tf.float32), channels) for x in (self.scale, self.offset)))


def _scaled(inputs, scale, offset):
    # The converter would leave a product and a sum, and round what is between them in a range that nobody has learnt.
    kernel = tf.reshape(scale, (1, 1, -1, 1))
    return tf.nn.bias_add(tf.nn.depthwise_conv2d(inputs, kernel, (1, 1, 1, 1), "VALID"), offset)


class Scheme(toolkit.QuantizeScheme, toolkit.QuantizeLayoutTransform, toolkit.QuantizeRegistry):
    """The toolkit's part: it wraps the layers that have an `Integers`, as that says, and adds nothing of its own.

    Its own rules leave a depthwise kernel one range for all channels, and know several of our layers not at all.
    """

    def get_layout_transformer(self):
        return self

    def get_quantize_registry(self):
        return self

    def apply(self, model, layer_quantize_map):
        return model, layer_quantize_map

    def supports(self, layer):
        return False

    def get_quantize_config(self, layer):
        return None


def apply(annotated: tf_keras.Model) -> tf_keras.Model:
    """The network whose layers, annotated each with its `Integers`, compute as an int8 kernel would."""
    classes = (Rounded, Integers, Folded, Standing, Normalised)
    with tf_keras.utils.custom_object_scope({kind.__name__: kind for kind in classes}):
        return toolkit.quantize_apply(annotated, Scheme(), quantized_layer_name_prefix="")
