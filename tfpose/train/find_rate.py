"""`tfpose find-rate`: the learning rate, by a training whose rate grows with every step until the loss runs away.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3. Nothing of that training is kept.
"""

import math
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path

import keras
import numpy as np
from keras import ops

from tfpose.config import Config
from tfpose.train import devices, feed
from tfpose.train.run import Run, assemble
from tfpose.watch import files
from tfpose.watch.page import page, section, table
from tfpose.watch.svg import Line, curves

SMOOTH = 0.95  # of the loss until now, in the smoothed one
AWAY = 2.0  # times the lowest smoothed loss: then it has run away
FEWEST = 10  # steps before which nothing is said of the loss
ROWS = 12


@dataclass(frozen=True, eq=False)
class Found:
    """The smoothed losses of steps at growing rates, and where they fell fastest, were lowest and ran away (or 0)."""

    rates: np.ndarray
    losses: np.ndarray
    steepest: float
    lowest: float
    away: float


class Growing(keras.optimizers.schedules.LearningRateSchedule):
    """From `low` at the first step to `high` at the last of `steps`, by the same factor each."""

    def __init__(self, low: float, high: float, steps: int):
        self.low, self.high, self.steps = low, high, steps

    def __call__(self, step):
        share = ops.cast(step, "float32") / max(self.steps - 1, 1)
        return self.low * ops.exp(share * math.log(self.high / self.low))

    def get_config(self):
        return {"low": self.low, "high": self.high, "steps": self.steps}


class Losses(keras.callbacks.Callback):
    """The loss of every step by itself; it ends a training whose smoothed loss runs away or is not finite."""

    def __init__(self):
        super().__init__()
        self.each = []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()  # what `fit` shows is a mean since then

    def on_train_batch_end(self, batch, logs=None):
        self.each.append(logs["loss"])
        known = smoothed(self.each)
        far = len(known) > FEWEST and known[-1] > AWAY * known[FEWEST:].min()
        if far or not math.isfinite(logs["loss"]):
            self.model.stop_training = True


def find(config: Config, *, low: float = 1e-7, high: float = 10.0, steps: int = 200) -> Found:
    """The learning rates of a configuration from `low` to `high`, and what became of the loss.

    ValueError where the data or the configuration is refused, and where the loss is not finite from the beginning.
    """
    if not 0 < low < high or steps <= 2 * FEWEST:
        raise ValueError(f"rates: found {low:g} to {high:g} in {steps} steps; expected rates that grow, in at least 21")
    devices.threads()
    devices.seed(config.seed)
    with tempfile.TemporaryDirectory() as folder:
        run = assemble(config, Path(folder), devices.strategy(config.train.devices))
        losses = measured(run, Growing(low, high, steps), steps)
    rates = low * (high / low) ** (np.arange(len(losses)) / (steps - 1))
    return judged(rates, np.array(losses))


def measured(run: Run, rate: Growing, steps: int) -> list[float]:
    """The loss of each step, until it runs away."""
    trainee, losses = run.trainee, Losses()
    getattr(trainee.optimizer, "inner_optimizer", trainee.optimizer).learning_rate = rate
    data = feed.samples(run, run.timeline.stretches[-1], 0)
    trainee.fit(data, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[losses])
    return losses.each


def smoothed(losses: list[float]) -> np.ndarray:
    """The mean of each loss and those before it, which count less the older they are."""
    total = weight = 0.0
    result = []
    for loss in losses:
        total, weight = SMOOTH * total + (1 - SMOOTH) * loss, SMOOTH * weight + 1 - SMOOTH
        result.append(total / weight)
    return np.array(result)


def judged(rates: np.ndarray, losses: np.ndarray) -> Found:
    """Where the smoothed loss of each rate falls fastest, by the rate's logarithm, before it is lowest."""
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    if count <= FEWEST:
        raise ValueError(
            f"the loss is not finite at a rate of {rates[count]:.1e}; lower --from, or look at the data "
            "with `tfpose check-data`"
        )
    known, used = smoothed(list(losses[:count])), rates[:count]
    lowest = FEWEST + int(known[FEWEST:].argmin())
    slopes = np.gradient(known, np.log(used))
    steepest = FEWEST + int(slopes[FEWEST : lowest + 1].argmin())
    far = np.append(known[lowest:] > AWAY * known[lowest], count < len(losses))
    ended = rates[lowest + int(far.argmax())] if far.any() else 0.0
    return Found(used, known, float(used[steepest]), float(used[lowest]), float(ended))


def text(found: Found) -> str:
    """A table of rates and losses, and what they say."""
    lines = ["learning rate  loss"]
    lines += [f"{found.rates[i]:<13.2e}  {found.losses[i]:.4g}" for i in _some(found)]
    away = f"ran away at {found.away:.1e}" if found.away else "did not run away: try a higher --to"
    lines.append(f"the loss fell fastest at {found.steepest:.1e}, was lowest at {found.lowest:.1e} and {away}")
    fell = found.steepest < found.lowest
    more = f"try train.optimizer.learning_rate={found.steepest:.1e}" if fell else "it hardly fell: give more --steps"
    return "\n".join([*lines, more])


def write(found: Found, path: Path, title: str) -> None:
    """Writes the curve and the table as a page that loads nothing."""
    line = Line("loss", tuple(found.rates.tolist()), tuple(found.losses.tolist()))
    figure = curves(
        [line],
        "smoothed loss; the dashed line is where it falls fastest",
        "learning rate",
        log_x=True,
        mark=found.steepest,
    )
    rows = [[f"{found.rates[i]:.2e}", f"{found.losses[i]:.4g}"] for i in _some(found)]
    said = text(found).splitlines()[-2:]
    body = f"<h1>Learning rate</h1><p class='soft'>{escape(title)}</p>{''.join(f'<p>{escape(s)}</p>' for s in said)}"
    body += section("Loss by rate", f'<div class="alone">{figure}</div>') + section(
        "Figures", table(["learning rate", "loss"], rows, texts=0)
    )
    files.put(path, page(f"learning rate: {title}", body))


def _some(found: Found) -> np.ndarray:
    return np.unique(np.linspace(0, len(found.rates) - 1, ROWS).round().astype(int))
