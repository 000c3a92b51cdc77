"""A folder elsewhere, as gs://bucket/run, worked on in a folder here: fetched first, and sent whenever it changes.

Every file is sent under another name and then renamed, so that what is elsewhere is whole at any moment.
"""

import contextlib
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tfpose.paths import Remote

EVERY = 15.0  # seconds between two looks at what has changed
PART = "part."


@contextlib.contextmanager
def here(place: Path | Remote, every: float = EVERY) -> Iterator[Path]:
    """The folder itself; of one elsewhere a copy here, which is sent back every so many seconds and at the end."""
    if isinstance(place, Path):
        yield place
        return
    folder = Path(tempfile.mkdtemp(prefix="tfpose-"))
    mirror, ended = Mirror(folder, place), threading.Event()
    mirror.fetch()
    sender = threading.Thread(target=_sending, args=(mirror, ended, every), daemon=True)
    sender.start()
    try:
        yield folder
    finally:
        ended.set()
        sender.join()
        mirror.send()
        shutil.rmtree(folder)


class Mirror:
    """A folder here and the same elsewhere; it remembers what it sent."""

    def __init__(self, folder: Path, place: Remote):
        self.folder, self.place, self.sent = folder, place, {}

    def fetch(self) -> None:
        """Copies all files that are elsewhere."""
        for name in _names(self.place) if self.place.is_dir() else ():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with (self.place / name).open("rb") as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            self.sent[name] = _state(target)

    def send(self) -> None:
        """Copies all files that have changed here since they were copied, and deletes those that are gone here."""
        there = {str(p.relative_to(self.folder)): p for p in sorted(self.folder.rglob("*")) if p.is_file()}
        for name, path in there.items():
            state = _state(path)
            if not path.name.startswith(PART) and self.sent.get(name) != state:
                self._send(name, path)
                self.sent[name] = state
        for name in self.sent.keys() - there.keys():
            (self.place / name).unlink()
            del self.sent[name]

    def _send(self, name: str, path: Path) -> None:
        target = self.place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(PART + target.name)
        with path.open("rb") as source, scratch.open("wb") as file:
            shutil.copyfileobj(source, file)
        scratch.replace(target)


def _sending(mirror: Mirror, ended: threading.Event, every: float) -> None:
    while not ended.wait(every):
        try:
            mirror.send()
        except FileNotFoundError:
            continue  # it was renamed while it was looked at
        except OSError as error:
            print(f"{mirror.place}: not sent yet, trying again: {error}", file=sys.stderr, flush=True)


def _names(place: Remote, before: str = "") -> Iterator[str]:
    for inside in place.iterdir():
        if inside.is_dir():
            yield from _names(inside, f"{before}{inside.name}/")
        elif not inside.name.startswith(PART):
            yield before + inside.name


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
