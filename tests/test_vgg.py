"""VGG-19's published weights say in our trunk what they say in Keras's own, and what is not such a file is refused."""

import keras
import numpy as np
import pytest

from tfpose.models import vgg

SIZE = (96, 112)


@pytest.fixture(scope="module")
def original():
    """Keras's VGG19 down to block4_conv2, its weights random, biases too."""
    keras.utils.set_random_seed(0)
    network = keras.applications.VGG19(weights=None, include_top=False, input_shape=(*SIZE, 3))
    for layer in network.layers:
        if layer.weights:
            layer.bias.assign(keras.random.normal(layer.bias.shape))
    return keras.Model(network.input, network.get_layer("block4_conv2").output)


def ours():
    image = keras.Input((*SIZE, 3), dtype="uint8")
    return keras.Model(image, vgg.vgg19(vgg.normalise(image)))


def photos():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


def assert_same(network, original):
    images = photos()
    expected = np.asarray(original(keras.applications.vgg19.preprocess_input(images.astype(np.float32))))
    found = np.asarray(network(images))
    # Zeros over the border are grey here and ImageNet's mean there, and ten convolutions carry that five cells in.
    inner = np.s_[:, 5:-5, 5:-5]
    np.testing.assert_allclose(found[inner], expected[inner], rtol=1e-4, atol=1e-4 * expected.std())


@pytest.mark.parametrize("name", ["vgg.keras", "vgg.h5", "vgg.weights.h5"])
def test_a_file_of_vgg19_gives_the_features_that_it_gives_in_keras(name, original, tmp_path):
    (original.save_weights if name.endswith(".weights.h5") else original.save)(tmp_path / name)
    network = ours()
    vgg.load(network, str(tmp_path / name))
    assert_same(network, original)


def test_imagenet_is_what_keras_downloads_without_the_classifier(original, monkeypatch):
    asked = []
    monkeypatch.setattr(keras.applications, "VGG19", lambda **options: asked.append(options) or original)
    network = ours()
    vgg.load(network, "imagenet")
    assert asked == [{"include_top": False, "weights": "imagenet"}]
    assert_same(network, original)


def test_a_failed_download_says_what_to_do_instead(monkeypatch):
    def fail(**_):
        raise OSError("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.applications, "VGG19", fail)
    with pytest.raises(ValueError, match=r"could not download VGG19 .*no route to host.*; set it to none"):
        vgg.load(ours(), "imagenet")


def test_a_missing_file_and_another_kind_of_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.h5: no such file; expected imagenet, none, or an \.h5"):
        vgg.load(ours(), str(tmp_path / "nowhere.h5"))
    with pytest.raises(ValueError, match=r"image-net: a path without suffix; expected imagenet"):
        vgg.load(ours(), "image-net")


def test_a_torn_file_is_refused(tmp_path):
    path = tmp_path / "vgg.h5"
    path.write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"vgg\.h5: not a file of VGG19's weights"):
        vgg.load(ours(), str(path))


@pytest.mark.parametrize("name", ["other.h5", "other.keras"])
def test_a_file_of_another_network_names_what_it_lacks(name, tmp_path):
    image = keras.Input((8, 8, 3))
    other = keras.Model(image, keras.layers.Conv2D(64, 3, padding="same", name="block1_conv1")(image))
    other.save(tmp_path / name)
    with pytest.raises(ValueError, match="found no weights of 9 layers, block1_conv2 the first; expected"):
        vgg.load(ours(), str(tmp_path / name))


def test_the_trunk_is_at_stride_8_with_512_channels():
    assert ours().output.shape == (None, 12, 14, 512)
