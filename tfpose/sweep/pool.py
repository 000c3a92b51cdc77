"""A plain pool of processes: each trial is the ordinary `tfpose train` in its own folder, some at a time.

A process that fails ends its trial alone. Whoever stops the sweep, by Ctrl-C or SIGTERM, has the trainings save first.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "import sys; from tfpose.cli import main; sys.exit(main())"
OUTPUT = "output.txt"
WAIT = 0.1  # seconds between two looks at the processes


@dataclass(frozen=True)
class Job:
    """Commands of `tfpose`, one after the other, whose output goes into a folder; none is run after one that failed."""

    name: str
    folder: Path
    commands: tuple[tuple[str, ...], ...]


@dataclass
class _Running:
    job: Job
    place: int
    process: subprocess.Popen
    done: int = 0


def run(jobs: Iterable[Job], places: int) -> Iterator[Job]:
    """Yields each job when it has ended, well or not; `places` of them run at a time."""
    waiting, running = list(jobs), []
    with terminating():
        try:
            while waiting or running:
                free = [place for place in range(places) if place not in {r.place for r in running}]
                while waiting and free:
                    running.append(_started(waiting.pop(0), free.pop(0), places))
                time.sleep(WAIT)
                for one in [r for r in running if r.process.poll() is not None]:
                    running.remove(one)
                    if again := _next(one, places):
                        running.append(again)
                    else:
                        yield one.job
        finally:
            _end(running)


def _started(job: Job, place: int, places: int, number: int = 0) -> _Running:
    job.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", PROGRAM, *job.commands[number]]
    with (job.folder / OUTPUT).open("a" if number else "w") as output:
        # A group of its own: Ctrl-C reaches this process alone, which then asks the others to save.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(os.environ, place),
        )
    _pin(process.pid, place, places)
    return _Running(job, place, process, number)


def _next(one: _Running, places: int) -> _Running | None:
    more = one.process.returncode == 0 and one.done + 1 < len(one.job.commands)
    return _started(one.job, one.place, places, one.done + 1) if more else None


def environment(outer: dict, place: int) -> dict:
    """What a process finds around it: of several GPUs that CUDA_VISIBLE_DEVICES names one, by its place."""
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([root, *filter(None, [outer.get("PYTHONPATH")])])
    gpus = [gpu for gpu in outer.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    own = {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if len(gpus) > 1 else {}
    return {**outer, "PYTHONPATH": paths, **own}


def cores(every: Iterable[int], place: int, places: int) -> set[int]:
    """The cores of a place: its share, or all of them where there are fewer than places."""
    every = sorted(every)
    return set(every[place::places] if len(every) >= places else every)


def _pin(process: int, place: int, places: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # Linux alone has it
        with contextlib.suppress(OSError):
            os.sched_setaffinity(process, cores(os.sched_getaffinity(0), place, places))


def _end(running: list[_Running]) -> None:
    """Asks what still runs to save and end, and waits for it."""
    for one in running:
        with contextlib.suppress(OSError):
            one.process.send_signal(signal.SIGTERM)
    for one in running:
        one.process.wait()


@contextlib.contextmanager
def terminating():
    """Makes a SIGTERM what Ctrl-C is, as long as this lasts."""

    def stop(number, frame):  # noqa: ARG001 (a handler is called with both)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
