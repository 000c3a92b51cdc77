"""A worker's program for the tests: `NUMBER PORTS FOLDER SYSTEMS` trains the small network of each system.

Without ports one process trains with the same batches, as number 3 with their rows in reverse. It writes
FOLDER/SYSTEM_NUMBER.npz: weights and losses.
"""

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import test_system_contract as contract

from tfpose.train import devices, multiworker
from tfpose.train.fused import training_network
from tfpose.train.trainee import Trainee

STEPS, EPOCHS = 5, 4
RATES = {"openpose": 1e-7, "mln": 1e-7, "rsn": 1e-5}  # their losses are sums, or scaled
REVERSED = 3


def join(number: int, ports: list[str]) -> tf.distribute.Strategy:
    """The strategy of a worker, or of one process."""
    if not ports:
        return devices.strategy("cpu")
    workers = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    return devices.strategy("multiworker")


def batches(system, reverse: bool) -> tf.data.Dataset:
    """Five batches, moved against each other."""
    inputs, targets = contract.encoded(system)
    if reverse:
        inputs, targets = ({name: values[::-1] for name, values in side.items()} for side in (inputs, targets))
    moved = [np.roll(inputs["image"], 3 * i, axis=2) for i in range(STEPS)]
    data = tf.data.Dataset.from_tensor_slices(np.stack(moved))
    rest = {name: values for name, values in inputs.items() if name != "image"}
    return data.map(lambda image: (rest | {"image": image}, targets))


def train(name: str, strategy, reverse: bool) -> dict[str, np.ndarray]:
    """The weights and losses of a small network of a system after 20 steps."""
    system, replicas = contract.method(name), strategy.num_replicas_in_sync
    keras.utils.set_random_seed(7)
    with strategy.scope():
        network = training_network(system.build, "float32", replicas)
        trainee = Trainee(network, system, replicas)
        trainee.compile(keras.optimizers.SGD(RATES.get(name, 1e-2)), jit_compile=False)
        trainee.optimizer.build(network.trainable_variables)
    if replicas > 1:
        multiworker.correct(trainee)
    once = batches(system, reverse)
    data = multiworker.distributed(strategy, lambda share: share.parts(contract.BATCH, once.repeat()))
    held = multiworker.distributed(strategy, lambda share: share.parts(contract.BATCH, once))
    options = {"steps_per_epoch": STEPS, "epochs": EPOCHS, "verbose": 0, "validation_freq": EPOCHS}
    history = trainee.fit(data, validation_data=held, **options).history
    logs = {name: np.array(values) for name, values in history.items()}
    return logs | {f"weight_{i}": w for i, w in enumerate(network.get_weights())}


if __name__ == "__main__":
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    number, ports, folder = int(sys.argv[1]), sys.argv[2].split(",") if sys.argv[2] else [], Path(sys.argv[3])
    strategy = join(number, ports)
    for name in sys.argv[4].split(","):
        np.savez(folder / f"{name}_{number}.npz", **train(name, strategy, number == REVERSED))
        print(name, flush=True)
