"""`tfpose train`: from a configuration to a run folder, through keras `fit`, continuing where an earlier call stopped.

run folder: config.yaml  versions.json  network.keras  best.keras  pose.json  checkpoint.npz  log.csv  tensorboard/
            pictures/
"""

import itertools
import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

from tfpose import yaml_config
from tfpose.config import Config, Train
from tfpose.data import pipeline, undecodable
from tfpose.data.source import Parts, load_parts
from tfpose.models import count
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system
from tfpose.train import callbacks, checkpoint, devices, optimizers, pictures, schedules, transfer
from tfpose.train.fused import training_network
from tfpose.train.timeline import Stretch, Timeline, timeline
from tfpose.train.trainee import Trainee


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a run is made of, put together once."""

    config: Config
    folder: Path
    system: PoseSystem
    parts: Parts
    trainee: Trainee
    timeline: Timeline


def train(config: Config, folder: Path) -> Path:
    """Trains, or continues, the run in `folder`; returns the folder.

    Raises ValueError for data that cannot be read and for a folder that holds a run of another configuration, and
    ArithmeticError, naming the batch, when the loss stops being finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(config, folder)
    devices.threads()
    devices.seed(config.seed)
    strategy = devices.strategy(config.train.devices)
    run = assemble(config, folder, strategy)
    introduce(run, strategy.num_replicas_in_sync)
    saved = folder / "checkpoint.npz"
    state = checkpoint.restore(saved, run.trainee) if saved.is_file() else {"epoch": 0, "best": None}
    if state["epoch"]:
        print(f"continuing after epoch {state['epoch']} of {config.train.epochs}", flush=True)
    for stretch in run.timeline.stretches:
        if state["epoch"] < stretch.end:
            state = fit(run, stretch, state)
    finish(run)
    return folder


def claim(config: Config, folder: Path) -> None:
    """Writes the resolved configuration, versions and seed; ValueError where another configuration's run is there."""
    resolved = folder / "config.yaml"
    # Without a checkpoint nothing was learned yet: a call that failed at once may be mended and made again.
    begun = (folder / "checkpoint.npz").is_file() and resolved.is_file()
    if begun and yaml_config.load(resolved) != config:
        raise ValueError(
            f"{folder}: holds a run of another configuration; choose another --workdir, or delete it to start again"
        )
    resolved.write_text(yaml_config.dump(config))
    names = ("tfpose", "tensorflow", "keras", "numpy")
    versions = {name: _version(name) for name in names} | {"python": platform.python_version(), "seed": config.seed}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def assemble(config: Config, folder: Path, strategy) -> Run:
    """The run's system, data, compiled trainee and timeline, the variables under `strategy`."""
    method = system(config.system, skeleton(config.data.skeleton))
    parts = load_parts(config.data, method.skeleton, bodies="mask" in method.labels)
    replicas = strategy.num_replicas_in_sync
    plan = timeline(config.train, method.training_size, pipeline.count(parts.train.records, method.view), replicas)
    rate = schedules.LearningRate(
        config.train.optimizer.learning_rate,
        config.train.schedule,
        tuple(plan.step_at(epoch) for epoch in config.train.schedule.at),
        plan.total,
    )
    for phase in config.train.phases:
        method.build(phase.size)  # a size that the network cannot have is refused now, not when its phase begins
    size = (None, None) if config.train.phases or method.view == "image" else None
    with strategy.scope():
        network = training_network(lambda: method.build(size), config.train.precision, replicas)
        if not (folder / "checkpoint.npz").is_file():
            method.start(network)
        if config.train.initial_weights:
            transfer.initial(network, config.train.initial_weights)
        trainee = Trainee(network, method, replicas)
        optimizer = optimizers.optimizer(config.train.optimizer, rate)
        if config.train.precision == "float16":  # its smallest gradients would be zero
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        trainee.compile(optimizer=optimizer, jit_compile=devices.compiler())
        trainee.optimizer.build(network.trainable_variables)
    return Run(config, folder, method, parts, trainee, plan)


def introduce(run: Run, replicas: int) -> None:
    """Prints what is about to happen, in numbers that can be checked."""
    network = run.system.build()
    trainable, _ = count.parameters(network)
    height, width = run.system.size
    print(f"{run.system.name} {height}x{width}: {trainable:,} parameters, {count.macs(network) / 1e9:.3f} GMAC")
    train, validation = (part.records for part in (run.parts.train, run.parts.validation))
    print(f"train: {len(train):,} images, {pipeline.people(train):,} people; validation: ", end="")
    print(f"{len(validation):,} images, {pipeline.people(validation):,} people")
    print(f"{run.config.train.epochs} epochs, {run.timeline.total:,} steps, {replicas} replica(s), ", end="")
    print(f"{run.config.train.precision}; {run.folder}", flush=True)
    if remark := late_steps(run.config.train):
        print(remark, flush=True)


def late_steps(train: Train) -> str:
    """A remark where a stepped learning rate never takes a step, as when only the epochs were changed; else nothing."""
    at = train.schedule.at
    if train.schedule.name != "steps" or train.schedule.every_steps or any(epoch < train.epochs for epoch in at):
        return ""
    return f"note: the learning rate never falls: train.schedule.at is {list(at)}, train.epochs is {train.epochs}"


def fit(run: Run, stretch: Stretch, state: dict) -> dict:
    """Trains from `state["epoch"]` to the end of a stretch; returns the state then."""
    start = max(stretch.start, state["epoch"])
    if start == stretch.start:
        state = state | {"best": None}  # losses of views of another size do not compare
    # A new size is a new graph: without this Keras would widen the old one to unknown shapes.
    run.trainee.train_function = run.trainee.test_function = None
    keeper = callbacks.Keeper(run.folder, run.system, run.config, state)
    with undecodable.naming((*run.parts.train.records, *run.parts.validation.records)):
        run.trainee.fit(
            samples(run, stretch, start),
            epochs=stretch.end,
            initial_epoch=start,
            steps_per_epoch=stretch.steps,
            validation_data=validation(run, stretch),
            validation_freq=validated(run.config.train),
            shuffle=False,
            verbose=0,
            callbacks=[
                callbacks.FiniteLoss(lambda epoch, step: batch_names(run, stretch, epoch, step)),
                callbacks.Progress(run.timeline, stretch),
                callbacks.Log(run.folder / "log.csv", start),
                callbacks.TensorBoard(run.folder / "tensorboard"),
                *_pictures(run, stretch),
                keeper,
            ],
        )
    return keeper.state


def validated(train: Train) -> list[int]:
    """The epochs, counted from one, after which the validation loss is computed: every so many, and the last."""
    return [e for e in range(1, train.epochs + 1) if e % train.validate_every == 0 or e == train.epochs]


def samples(run: Run, stretch: Stretch, epoch: int):
    """The endless training data of a stretch from the beginning of an epoch on."""
    return pipeline.training(
        run.parts.train.records,
        run.system.encode,
        size=stretch.size,
        padding=run.config.data.padding,
        skeleton=run.system.skeleton,
        view=run.system.view,
        stride=run.system.stride,
        labels=run.system.labels,
        augment=run.config.augment,
        batch=stretch.batch,
        seed=run.config.seed,
        start_epoch=epoch,
        warp=run.config.data.warp,
    )


def validation(run: Run, stretch: Stretch):
    """The validation part at a stretch's size, once through."""
    return pipeline.validation(
        run.parts.validation.records,
        run.system.encode,
        size=stretch.size,
        padding=run.config.data.padding,
        skeleton=run.system.skeleton,
        view=run.system.view,
        stride=run.system.stride,
        labels=run.system.labels,
        batch=stretch.batch,
        warp=run.config.data.warp,
    )


def batch_names(run: Run, stretch: Stretch, epoch: int, step: int) -> str:
    """The annotation ids of one batch: the data depends on seed and epoch alone, so it can be asked for again."""
    data = samples(run, stretch, epoch)
    inputs, _ = next(itertools.islice(iter(data), step, None))
    return ", ".join(str(i) for i in np.asarray(inputs["annotation_id"]))


def _pictures(run: Run, stretch: Stretch) -> list[keras.callbacks.Callback]:
    number = run.config.train.pictures
    return [pictures.Pictures(run.folder, run.system, _some(validation(run, stretch), number))] if number else []


def _some(dataset, number: int) -> tuple:
    inputs, targets = next(iter(dataset))
    return {k: v[:number].numpy() for k, v in inputs.items()}, {k: v[:number].numpy() for k, v in targets.items()}


def finish(run: Run) -> None:
    """Writes the last weights as a plain network of the system's own size, with its pose.json."""
    callbacks.save_network(run.trainee.network, run.system, run.config, run.folder / "network.keras")
    print(f"last: {run.folder / 'network.keras'}, best by validation loss: {run.folder / 'best.keras'}")
