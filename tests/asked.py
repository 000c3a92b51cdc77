"""A run that is asked to stop at a chosen moment: trains until then, in the same process."""

import contextlib
from pathlib import Path

from tfpose.train import loop, stop


class After:
    """A request that is there from the n-th time on that it is looked for: after steps, validated batches, epochs."""

    def __init__(self, times: int):
        self.times = times

    @property
    def made(self) -> bool:
        self.times -= 1
        return self.times <= 0


def train(config, folder: Path, times: int) -> None:
    """Trains until the request is seen."""

    @contextlib.contextmanager
    def listening():
        yield After(times)

    before, stop.listening = stop.listening, listening
    try:
        loop.train(config, folder)
    except SystemExit as end:
        assert end.code == 0
    else:
        raise AssertionError("the run was not stopped")
    finally:
        stop.listening = before
