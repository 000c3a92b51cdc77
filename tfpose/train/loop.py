"""`tfpose train`: from a configuration to a run folder, through keras `fit`, continuing where an earlier call stopped.

run folder: config.yaml  versions.json  network.keras  best.keras  pose.json  checkpoint.npz  previous_checkpoint.npz
            log.csv  tensorboard/  pictures/
"""

import json
import platform
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import keras

from tfpose import yaml_config
from tfpose.config import Config, Train
from tfpose.data import pipeline
from tfpose.data.source import Parts, load_parts
from tfpose.models import count
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system
from tfpose.train import (
    accumulate,
    callbacks,
    checkpoint,
    devices,
    distill,
    multiworker,
    optimizers,
    schedules,
    stop,
    transfer,
)
from tfpose.train.ema import Averages
from tfpose.train.epochs import Run, fit
from tfpose.train.fused import training_network
from tfpose.train.timeline import Timeline, timeline
from tfpose.train.trainee import Trainee


def train(config: Config, folder: Path, parts: Parts | None = None) -> Path:
    """Trains, or continues, the run in `folder`, on `parts` in place of the configuration's data; returns the folder.

    Raises ValueError for data that cannot be read and for a folder that holds a run of another configuration,
    ArithmeticError, naming the batch, when the loss stops being finite, ConnectionError where another worker ended, and
    SystemExit when it was asked to stop and saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    devices.threads()
    devices.seed(config.seed)
    strategy = devices.strategy(config.train.devices)
    writes = multiworker.chief(strategy)
    if writes:
        claim(config, folder)
    with stop.listening() as request, multiworker.watching(strategy):
        run = assemble(config, folder, strategy, parts)
        if writes:
            introduce(run, strategy.num_replicas_in_sync)
        state = begin(run)
        for stretch in run.timeline.stretches:
            if state["epoch"] < stretch.end:
                state = fit(run, stretch, state, request)
        if writes:
            finish(run)
        multiworker.anyone(strategy, False)  # the others wait until everything is written
    return folder


def begin(run: Run) -> dict:
    """The state from which a run goes on: its checkpoint's, or a new one's.

    ValueError where workers do not find the same one.
    """
    state = {"epoch": 0, "best": None, "waited": 0}
    if checkpoint.exists(run.folder):
        state = checkpoint.restore(run.folder / checkpoint.FILE, run.trainee)
    done = run.timeline.step_at(state["epoch"]) + state.get("step", 0)
    if not multiworker.agree(run.trainee.distribute_strategy, done):
        raise ValueError(
            f"{run.folder}: workers find different checkpoints; it must be a folder that all of them share"
        )
    if done:
        step = f"step {state['step']} of epoch {state['epoch'] + 1}, after " if "step" in state else ""
        print(f"continuing after {step}epoch {state['epoch']} of {run.config.train.epochs}", flush=True)
    return state


def claim(config: Config, folder: Path) -> None:
    """Writes the resolved configuration, versions and seed; ValueError where another configuration's run is there."""
    resolved = folder / "config.yaml"
    # Without a checkpoint nothing was learned yet: a call that failed at once may be mended and made again.
    begun = checkpoint.exists(folder) and resolved.is_file()
    if begun and _meant(yaml_config.load(resolved)) != _meant(config):
        raise ValueError(
            f"{folder}: holds a run of another configuration; choose another --workdir, or delete it to start again"
        )
    resolved.write_text(yaml_config.dump(config))
    names = ("tfpose", "tensorflow", "keras", "numpy")
    versions = {name: _version(name) for name in names} | {"python": platform.python_version(), "seed": config.seed}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


def _meant(config: Config) -> Config:
    """What decides which numbers a run computes: it may go on elsewhere."""
    return replace(config, train=replace(config.train, devices="auto", jit="auto", steps_per_execution=1))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def assemble(config: Config, folder: Path, strategy, parts: Parts | None = None) -> Run:
    """The run's system, data (`parts`, or the configuration's), compiled trainee and timeline.

    The variables are under `strategy`.
    """
    method = system(config.system, skeleton(config.data.skeleton))
    alone = method.view == "labels"
    parts = parts or load_parts(config.data, method.skeleton, bodies="mask" in method.labels, photos=not alone)
    replicas = strategy.num_replicas_in_sync
    samples = pipeline.count(parts.train.records, method.view, method.labels, config.train.batch)
    plan = timeline(config.train, method.training_size, samples, replicas)
    rate = schedules.rate(
        config.train.optimizer.learning_rate,
        config.train.schedule,
        tuple(plan.step_at(epoch) for epoch in config.train.schedule.at),
        plan.total,
    )
    if alone and config.train.phases:
        raise ValueError("train.phases: found some, but labels have no size; leave them out")
    if method.labels == ("image",) and alone and replicas * config.train.accumulate > 1:
        raise ValueError("train: batches of images' labels are of any size and cannot be split; use one device, whole")
    if config.train.buckets and method.view != "image":
        raise ValueError(f"train.buckets: {method.name} does not look at whole images; leave them out")
    for size in (*config.train.buckets, *(phase.size for phase in config.train.phases)):
        method.build(size)  # a size that the network cannot have is refused now, not when its phase begins
    size = (None, None) if config.train.phases or method.view != "person" else None
    with strategy.scope():
        together = replicas if config.train.sync_batch_norm else 1
        network = training_network(lambda: method.build(size), config.train.precision, together)
        if not checkpoint.exists(folder):
            method.start(network)
        if config.train.initial_weights:
            transfer.initial(network, config.train.initial_weights)
        trainee = Trainee(network, method, replicas, _teacher(config.train, method, plan))
        options = {"clip_norm": config.train.clip_norm, "average": config.train.average}
        optimizer = optimizers.optimizer(config.train.optimizer, rate, **options)
        if config.train.precision == "float16":  # its smallest gradients would be zero
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        # Labels come in batches of ever other shapes: each would be compiled anew.
        trainee.compile(optimizer=optimizer, jit_compile=not alone and devices.compiler(config.train.jit))
        trainee.optimizer.build(network.trainable_variables)
    if config.train.accumulate > 1:
        accumulate.accumulate(trainee, config.train.accumulate)
    if multiworker.several(strategy):
        multiworker.correct(trainee)
    return Run(config, folder, method, parts, trainee, plan)


def _teacher(train: Train, method: PoseSystem, plan: Timeline) -> distill.Teacher | None:
    sizes = [stretch.size for stretch in plan.stretches]
    return distill.teacher(train.distill, method, sizes) if train.distill.teacher else None


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


def finish(run: Run) -> None:
    """Writes the last weights as a plain network of the system's own size, with its pose.json."""
    with Averages(run.trainee).there():
        callbacks.save_network(run.trainee.network, run.system, run.config, run.folder / "network.keras")
    print(f"last: {run.folder / 'network.keras'}, best by validation loss: {run.folder / 'best.keras'}")
