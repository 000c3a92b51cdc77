"""What happens around the steps of `fit`, and in which order: a new callback finds its place here."""

import keras

from tfpose.config import Train
from tfpose.train import callbacks, feed, multiworker, pictures, profile, resume, schedules, stop, watching
from tfpose.train.ema import Averages
from tfpose.train.run import Run
from tfpose.train.timeline import Stretch


def around(run: Run, stretch: Stretch, state: dict, request: stop.Request) -> tuple[list, callbacks.Keeper]:
    """The callbacks of epochs that begin at `state`, or at its step in one, and that of them which keeps the state.

    The order is law: nothing is kept of a loss that is not finite, and what an epoch says is said before it is kept.
    """
    writes, averages = multiworker.chief(run.trainee.distribute_strategy), Averages(run.trainee)
    done = state.get("step", 0)
    whole = {name: state[name] for name in ("epoch", "best", "waited")}
    keeper = callbacks.Keeper(run.folder, run.system, run.config, whole, averages, writes)
    every = [
        *([resume.Continue(state["sums"])] if done else []),
        averages,
        callbacks.FiniteLoss(lambda epoch, step: feed.batch_names(run, stretch, epoch, step), done),
        *(written(run, stretch, whole["epoch"], done, averages) if writes else ()),
        *_profile(run, done, writes),
        *run.callbacks,
        *_plateau(run.config.train, keeper.state),
        keeper,
        stop.Stop(request, keeper.save, keeper.state, averages, done),
    ]
    return every, keeper


def written(run: Run, stretch: Stretch, epoch: int, done: int, averages: Averages) -> list[keras.callbacks.Callback]:
    """What tells people how the run is doing, from step `done` of an epoch on; of several workers one does."""
    progress = callbacks.Progress(run.timeline, stretch, "people" if run.system.view == "labels" else "images", done)
    return [
        progress,
        callbacks.Log(run.folder / "log.csv", epoch),
        callbacks.TensorBoard(run.folder / "tensorboard"),
        *_pictures(run, stretch, averages),
        *([watching.Samples(run, averages)] if run.config.train.pictures else []),
        watching.Status(run, progress),
    ]


def _pictures(run: Run, stretch: Stretch, averages: Averages) -> list[keras.callbacks.Callback]:
    number = run.config.train.pictures if run.system.view != "labels" else 0  # where nothing is seen
    if not number:
        return []
    sides = next(iter(feed.validation(run, stretch)))
    some = tuple({name: values[:number].numpy() for name, values in side.items()} for side in sides)
    return [pictures.Pictures(run.folder, run.system, some, averages)]


def _profile(run: Run, done: int, writes: bool) -> list[keras.callbacks.Callback]:
    steps = run.config.train.profile
    return [profile.Profile(run.folder, run.timeline, steps, done)] if steps and writes else []


def _plateau(train: Train, state: dict) -> list[keras.callbacks.Callback]:
    return [schedules.Plateau(train.schedule, state)] if train.schedule.name == "plateau" else []
