"""The epochs of a run: keras `fit` on its batches, from any step on."""

from tfpose.config import Train
from tfpose.data import undecodable
from tfpose.train import feed, multiworker, resume, stop
from tfpose.train.around import around
from tfpose.train.run import Run
from tfpose.train.timeline import Stretch, executed


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
    trainee, strategy, done = run.trainee, run.trainee.distribute_strategy, state.get("step", 0)
    trainee.steps_per_execution = executed(run.config.train.steps_per_execution, stretch.steps, done)
    every, keeper = around(run, stretch, state, request)
    held = multiworker.distributed(strategy, lambda share: feed.validation(run, stretch, share))
    with undecodable.naming((*run.parts.train.records, *run.parts.validation.records)):
        if done == stretch.steps:
            resume.end_epoch(trainee, start, every, held if end in validated(run.config.train) else None)
            return keeper.state
        trainee.fit(
            multiworker.distributed(strategy, lambda share: feed.samples(run, stretch, start, done, share)),
            epochs=end,
            initial_epoch=start,
            steps_per_epoch=stretch.steps - done,
            validation_data=held,
            validation_freq=validated(run.config.train),
            shuffle=False,
            verbose=0,
            callbacks=every,
        )
    return keeper.state


def validated(train: Train) -> list[int]:
    """The epochs, counted from one, after which the validation loss is computed: every so many, and the last."""
    return [e for e in range(1, train.epochs + 1) if e % train.validate_every == 0 or e == train.epochs]
