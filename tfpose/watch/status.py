"""status.json: one line that says how a run is doing, for schedulers and for the report.

{"state": "running", "message": "running", "epoch": 3, "epochs": 13, "step": 220, "steps": 975, "images/s": 123.4,
"loss": 0.0012, "seconds_left": 456, "time": "2026-01-31T12:00:00+00:00"}

`state` is one of running, stopped, failed and finished; `message` is the whole of it, as in "failed: no space left".
`epoch` is the one that is trained, or was trained last, and `step` counts all steps of the run, of which there are
`steps`. Who is killed cannot say so: a run that is "running" and whose `time` stands still has ended.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tfpose.watch import files

FILE = "status.json"
RUNNING, STOPPED, FAILED, FINISHED = "running", "stopped", "failed", "finished"
AGAIN = "the same command continues from the last checkpoint"


def read(folder: Path) -> dict:
    """What a run's line says; nothing where it has none."""
    found = files.taken(folder / FILE)
    return found if isinstance(found, dict) else {}


def write(folder: Path, state: str, why: str = "", **progress) -> None:
    """Replaces the line of a run: its state, why it is so, and its progress, of which what is not given stays."""
    said = {"state": state, "message": f"{state}: {why}" if why else state}
    known = {name: value for name, value in read(folder).items() if name not in (*said, "time")}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    files.put(folder / FILE, files.dumped(said | known | progress | {"time": time}))


@contextlib.contextmanager
def lasting(folder: Path, told: Callable[[Path], None]):
    """Says that a run is running, and at its end how it ended; `told(folder)` is called after each.

    A SystemExit that has a `where` is that of a run that was asked to stop, and saved there.
    """
    say(folder, told, RUNNING)
    try:
        yield
    except SystemExit as end:
        say(folder, told, STOPPED, f"SIGTERM, saved {getattr(end, 'where', 'nothing new')}")
        raise
    except KeyboardInterrupt:
        say(folder, told, STOPPED, f"Ctrl-C; {AGAIN}")
        raise
    except Exception as error:
        say(folder, told, FAILED, " ".join(str(error).split()) or type(error).__name__)
        raise
    say(folder, told, FINISHED, seconds_left=0)


def say(folder: Path, told: Callable[[Path], None] | None, state: str, why: str = "", **progress) -> None:
    """Writes the line and calls `told`, if any; a full disk ends no run that could go on, and hides no other error."""
    with contextlib.suppress(OSError):
        write(folder, state, why, **progress)
        if told:
            told(folder)
