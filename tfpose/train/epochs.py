"""The epochs of a run: keras `fit` on its batches, from any step on, with everything that happens around the steps."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tfpose.config import Config, Train
from tfpose.data import pipeline, undecodable
from tfpose.data.share import WHOLE, Share
from tfpose.data.source import Parts
from tfpose.systems.base import PoseSystem
from tfpose.train import callbacks, multiworker, pictures, resume, schedules, stop
from tfpose.train.ema import Averages
from tfpose.train.timeline import Stretch, Timeline, executed
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


def fit(run: Run, stretch: Stretch, state: dict, request: stop.Request) -> dict:
    """Trains from `state["epoch"]`, or the step in it, to the end of a stretch; returns the state then."""
    start = max(stretch.start, state["epoch"])
    if start == stretch.start:
        state = state | {"best": None, "waited": 0}  # losses of views of another size do not compare
    # A new size is a new graph: without this Keras would widen the old one to unknown shapes.
    run.trainee.train_function = run.trainee.test_function = None
    if state.get("step"):
        state = epochs(run, stretch, state, start, start + 1, request)
        start += 1
    return epochs(run, stretch, state, start, stretch.end, request) if start < stretch.end else state


def epochs(run: Run, stretch: Stretch, state: dict, start: int, end: int, request: stop.Request) -> dict:
    """Trains from an epoch, or from the state's step in it, up to, not including, another; returns the state then."""
    state, done, sums = dict(state), state.get("step", 0), state.get("sums", [])
    state = {name: state[name] for name in ("epoch", "best", "waited")}
    strategy, trainee = run.trainee.distribute_strategy, run.trainee
    trainee.steps_per_execution = executed(run.config.train.steps_per_execution, stretch.steps, done)
    around, keeper = callbacks_of(run, stretch, state, done, sums, request)
    seen = multiworker.distributed(strategy, lambda share: validation(run, stretch, share))
    with undecodable.naming((*run.parts.train.records, *run.parts.validation.records)):
        if done == stretch.steps:
            resume.end_epoch(trainee, start, around, seen if end in validated(run.config.train) else None)
            return keeper.state
        trainee.fit(
            multiworker.distributed(strategy, lambda share: samples(run, stretch, start, done, share)),
            epochs=end,
            initial_epoch=start,
            steps_per_epoch=stretch.steps - done,
            validation_data=seen,
            validation_freq=validated(run.config.train),
            shuffle=False,
            verbose=0,
            callbacks=around,
        )
    return keeper.state


def callbacks_of(run: Run, stretch: Stretch, state: dict, done: int, sums: list, request: stop.Request) -> tuple:
    """What happens around the steps, in this order, and the one that keeps the state; one worker alone writes."""
    writes, averages = multiworker.chief(run.trainee.distribute_strategy), Averages(run.trainee)
    keeper = callbacks.Keeper(run.folder, run.system, run.config, state, averages, writes)
    around = [
        *([resume.Continue(sums)] if done else []),
        averages,
        callbacks.FiniteLoss(lambda epoch, step: batch_names(run, stretch, epoch, step), done),
        *(_written(run, stretch, state, done, averages) if writes else ()),
        *_plateau(run, keeper.state),
        keeper,
        stop.Stop(request, keeper.save, keeper.state, averages, done),
    ]
    return around, keeper


def _written(run: Run, stretch: Stretch, state: dict, done: int, averages: Averages) -> list:
    return [
        callbacks.Progress(run.timeline, stretch, "people" if run.system.view == "labels" else "images", done),
        callbacks.Log(run.folder / "log.csv", state["epoch"]),
        callbacks.TensorBoard(run.folder / "tensorboard"),
        *_pictures(run, stretch, averages),
    ]


def validated(train: Train) -> list[int]:
    """The epochs, counted from one, after which the validation loss is computed: every so many, and the last."""
    return [e for e in range(1, train.epochs + 1) if e % train.validate_every == 0 or e == train.epochs]


def samples(run: Run, stretch: Stretch, epoch: int, step: int = 0, share: Share = WHOLE):
    """The endless training data of a stretch, or a worker's share of it, from a step of an epoch on."""
    return pipeline.training(
        run.parts.train.records,
        run.system.encode,
        size=stretch.size,
        padding=run.config.data.padding,
        skeleton=run.system.skeleton,
        view=run.system.view,
        stride=run.system.stride,
        labels=run.system.labels,
        buckets=run.config.train.buckets,
        augment=run.config.augment,
        batch=stretch.batch,
        seed=run.config.seed,
        start_epoch=epoch,
        start_step=step,
        share=share,
        warp=run.config.data.warp,
    )


def validation(run: Run, stretch: Stretch, share: Share = WHOLE):
    """The validation part, or a worker's share of it, at a stretch's size, once through."""
    return pipeline.validation(
        run.parts.validation.records,
        run.system.encode,
        size=stretch.size,
        padding=run.config.data.padding,
        skeleton=run.system.skeleton,
        view=run.system.view,
        stride=run.system.stride,
        labels=run.system.labels,
        buckets=run.config.train.buckets,
        batch=stretch.batch,
        share=share,
        warp=run.config.data.warp,
    )


def batch_names(run: Run, stretch: Stretch, epoch: int, step: int) -> str:
    """The annotation ids of one batch: the data depends on seed and epoch alone, so it can be asked for again."""
    data = samples(run, stretch, epoch)
    inputs, _ = next(itertools.islice(iter(data), step, None))
    return ", ".join(str(i) for i in np.asarray(inputs["annotation_id"]))


def _pictures(run: Run, stretch: Stretch, averages: Averages) -> list[keras.callbacks.Callback]:
    number = run.config.train.pictures if run.system.view != "labels" else 0  # where nothing is seen
    if not number:
        return []
    return [pictures.Pictures(run.folder, run.system, _some(validation(run, stretch), number), averages)]


def _plateau(run: Run, state: dict) -> list[keras.callbacks.Callback]:
    schedule = run.config.train.schedule
    return [schedules.Plateau(schedule, state)] if schedule.name == "plateau" else []


def _some(dataset, number: int) -> tuple:
    inputs, targets = next(iter(dataset))
    return {k: v[:number].numpy() for k, v in inputs.items()}, {k: v[:number].numpy() for k, v in targets.items()}
