"""What every system owes: its maps, its loss and its decoder agree, and its network is plain Keras that learns.

A new system joins with one line in OPTIONS, or in LABELS if it sees no image: there is then nothing to mirror, no file
that takes views, and no map to decode. What its answers mean is in test_prn_system.py.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpose import decode, geometry, runners
from tfpose import skeleton as skeletons
from tfpose.config import Config
from tfpose.decode import maps
from tfpose.export import tflite, verify
from tfpose.litert import LiteRT
from tfpose.options import MLN, PRN, RSN, Hourglass, HRNet, MultiPoseNet, OpenPose, PPNet, SimpleBaseline
from tfpose.skeleton import COCO17
from tfpose.systems import base
from tfpose.train.callbacks import save_network
from tfpose.train.fused import training_network
from tfpose.train.trainee import Trainee, seen

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"size": (64, 48), "branches": 2, "strides": (2,), "depth": 1, "depth_ratio": 1, "width": 8}
NARROW = {"size": (64, 64), "depths": (1, 1, 1, 1), "planes": 16, "width": 8, "branches": 2, "decoder": 32}
LIGHT = {"size": (112, 128), "trunk": "mobilenet", "width": 16, "norm": True}
EXACT = {"sigma": 1.5, "centre": "exact", "refine": "dark"}
OPTIONS = {
    "ppnet": PPNet(**SMALL, stem_width=8, stem_blocks=1, stem_out=16, init="he", **EXACT),
    "rsn": RSN(**NARROW, targets="gaussian", smooth=0, **EXACT),
    "simplebaseline": SimpleBaseline(size=(64, 64), depths=(1, 1, 1, 1), width=8, filters=16, **EXACT),
    "hourglass": Hourglass(size=(64, 48), depth=2, width=8, **EXACT),
    "hrnet": HRNet(size=(64, 48), width=8, modules=(1, 1), depth=1, **EXACT),
    "openpose": OpenPose(**LIGHT, stages=2),
    "mln": MLN(**LIGHT),
    "multiposenet": MultiPoseNet(
        part="whole", size=(128, 128), crop=(128, 128), backbone="light", width=16, head=16, depth=1, norm=True
    ),
}
LABELS = {
    "residual": PRN(grid=(14, 9), nodes=64, dropout=0.1),
    "assignment": PRN(network="assignment", grid=(4, 3), nodes=32, bells=2, passes=2),
}
EVERY = OPTIONS | LABELS
BOTTOM_UP = ["openpose", "mln", "multiposenet"]
BATCH = 4
SURE = np.float32(20)  # a logit
# No box of so small a view is taught by the largest anchors.
TOO_LARGE = tuple(f"detector_head_boxes_bn1_level{level}" for level in (5, 6, 7))
# Somebody who stands, in pixels: COCO's nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
X = (22, 26, 18, 31, 13, 34, 10, 40, 4, 42, 2, 30, 14, 32, 12, 33, 11)
Y = (10, 6, 6, 8, 8, 22, 22, 36, 36, 50, 50, 48, 48, 66, 66, 84, 84)
PLACES = ((10, 12), (72, 14))  # of two people side by side


@functools.cache
def method(name):
    return base.system(EVERY[name], COCO17)


def key(system):
    """The name of a system in EVERY."""
    return next(name for name, options in EVERY.items() if options == system.options)


def built(system):
    """A system's network; of labels for any number of them."""
    return system.build((None, None) if system.view == "labels" else None)


# These take minutes; what makes each different from the others is in its own tests.
OTHERS = ("hourglass", "hrnet", "mln", "multiposenet", "openpose", "rsn", "simplebaseline", "assignment")
# These differ from PPNet and MLN in their networks alone, not in what they are taught.
ALIKE = ("hourglass", "hrnet", "openpose", "simplebaseline")


def kinds(names):
    """The names as parameters, of which every kind of targets is for slow tests and the others for long ones."""
    return [pytest.param(name, marks=pytest.mark.long) if name in ALIKE else name for name in names]


def quick(names):
    """The names as parameters, some of them for slow tests alone."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in OTHERS else name for name in names]


@pytest.fixture(params=quick(OPTIONS))
def system(request):
    """Every system that sees images."""
    return method(request.param)


@pytest.fixture(params=quick(EVERY))
def any_system(request):
    """Every system, those of labels too."""
    return method(request.param)


def views(system, *, present=True):
    """A batch of views, of one person each or of two, every keypoint well inside; or of labels."""
    if system.view == "labels":
        return scenes(system, present=present)
    height, width = system.size
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (BATCH, height, width, 3), dtype=np.uint8)
    points = rng.uniform(12, [width - 13, height - 13], (BATCH, 1, COCO17.count, 2))
    batch = {"image": image, "annotation_id": np.arange(BATCH)}
    if system.view == "image":
        people = np.stack([X, Y], axis=-1) + np.array(PLACES)[:, None]
        points = people + rng.uniform(-1, 1, (BATCH, *people.shape))
        batch["ignore"] = np.zeros((BATCH, height // system.stride, width // system.stride), np.float32)
        batch["ignore"][:, 2:4, 1:3] = 1
        low, high = points.min(axis=2) - 2, points.max(axis=2) + 2
        batch["boxes"] = np.concatenate([low, high - low], axis=-1).astype(np.float32) * present
        batch["mask"] = batch["ignore"] * 0
        batch["mask"][:, :, 3:10] = present
    keypoints = np.concatenate([points, np.full((*points.shape[:-1], 1), 2 * present)], axis=-1)
    return batch | {"keypoints": keypoints.astype(np.float32)}


def scenes(system, *, present=True):
    """A batch of two people's boxes, or one person's, and all keypoints of both in an order of their own."""
    rng, number = np.random.default_rng(5), 1 if system.labels == ("person",) else 2
    points = np.stack([X, Y], axis=-1) + np.array(PLACES)[:, None] + rng.uniform(-1, 1, (BATCH, 2, 17, 2))
    low, high = points.min(axis=2) - 2, points.max(axis=2) + 2
    owners, kinds = np.divmod(rng.permutation(34), 17)
    ones = np.ones((BATCH, 34, 1))
    candidates = np.concatenate([kinds[:, None] * ones, points[:, owners, kinds], ones], axis=-1) * present
    keypoints = np.concatenate([points, np.full((BATCH, 2, 17, 1), 2 * present)], axis=-1)[:, :number]
    return {
        "candidates": candidates.astype(np.float32),
        "boxes": np.concatenate([low, high - low], axis=-1).astype(np.float32)[:, :number] * present,
        "keypoints": keypoints.astype(np.float32),
        "owners": np.tile(np.where(owners < number, owners, -1), (BATCH, 1)).astype(np.int32),
        "annotation_id": np.arange(BATCH),
    }


def truth(system):
    """Everybody in the views as the network speaks of them, (B, P, K, 3)."""
    return skeletons.converted(views(system)["keypoints"], skeletons.conversion(system.skeleton, system.body))


def perfect(system, targets):
    """The outputs that are exactly what is taught: the targets, but for scores, which are logits."""
    outputs = {term: targets[term] for term in system.terms}
    return outputs | ({"scores": np.where(targets["scores"] > 0, SURE, -SURE)} if "scores" in outputs else {})


def decoded(system, targets):
    """Everybody that a view's perfect outputs give, from left to right: a list of (P, K, 3)."""
    last = runners.last_stage(perfect(system, targets))
    found = decode.decoder(system.decoder(), system.body)(last)
    if system.view == "person":
        return list(found[:, None])
    return [people.keypoints[np.argsort(people.keypoints[:, 0, 0])] for people in found]


def patches(system):
    """Views to calibrate on: patches of colour, black and white among them."""
    height, width = system.size
    cells = np.random.default_rng(6).integers(0, 256, (8, height // 8, width // 8, 3), dtype=np.uint8)
    cells[:, 0, 0], cells[:, 0, 1] = 0, 255
    return cells.repeat(8, axis=1).repeat(8, axis=2)


def encoded(system, batch=None):
    inputs, targets = system.encode({k: tf.constant(v) for k, v in (batch or views(system)).items()})
    return {k: v.numpy() for k, v in inputs.items()}, {k: v.numpy() for k, v in targets.items()}


@functools.cache
def taught(system):
    """A trainee after a few steps, and the loss before each."""
    keras.utils.set_random_seed(1)
    trainee = Trainee(training_network(lambda: built(system), "float32"), system)
    rate = 1e-3 if system.view == "image" else 1e-2  # heads without batch norm bear smaller steps
    trainee.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    inputs, targets = encoded(system)
    history = trainee.fit(inputs, targets, batch_size=BATCH, epochs=12, verbose=0)
    return trainee, history.history["loss"]


@functools.cache
def saved(system, folder):
    path = folder / f"{key(system)}.keras"
    save_network(taught(system)[0].network, system, Config(system=system.options), path)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


def test_perfect_outputs_decode_to_the_truth(system):
    expected, found = truth(system), decoded(system, encoded(system)[1])
    assert [people.shape for people in found] == [people.shape for people in expected]
    assert np.abs(np.stack(found)[..., :2] - expected[..., :2]).max() < 0.01


def test_outputs_match_targets_in_name_and_shape(any_system):
    inputs, targets = encoded(any_system)
    network = built(any_system)
    outputs = network.compute_output_spec(seen(network, {k: keras.KerasTensor(v.shape) for k, v in inputs.items()}))
    assert set(outputs) == set(any_system.terms) <= set(targets)
    assert {k: tuple(v.shape) for k, v in outputs.items()} == {k: targets[k].shape for k in outputs}
    assert {v.dtype for v in outputs.values()} == {"float32"}


def test_perfect_outputs_cost_nothing_and_others_something(system):
    _, targets = encoded(system)
    outputs = perfect(system, targets)
    for term, cost in system.loss(targets, outputs).items():
        assert float(cost) < 1e-15
        assert float(system.loss(targets, outputs | {term: 0.1 - outputs[term]})[term]) > 1e-6


def test_every_weight_gets_a_gradient(any_system):
    network = training_network(lambda: built(any_system), "float32")
    inputs, targets = encoded(any_system)
    with tf.GradientTape() as tape:
        loss = sum(any_system.loss(targets, network(seen(network, inputs), training=True)).values())
    gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
    without = [v.path for v, g in zip(network.trainable_variables, gradients) if g is None or not np.any(g)]
    assert [path for path in without if not path.startswith(TOO_LARGE)] == []


def test_a_few_steps_lower_the_loss(any_system):
    losses = taught(any_system)[1]
    assert losses[-1] - least(any_system) < 0.8 * (losses[0] - least(any_system))


def least(system):
    """What the truth itself costs: nothing, but where probabilities are taught that are neither 0 nor 1."""
    _, targets = encoded(system)
    return float(system.loss(targets, targets)["poses"]) if system.terms == ("poses",) else 0.0


def test_the_saved_network_is_plain_keras_and_says_what_the_trained_one_says(any_system, folder):
    network = keras.models.load_model(saved(any_system, folder), compile=False, custom_objects={})
    assert all(type(layer).__module__.startswith("keras.") for layer in network.layers)
    inputs = seen(network, encoded(any_system)[0])
    expected, found = (n(inputs, training=False) for n in (taught(any_system)[0].network, network))
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


def test_the_deployed_network_has_the_last_stage_alone(any_system, folder):
    network = keras.models.load_model(saved(any_system, folder), compile=False)
    inputs = seen(network, encoded(any_system)[0])
    whole, deployed = network(inputs, training=False), any_system.deployed(network)(inputs, training=False)
    last = runners.last_stage(whole)
    assert deployed.keys() == last.keys()
    assert all(np.array_equal(deployed[name], last[name]) for name in last)


def shipped(system, folder):
    """The deployed network, of the size that ships."""
    network = system.build()
    network.set_weights(keras.models.load_model(saved(system, folder), compile=False).get_weights())
    return system.deployed(network)


@pytest.mark.parametrize("kind", [pytest.param("float32", marks=pytest.mark.slow), "int8"])
def test_the_edge_file_says_what_the_deployed_network_says(system, kind, folder):
    network, images, limit = shipped(system, folder), patches(system), verify.LIMITS[kind]
    file = folder / f"{system.name}_{kind}.tflite"
    file.write_bytes(tflite.convert(network, kind, images))
    assert verify.foreign(file) == []
    expected, run = network(images, training=False), LiteRT(file, 1)
    each = [run(image[None]) for image in images]
    for name in expected:
        truth, found = np.asarray(expected[name]), np.concatenate([maps[name] for maps in each])
        errors = np.abs(found - truth) / np.ptp(truth)
        assert errors.max() < limit.largest and errors.mean() < limit.mean


def test_views_with_nobody_in_them_cost_a_finite_loss(any_system):
    _, targets = encoded(any_system, views(any_system, present=False))
    _, others = encoded(any_system)
    assert all(np.isfinite(float(cost)) for cost in any_system.loss(targets, others).values())


@pytest.mark.parametrize("name", BOTTOM_UP)
def test_a_view_with_nobody_in_it_gives_nobody(name):
    system = method(name)
    assert [len(people) for people in decoded(system, encoded(system, views(system, present=False))[1])] == [0] * BATCH


def mirrored(batch, system):
    """The batch as a mirror shows it, left and right of everybody exchanged."""
    points = geometry.mirroring(system.size[1]).apply(batch["keypoints"][..., :2])
    keypoints = np.concatenate([points, batch["keypoints"][..., 2:]], axis=-1)[..., list(COCO17.mirror), :]
    flipped = {name: batch[name][:, :, ::-1] for name in ("image", "ignore", "mask") if name in batch}
    if "boxes" in batch:
        x, y, w, h = np.moveaxis(batch["boxes"], -1, 0)
        flipped["boxes"] = np.stack([np.where(w > 0, system.size[1] - x - w, 0), y, w, h], axis=-1)
    return batch | flipped | {"keypoints": keypoints.astype(np.float32)}


def unmirrored(targets, system):
    """The targets of a mirrored view as those of the view."""
    mirror = list(COCO17.mirror)
    if system.view == "person":
        return {name: (m[:, :, ::-1] if m.ndim == 4 else m)[..., mirror] for name, m in targets.items()}
    result = {"weights": targets["weights"][:, :, ::-1]}
    for stage in range(sum(term.startswith("heatmaps") for term in system.terms)):
        names = {term.partition("/")[0]: term for term in system.terms if term.partition("/")[2] in ("", str(stage))}
        back = maps.unmirrored({name: targets[term] for name, term in names.items()}, system.body, system.size)
        result |= {term: back[name] for name, term in names.items()}
    return result


def test_a_mirrored_view_has_mirrored_targets(system):
    batch = views(system)
    expected, found = (encoded(system, b)[1] for b in (batch, mirrored(batch, system)))
    found = unmirrored(found, system)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


IN_JAX = """
import json, sys
import keras
import test_system_contract as contract
from tfpose.train.trainee import Trainee, seen
assert keras.backend.backend() == "jax"
keras.utils.set_random_seed(0)
system = contract.method(sys.argv[1])
inputs, targets = contract.encoded(system)
trainee = Trainee(keras.models.load_model(sys.argv[2], compile=False), system)
outputs = trainee.network(seen(trainee.network, inputs), training=False)
loss = {k: float(v) for k, v in system.loss(targets, outputs).items()}
trainee.compile(optimizer=keras.optimizers.Adam(1e-3))
history = trainee.fit(inputs, targets, batch_size=contract.BATCH, epochs=8, verbose=0).history
print(json.dumps({"loss": loss, "history": history}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", kinds(EVERY))
def test_jax_agrees_on_the_loss_and_trains_with_plain_fit(name, folder):
    system = method(name)
    path = saved(system, folder)
    inputs, targets = encoded(system)
    network = keras.models.load_model(path, compile=False)
    outputs = network(seen(network, inputs), training=False)
    expected = {k: float(v) for k, v in system.loss(targets, outputs).items()}
    places = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", IN_JAX, key(system), str(path)]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["loss"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert found["history"]["loss"][-1] < found["history"]["loss"][0]
    terms = [found["history"][term.replace("/", "_")] for term in system.terms]
    assert found["history"]["loss"] == pytest.approx(np.sum(terms, axis=0).tolist(), rel=1e-5)
