"""A worker's program for the tests: `NUMBER PORTS FOLDER SYSTEMS` trains the small network of each system.

Without ports one process trains with the same batches. It writes FOLDER/SYSTEM_NUMBER.npz: weights, those at the
beginning, and losses. Everything is computed in 64 bits: batch norm over the few cells of so small views makes a
difference of rounding larger with every step, and in 32 bits another order of the rows of a batch alone, in one
process, changes some systems' weights by 1e-2.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import test_system_contract as contract

from tfpose.skeleton import COCO17
from tfpose.systems import base
from tfpose.train import devices, multiworker
from tfpose.train.fused import training_network
from tfpose.train.trainee import Trainee

STEPS, EPOCHS = 5, 4
RATES = {"openpose": 1e-5, "mln": 1e-5, "rsn": 1e-4, "multiposenet": 1e-2, "residual": 1e3}  # sums, others means
WHOLE = "residual"  # chance that leaves nodes out speaks differently to each replica


def join(number: int, ports: list[str]) -> tf.distribute.Strategy:
    """The strategy of a worker, or of one process."""
    if not ports:
        return devices.strategy("cpu")
    workers = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    return devices.strategy("multiworker")


def method(name: str):
    """The small system of a name."""
    if name != WHOLE:
        return contract.method(name)
    return base.system(replace(contract.LABELS[name], dropout=0.0), COCO17)


def batches(system) -> tf.data.Dataset:
    """Five batches, moved against each other."""
    inputs, targets = contract.encoded(system)
    seen = "image" if "image" in inputs else "maps"
    moved = np.stack([np.roll(inputs[seen], 3 * i, axis=2) for i in range(STEPS)])
    rest = {name: values for name, values in inputs.items() if name != seen}
    return tf.data.Dataset.from_tensor_slices(moved).map(lambda values: (rest | {seen: values}, targets))


def exact(network: keras.Model) -> keras.Model:
    """A training network that computes in 64 bits."""

    def widened(layer):
        options = layer.get_config()
        return layer.__class__.from_config(options | ({"dtype": "float64"} if "dtype" in options else {}))

    copy = keras.models.clone_model(network, clone_function=widened)
    copy.set_weights(network.get_weights())
    return copy


def train(name: str, strategy) -> dict[str, np.ndarray]:
    """The weights and losses of a small network of a system after 20 steps."""
    system, replicas = method(name), strategy.num_replicas_in_sync
    keras.utils.set_random_seed(7)
    with strategy.scope():
        # Synchronised in one process too: the fused operation knows no 64 bits.
        network = exact(training_network(system.build, "float32", 2))
        trainee = Trainee(network, system, replicas)
        trainee.compile(keras.optimizers.SGD(RATES.get(name, 0.5)), jit_compile=False)
        trainee.optimizer.build(network.trainable_variables)
    first = {f"first_{i}": w for i, w in enumerate(network.get_weights())}
    if replicas > 1:
        multiworker.correct(trainee)
    once = batches(system)
    data = multiworker.distributed(strategy, lambda share: share.parts(contract.BATCH, once.repeat()))
    held = multiworker.distributed(strategy, lambda share: share.parts(contract.BATCH, once))
    options = {"steps_per_epoch": STEPS, "epochs": EPOCHS, "verbose": 0, "validation_freq": EPOCHS}
    history = trainee.fit(data, validation_data=held, **options).history
    logs = {name: np.array(values) for name, values in history.items()}
    return first | logs | {f"weight_{i}": w for i, w in enumerate(network.get_weights())}


if __name__ == "__main__":
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    number, ports, folder = int(sys.argv[1]), sys.argv[2].split(",") if sys.argv[2] else [], Path(sys.argv[3])
    strategy = join(number, ports)
    for name in sys.argv[4].split(","):
        np.savez(folder / f"{name}_{number}.npz", **train(name, strategy))
        print(name, flush=True)
