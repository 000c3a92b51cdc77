"""`tfpose train`: from a configuration to a run folder, through keras `fit`, continuing where an earlier call stopped.

run folder: config.yaml  versions.json  network.keras  best.keras  pose.json  checkpoint.npz  previous_checkpoint.npz
            log.csv  tensorboard/  pictures/  status.json  report.html  about.json  samples.json
"""

import contextlib
import json
import platform
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import keras

from tfpose import yaml_config
from tfpose.config import Config, Train
from tfpose.data.source import Parts
from tfpose.train import about, callbacks, checkpoint, devices, multiworker, stop
from tfpose.train.ema import Averages
from tfpose.train.epochs import fit
from tfpose.train.run import Run, assemble
from tfpose.watch import report, status


def train(
    config: Config, folder: Path, parts: Parts | None = None, callbacks: Iterable[keras.callbacks.Callback] = ()
) -> Path:
    """Trains, or continues, the run in `folder`, on `parts` in place of the configuration's data; returns the folder.

    `callbacks` are more of Keras's own: `fit` has them, on every worker, and once for each size of views.

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
    told = status.lasting(folder, report.write) if writes else contextlib.nullcontext()
    with told, stop.listening() as request, multiworker.watching(strategy):
        run = replace(assemble(config, folder, strategy, parts), callbacks=tuple(callbacks))
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
    same = {"devices": "auto", "jit": "auto", "steps_per_execution": 1, "profile": ()}
    return replace(config, train=replace(config.train, **same))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def introduce(run: Run, replicas: int) -> None:
    """Prints what is about to happen, in numbers that can be checked."""
    known = about.facts(run, replicas)
    about.write(run, known)
    print(f"{about.title(run)}: {known['parameters']} parameters, {known['cost']}")
    print(f"train: {known['training part']}; validation: {known['validation part']}")
    print(f"{known['epochs']} epochs, {known['steps']} steps, {replicas} replica(s), ", end="")
    print(f"{known['precision']}; {run.folder}", flush=True)
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
