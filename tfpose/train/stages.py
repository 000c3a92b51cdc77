"""Several trainings in a row that make one network: each starts from the one before, their parts come together at last.

run folder: a run folder for each stage, under its name; config.yaml, network.keras and pose.json of the whole
"""

from pathlib import Path

import keras

from tfpose import yaml_config
from tfpose.config import Config
from tfpose.skeleton import skeleton
from tfpose.systems.base import system
from tfpose.train import callbacks, loop, transfer


def train(config: Config, folder: Path, only: str = "") -> Path:
    """Trains, or continues, every stage of a configuration, or `only` the one of that name; returns the folder.

    Raises ValueError for an unknown stage, for one that comes after another which was not trained yet, and as
    `loop.train` does.
    """
    names = [stage.name for stage in config.stages]
    if only and only not in names:
        raise ValueError(f"--stage: found {only}; choose from {', '.join(names)}")
    for number, name in enumerate(names):
        if only in ("", name):
            print(f"stage {number + 1} of {len(names)}: {name}", flush=True)
            loop.train(stage(config, folder, number), folder / name)
    if all(network_of(folder, name).is_file() for name in names):
        assemble(config, folder)
    return folder


def stage(config: Config, folder: Path, number: int) -> Config:
    """The configuration of one stage, which starts from the network of the one before."""
    options = ["stages=[]"]
    if number:
        before = network_of(folder, config.stages[number - 1].name)
        if not before.is_file():
            raise ValueError(f"{before}: missing; stage {config.stages[number].name} starts from it: train it first")
        options.append(f"train.initial_weights={before}")
    return yaml_config.changed(config, (*options, *config.stages[number].options))


def network_of(folder: Path, name: str) -> Path:
    """Where a stage writes its network."""
    return folder / name / "network.keras"


def assemble(config: Config, folder: Path) -> None:
    """Writes the network of the whole configuration with the weights of its stages, a later one's before an earlier's.

    ValueError names a layer that none of them trained.
    """
    method = system(config.system, skeleton(config.data.skeleton))
    network = method.build((None, None))
    missing = set(transfer.weighted(network))
    for name in (stage.name for stage in config.stages):
        part = keras.models.load_model(network_of(folder, name), compile=False)
        transfer.take(network, part)
        missing -= set(transfer.weighted(part))
    if missing:
        raise ValueError(f"stages: none of them trains {min(missing)}, one of {len(missing)} layers of the whole")
    (folder / "config.yaml").write_text(yaml_config.dump(config))
    callbacks.save_network(network, method, config, folder / "network.keras")
    print(f"the whole network: {folder / 'network.keras'}", flush=True)
