"""A progress bar on stderr: what is done, how fast, how long it will take."""

import sys
import time
from collections.abc import Iterable, Iterator


def progress(items: Iterable, total: int | None, label: str) -> Iterator:
    """Yields the items while drawing a bar; on anything but a terminal it prints a line every ten seconds.

    Without a total, as of a camera, there is no bar and no time left.
    """
    start = shown = time.monotonic()
    every, done = 0.1 if sys.stderr.isatty() else 10.0, 0
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown >= every:
            shown = now
            _show(label, done, total, now - start, end="")
    _show(label, done, None if total is None else done, time.monotonic() - start, end="\n")


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 42s, 3m10s, 2h05m."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes}m{seconds:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def _show(label: str, done: int, total: int | None, seconds: float, end: str) -> None:
    rate = done / max(seconds, 1e-9)
    left = "" if end or total is None else f", {clock(max(total - done, 0) / rate)} left"
    line = f"{label} {_bar(done, total)} {rate:.1f}/s{left}"
    tail = end or ("" if sys.stderr.isatty() else "\n")
    print(f"\r{line:<78}" if sys.stderr.isatty() else line, end=tail, file=sys.stderr, flush=True)


def _bar(done: int, total: int | None) -> str:
    if total is None:
        return str(done)
    filled = min(20, round(20 * done / max(total, 1)))
    return f"[{'█' * filled}{'·' * (20 - filled)}] {done}/{total}"
