"""The light trunk is light, ends at stride 8, and needs nothing that an integer CPU kernel does not have."""

import keras
import numpy as np

from tfpose.models import count, vgg
from tfpose.models.mobilenet import mobilenet, separable

SIZE = (32, 48)


def trunk(size=SIZE):
    image = keras.Input((*size, 3), dtype="uint8")
    return keras.Model(image, mobilenet(vgg.normalise(image)))


def photos():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


def test_its_features_are_at_stride_8():
    assert trunk().output.shape == (None, 4, 6, 128)


def test_it_is_an_eighth_of_a_million_weights():
    assert count.parameters(trunk())[1] == 119_920


def test_every_convolution_is_normalised_and_rectified():
    rest = {keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.ZeroPadding2D}
    kinds = [type(layer) for layer in trunk().layers if type(layer) not in rest]
    three = {keras.layers.Conv2D: "conv", keras.layers.DepthwiseConv2D: "conv", keras.layers.BatchNormalization: "bn"}
    names = [three.get(kind, kind.__name__) for kind in kinds]
    assert names == ["conv", "bn", "Activation"] * (len(names) // 3)


def test_features_keep_their_scale_from_the_photo_to_the_end():
    features = np.asarray(trunk()(photos(), training=True))
    assert 0.3 < np.sqrt(np.mean(features**2)) < 1.5


def test_a_separable_convolution_costs_a_ninth_and_a_pointwise_one():
    x = keras.Input((4, 4, 64))
    assert count.parameters(keras.Model(x, separable(x, 128, name="block")))[1] == 9 * 64 + 64 * 128
