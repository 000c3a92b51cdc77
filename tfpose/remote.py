"""Folders and files elsewhere, as gs://bucket/run, worked on here: fetched first, and sent whenever they change.

Every file is sent under another name and then renamed, so that what is elsewhere is whole at any moment.
"""

import atexit
import contextlib
import functools
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tfpose.paths import Remote

EVERY = 15.0  # seconds between two looks at what has changed
PART = "part."
BESIDE = ("pose.json", "assign.npz")  # what a network's file is not read without


def fetched(place: Path | Remote) -> Path:
    """The file or folder itself; of one elsewhere a copy here, for as long as this process runs.

    With a network's file comes what is beside it. ValueError where nothing is elsewhere.
    """
    return place if isinstance(place, Path) else _fetched(place)


@functools.cache
def _fetched(place: Remote) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tfpose-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if place.is_dir():
        Mirror(folder / place.name, place).fetch()
    elif place.is_file():
        wanted = (place.name, *(BESIDE if place.suffix in (".keras", ".tflite") else ()))
        for name in wanted:
            if (place.parent / name).is_file():
                _copy(place.parent / name, folder / name)
    else:
        raise ValueError(f"{place}: no such file or folder")
    return folder / place.name


@contextlib.contextmanager
def written(place: Path | Remote) -> Iterator[Path]:
    """The path of a file to write; of one elsewhere a path here, whose file is sent at the end."""
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="tfpose-") as folder:
        file = Path(folder) / place.name
        yield file
        if file.is_file():
            _send(file, place)
            print(f"sent to {place}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def here(place: Path | Remote, *, new: bool = False, every: float = EVERY) -> Iterator[Path]:
    """The folder itself; of one elsewhere a copy here, which is sent back every so many seconds and at the end.

    Where it need not be `new` it must be there, ValueError, and may be a file, which is fetched alone.
    """
    if isinstance(place, Path) or not (new or place.is_dir()):
        yield fetched(place)
        return
    folder = Path(tempfile.mkdtemp(prefix="tfpose-"))
    mirror, ended = Mirror(folder, place), threading.Event()
    print(f"{place} is worked on in {folder}", file=sys.stderr, flush=True)
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
            _copy(self.place / name, target)
            self.sent[name] = _state(target)

    def send(self) -> None:
        """Copies all files that have changed here since they were copied, and deletes those that are gone here."""
        there = {str(p.relative_to(self.folder)): p for p in sorted(self.folder.rglob("*")) if p.is_file()}
        for name, path in there.items():
            state = _state(path)
            if not path.name.startswith(PART) and self.sent.get(name) != state:
                _send(path, self.place / name)
                self.sent[name] = state
        for name in self.sent.keys() - there.keys():
            (self.place / name).unlink()
            del self.sent[name]


def _copy(source: Path | Remote, target: Path | Remote) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _send(path: Path, target: Remote) -> None:
    scratch = target.with_name(PART + target.name)
    _copy(path, scratch)
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
