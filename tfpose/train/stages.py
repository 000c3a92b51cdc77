"""Several trainings in a row that make one network: each starts from the one before, their parts come together at last.

A stage may train another system: whose keypoint is whose is learnt beside the network, and read by its decoder.

run folder: a run folder for each stage, under its name; config.yaml, network.keras and pose.json of the whole, and
            assign.npz where a stage learns whose keypoint is whose
"""

import os
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from tfpose import yaml_config
from tfpose.config import Config
from tfpose.decode import owners
from tfpose.skeleton import skeleton
from tfpose.systems.base import system
from tfpose.train import callbacks as around
from tfpose.train import loop, transfer
from tfpose.watch import files, report, status


def train(config: Config, folder: Path, only: str = "", callbacks: Iterable[keras.callbacks.Callback] = ()) -> Path:
    """Trains, or continues, every stage of a configuration, or `only` the one of that name; returns the folder.

    `callbacks` are for `fit`, in every stage. Raises ValueError for an unknown stage, for one that comes after another
    which was not trained yet, and as `loop.train` does.
    """
    names = [stage.name for stage in config.stages]
    if only and only not in names:
        raise ValueError(f"--stage: found {only}; choose from {', '.join(names)}")
    folder.mkdir(parents=True, exist_ok=True)
    known = {"network": f"{config.system.name} in {len(names)} stages", "stages": names}
    files.put(folder / report.ABOUT, files.dumped(known))
    with status.lasting(folder, report.write):
        for number, name in enumerate(names):
            if only in ("", name):
                text = f"stage {number + 1} of {len(names)}: {name}"
                print(text, flush=True)
                status.say(folder, report.write, status.RUNNING, text)
                loop.train(stage(config, folder, number), folder / name, callbacks=callbacks)
        if all(network_of(folder, name).is_file() for name in names):
            assemble(config, folder)
    return folder


def stage(config: Config, folder: Path, number: int) -> Config:
    """The configuration of one stage, which starts from the network of the last one before it of the same system.

    What that one lacks comes from the configuration's own initial weights, which are for its system alone.
    """
    found, options = alone(config, number), []
    same = [i for i in range(number) if alone(config, i).system.name == found.system.name]
    if same:
        before = network_of(folder, config.stages[same[-1]].name)
        if not before.is_file():
            raise ValueError(f"{before}: missing; stage {config.stages[number].name} starts from it: train it first")
        own = [config.train.initial_weights] if config.train.initial_weights else []
        options.append(f"train.initial_weights={os.pathsep.join([*own, str(before)])}")
    elif found.system.name != config.system.name:
        options.append("train.initial_weights=''")
    return yaml_config.changed(config, ("stages=[]", *options, *config.stages[number].options))


def alone(config: Config, number: int) -> Config:
    """What a stage's options make of the configuration."""
    return yaml_config.changed(config, ("stages=[]", *config.stages[number].options))


def latest(config: Config) -> Config:
    """What its own system was taught by last: its last stage's, or the configuration itself where it has none."""
    found = (alone(config, number) for number in range(len(config.stages)))
    own = [stage for stage in found if stage.system.name == config.system.name]
    return own[-1] if own else config


def network_of(folder: Path, name: str) -> Path:
    """Where a stage writes its network."""
    return folder / name / "network.keras"


def assemble(config: Config, folder: Path) -> None:
    """Writes the network of the whole configuration with the weights of its stages, a later one's before an earlier's.

    What says whose keypoint is whose becomes a file beside it. ValueError names a layer, or that file, where none of
    the stages trained it.
    """
    method = system(config.system, skeleton(config.data.skeleton))
    network = method.build((None, None))
    missing = set(transfer.weighted(network))
    wanted = method.decoder().get("assign")
    for number, name in enumerate(stage.name for stage in config.stages):
        part = keras.models.load_model(network_of(folder, name), compile=False)
        if (other := alone(config, number)).system.name != config.system.name:
            save_owners(part, other, folder / owners.FILE)
            wanted = None
            continue
        transfer.take(network, part)
        missing -= set(transfer.weighted(part))
    if missing:
        raise ValueError(f"stages: none of them trains {min(missing)}, one of {len(missing)} layers of the whole")
    if wanted:
        raise ValueError(f"stages: none of them trains {wanted}, which system.assign=network asks for; set it to max")
    (folder / "config.yaml").write_text(yaml_config.dump(config))
    around.save_network(network, method, config, folder / "network.keras")
    print(f"the whole network: {folder / 'network.keras'}", flush=True)


def save_owners(network: keras.Model, config: Config, path: Path) -> None:
    """Writes a network that says whose keypoint is whose as the file that a decoder reads."""
    method = system(config.system, skeleton(config.data.skeleton))
    owners.save(path, method.layout(), {w.path: np.asarray(w) for w in network.weights})
