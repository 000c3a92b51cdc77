"""ResNets are keras.applications' own, with its weights and its features; dilated, they only look more closely."""

import functools

import keras
import numpy as np
import pytest
import weightless
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

from tfpose.models import backbones, blocks, count

SIZE = (64, 96)
narrowed = pytest.mark.usefixtures("_small")


def narrow(include_top=False, weights=None, input_tensor=None):
    """ResNet50 with an eighth of the channels after its first convolution, under the same names."""
    assert not include_top and weights is None

    def stack(x):
        for level, (width, depth) in enumerate(zip((8, 16, 32, 64), (3, 4, 6, 3)), 2):
            x = stack_residual_blocks_v1(x, width, depth, stride1=1 if level == 2 else 2, name=f"conv{level}")
        return x

    return ResNet(stack, False, True, name="resnet50", include_top=False, weights=None, input_tensor=input_tensor)


@pytest.fixture
def _small(monkeypatch):
    monkeypatch.setattr(keras.applications, "ResNet50", narrow)


@functools.cache
def original():
    """A narrow ResNet50 of keras.applications, every weight random, biases and statistics too."""
    keras.utils.set_random_seed(0)
    network = narrow(input_tensor=keras.Input((*SIZE, 3)))
    for weight in network.weights:
        noise = keras.random.normal(weight.shape, stddev=0.05)
        weight.assign(weight + (keras.ops.abs(noise) if "variance" in weight.path else noise))
    return network


def trunk(backbone, size=SIZE):
    image, levels, _ = backbones.features(size, backbone)
    return keras.Model(image, levels)


@functools.cache
def published(backbone):
    return weightless.built(lambda: trunk(backbone, (480, 480)))


def photos():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize(("backbone", "weights"), [("resnet50", 23_534_592), ("resnet101", 42_552_832)])
def test_resnets_have_the_weights_of_keras_applications_dilated_or_not(backbone, weights):
    for name in (backbone, f"{backbone}_dilated"):
        network = published(name)
        assert count.parameters(network)[0] == weights
        assert network.input.dtype == "uint8" and network.input.name == "image"


@pytest.mark.parametrize("backbone", backbones.BACKBONES)
def test_levels_are_at_their_strides(backbone):
    levels = published(backbone).output
    strides = (4, 8, 16, 16 if backbone.endswith("dilated") else 32)
    widths = (32, 64, 128, 192) if backbone == "light" else (256, 512, 1024, 2048)
    assert [x.shape[1:] for x in levels] == [(480 // s, 480 // s, w) for s, w in zip(strides, widths)]


def test_the_light_trunk_is_light_and_its_channels_are_sixteens():
    network = trunk("light")
    assert count.parameters(network)[0] == 584_016
    assert not any(layer.output.shape[-1] % 16 for layer in network.layers if "bn" in layer.name)


@narrowed
def test_a_dilated_level_is_the_plain_one_in_every_second_cell():
    plain, dilated = trunk("resnet50"), trunk("resnet50_dilated")
    dilated.set_weights(plain.get_weights())
    coarse, fine = (np.asarray(network(photos())[-1]) for network in (plain, dilated))
    assert fine.shape[1:3] == tuple(2 * side for side in coarse.shape[1:3])
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-3, atol=1e-5)


@narrowed
@pytest.mark.parametrize("name", ["resnet.keras", "resnet.h5", "resnet.weights.h5"])
def test_a_file_gives_the_features_that_it_gives_in_keras(name, tmp_path):
    (original().save_weights if name.endswith(".weights.h5") else original().save)(tmp_path / name)
    network = trunk("resnet50")
    backbones.load(network, "resnet50", str(tmp_path / name))
    expected = original()(keras.applications.resnet.preprocess_input(photos().astype(np.float32)))
    found = network(photos())[-1]
    # Zeros over the border are half a grey level off, of 255.
    np.testing.assert_allclose(found, expected, atol=0.01 * float(np.std(expected)))


def test_a_folded_convolution_gives_exactly_the_same_inside_the_border():
    kernel, bias = np.random.default_rng(0).normal(size=(7, 7, 3, 4)).astype(np.float32), np.zeros(4, np.float32)
    ours = [np.float32(x) for x in backbones.folded(kernel, bias)]
    caffe = keras.applications.resnet.preprocess_input(photos().astype(np.float32))
    mine = np.asarray(blocks.normalise(photos()))
    found, expected = keras.ops.conv(mine, ours[0]) + ours[1], keras.ops.conv(caffe, kernel) + bias
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.std(expected))


@narrowed
def test_a_failed_download_says_what_to_do_instead(monkeypatch):
    def fail(**_):
        raise OSError("URL fetch failure: no route to host")

    network = trunk("resnet50")
    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    with pytest.raises(ValueError, match=r"could not download ResNet50 .*no route to host.*; set it to none"):
        backbones.load(network, "resnet50", "imagenet")


@narrowed
def test_what_is_no_file_of_the_resnet_is_refused(tmp_path):
    (tmp_path / "torn.h5").write_bytes(b"half of it")
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(64, 7, name="conv1_conv")(image)).save(tmp_path / "other.h5")
    messages = {
        "nowhere.h5": r"nowhere\.h5: no such file; expected imagenet, none, or an \.h5",
        "image-net": "image-net: a path without suffix; expected imagenet",
        "torn.h5": r"torn\.h5: not a file of ResNet50's weights",
        "other.h5": r"found no weights of 105 layers, conv1_bn the first; expected those of keras\.applications",
    }
    network = trunk("resnet50")
    for name, message in messages.items():
        with pytest.raises(ValueError, match=message):
            backbones.load(network, "resnet50", str(tmp_path / name))


def test_a_trunk_without_published_weights_and_one_that_does_not_exist_are_refused():
    with pytest.raises(ValueError, match="backbone_weights: imagenet, but light has none; set it to none"):
        backbones.load(trunk("light"), "light", "imagenet")
    with pytest.raises(ValueError, match="backbone is 'vgg', expected one of resnet50, "):
        backbones.features(SIZE, "vgg")
