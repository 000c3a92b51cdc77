"""What one step may be: in parts, on two devices, clipped, averaged, several at once; it stays the step of a batch."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpose.config import Optimizer, Train
from tfpose.train import accumulate, optimizers
from tfpose.train.ema import Averages
from tfpose.train.fused import training_network
from tfpose.train.loss_scale import LossScale
from tfpose.train.timeline import executed, timeline
from tfpose.train.trainee import Trainee

ROOT = Path(__file__).resolve().parent.parent
BATCH, STEPS, RATE = 32, 5, 0.05
CLIP = 0.05  # the gradients of the first steps are ten times longer
ON_TWO = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import test_step
from tfpose.train import devices
two = devices.strategy("mirrored")
found = {"whole": {}, "parts": {"parts": 4}, "clip": {"clip_norm": test_step.CLIP}, "average": {"average": 0.5}}
found |= {"float16": {"half": True, "clip_norm": test_step.CLIP}, "overflow": {"half": True, "spoilt": 2}}
found = {name: test_step.weights(two, **options) for name, options in found.items()}
found["norm"] = test_step.weights(two, norm=True)
np.savez(sys.argv[1], **{f"{name}_{i}": w for name, ws in found.items() for i, w in enumerate(ws)})
"""


class Taught:
    """A stand-in for a system: the network shall say the targets."""

    terms = ("maps",)

    def loss(self, targets, outputs):
        return {"maps": keras.ops.mean(keras.ops.square(targets["maps"] - keras.ops.cast(outputs, "float32")))}


def built(norm):
    image = x = keras.Input((8, 6, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    x = keras.layers.BatchNormalization(name="norm")(x) if norm else x
    x = keras.layers.Activation("relu", name="relu")(x)
    return keras.Model(image, keras.layers.Conv2D(4, 3, padding="same", name="second")(x))


def trainee(strategy, *, norm=False, half=False, together=True, **options):
    keras.utils.set_random_seed(4)
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        network = training_network(lambda: built(norm), "float16" if half else "float32", replicas if together else 1)
        made = Trainee(network, Taught(), replicas)
        optimizer = optimizers.optimizer(Optimizer("sgd", momentum=0.5), RATE, **options)
        made.compile(LossScale(optimizer) if half else optimizer, jit_compile=False)
        made.optimizer.build(network.trainable_variables)
    return made


def data(steps=STEPS, spoilt=0):
    """Some batches; the last image of number `spoilt` is larger than float16 can compute with."""
    rng = np.random.default_rng(2)
    images, maps = (rng.normal(size=(STEPS * BATCH, 8, 6, c)).astype("float32") for c in (3, 4))
    images[spoilt * BATCH - 1] *= 1e4 if spoilt else 1
    return tf.data.Dataset.from_tensor_slices(({"image": images}, {"maps": 3 * maps + 1})).batch(BATCH).take(steps)


def weights(strategy, *, parts=1, steps=STEPS, executed_together=1, spoilt=0, **options):
    """The weights, and the averages where there are any, after some steps."""
    made = trainee(strategy, **options)
    if parts > 1:
        accumulate.accumulate(made, parts)
    made.steps_per_execution = executed_together
    made.fit(data(steps, spoilt), epochs=1, verbose=0, shuffle=False)
    return made.network.get_weights() + [np.array(average) for _, average in Averages(made).pairs]


ONE = tf.distribute.get_strategy()


@pytest.fixture(scope="module")
def on_two(tmp_path_factory):
    """{option: weights} of two devices."""
    file = tmp_path_factory.mktemp("two") / "weights.npz"
    path = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    command = [sys.executable, "-c", ON_TWO, str(file)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(file) as arrays:
        names = {name.rpartition("_")[0] for name in arrays.files}
        return {n: [arrays[k] for k in arrays.files if k.startswith(f"{n}_")] for n in names}


def same(found, expected, atol=1e-5):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def test_parts_of_a_batch_are_the_batch():
    same(weights(ONE, parts=4), weights(ONE))


@pytest.mark.slow
def test_four_parts_on_two_devices_are_the_batch(on_two):
    same(on_two["whole"], weights(ONE))
    same(on_two["parts"], weights(ONE))


@pytest.mark.slow
def test_clipped_gradients_are_those_of_all_devices_together(on_two):
    one = weights(ONE, clip_norm=CLIP)
    same(on_two["clip"], one)
    assert max(np.abs(a - b).max() for a, b in zip(one, weights(ONE))) > 1e-3


def test_no_step_is_longer_than_its_clipped_gradient():
    start = trainee(ONE).network.get_weights()
    moved = weights(ONE, clip_norm=CLIP, steps=1)
    assert np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(moved, start))) == pytest.approx(RATE * CLIP, rel=1e-4)


@pytest.mark.slow
def test_scaled_losses_are_clipped_as_others(on_two):
    same(on_two["float16"], weights(ONE, clip_norm=CLIP), atol=2e-3)


@pytest.mark.slow
def test_a_step_that_overflows_on_one_device_alone_is_left_out_on_all(on_two):
    same(on_two["overflow"], weights(ONE, half=True, spoilt=2), atol=2e-3)
    assert max(np.abs(a - b).max() for a, b in zip(on_two["overflow"], weights(ONE, half=True))) > 1e-2


def test_the_average_forgets_half_with_each_step():
    each = [weights(ONE, steps=n) for n in range(1, STEPS + 1)]
    average = each[0]
    for step in each[1:]:
        average = [0.5 * a + 0.5 * b for a, b in zip(average, step)]
    same(weights(ONE, average=0.5), each[-1] + average)


@pytest.mark.slow
def test_the_average_of_two_devices_is_that_of_one(on_two):
    same(on_two["average"], weights(ONE, average=0.5))


def test_the_averages_are_there_as_long_as_they_are_asked_for():
    made = trainee(ONE, average=0.5)
    made.fit(data(), epochs=1, verbose=0)
    own = made.network.get_weights()
    averages = Averages(made)
    with averages.there():
        same(made.network.get_weights(), [np.array(a) for _, a in averages.pairs], atol=0)
    same(made.network.get_weights(), own, atol=0)


def test_steps_executed_together_are_the_same_steps():
    same(weights(ONE, executed_together=STEPS), weights(ONE), atol=1e-6)


@pytest.mark.slow
def test_batch_norm_sees_the_whole_batch_of_two_devices(on_two):
    same(on_two["norm"], weights(ONE, norm=True))


@pytest.mark.parametrize(
    ("most", "steps", "done", "found"), [(4, 12, 0, 4), (5, 12, 0, 4), (4, 7, 0, 1), (4, 12, 6, 3)]
)
def test_an_epoch_ends_with_an_execution(most, steps, done, found):
    assert executed(most, steps, done) == found


def test_a_batch_that_cannot_be_cut_is_refused():
    with pytest.raises(
        ValueError, match=r"batch: found 12; .* multiple of the 2 replica\(s\) times train.accumulate=4"
    ):
        timeline(Train(batch=12, accumulate=4, epochs=1), (64, 48), 40, replicas=2)
