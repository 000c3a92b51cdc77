"""When a run does what: its epochs cut into phases of one view size and batch, and the steps up to any epoch."""

from dataclasses import dataclass

from tfpose.config import Phase, Train


@dataclass(frozen=True)
class Stretch:
    """Epochs `start` up to, not including, `end`, at one view `size` and global `batch`, `steps` an epoch.

    `jitter` is the share of `augment`'s scale and shift.
    """

    start: int
    end: int
    size: tuple[int, int]
    batch: int
    steps: int
    jitter: float = 1.0

    @property
    def pixels(self) -> int:
        """Those of the views of a step."""
        return self.batch * self.size[0] * self.size[1]


@dataclass(frozen=True)
class Timeline:
    """The stretches of a run, in order, without gaps."""

    stretches: tuple[Stretch, ...]

    def step_at(self, epoch: float) -> int:
        """The number of steps done when `epoch` begins."""
        done = 0.0
        for s in self.stretches:
            done += s.steps * max(0.0, min(epoch, s.end) - s.start)
        return round(done)

    @property
    def total(self) -> int:
        """All steps."""
        return self.step_at(float("inf"))

    def pixels_after(self, done: int) -> int:
        """The pixels of all views of the steps that follow the first `done`."""
        left, pixels = self.total - done, 0
        for s in reversed(self.stretches):
            steps = min(left, s.steps * (s.end - s.start))
            pixels, left = pixels + steps * s.pixels, left - steps
        return pixels


def executed(most: int, steps: int, done: int = 0) -> int:
    """How many steps, at most `most`, run in one execution: an epoch of `steps`, `done` before, ends with one."""
    return next(n for n in range(min(most, steps), 0, -1) if steps % n == 0 and done % n == 0)


def timeline(train: Train, size: tuple[int, int], people: int, replicas: int = 1) -> Timeline:
    """The run's timeline for `people` samples.

    ValueError where phases are out of order, a batch finds too few samples or is not a multiple of the replicas.
    """
    phases = train.phases or (Phase(0, size, train.batch),)
    starts = [p.start for p in phases]
    if starts != sorted(set(starts)) or starts[0] != 0 or starts[-1] >= train.epochs:
        raise ValueError(f"train.phases: starts are {starts}; expected 0 first, rising, below epochs={train.epochs}")
    if tuple(phases[-1].size) != tuple(size):
        raise ValueError(f"train.phases: the last size is {phases[-1].size}; expected system.size, {size}")
    ends = [*starts[1:], train.epochs]
    parts = f" times train.accumulate={train.accumulate}" if train.accumulate > 1 else ""
    for batch in (p.batch for p in phases):
        if batch < 1 or batch % (replicas * train.accumulate):
            raise ValueError(
                f"train.batch: found {batch}; expected a positive multiple of the {replicas} replica(s){parts}"
            )
        if people < batch:
            raise ValueError(f"train.batch: {batch} samples in a batch, but the training part has only {people}")
    lasting = zip(phases, ends)
    return Timeline(tuple(Stretch(p.start, e, p.size, p.batch, people // p.batch, p.jitter) for p, e in lasting))
