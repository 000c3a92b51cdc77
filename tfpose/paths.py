"""A file or folder by its name: on this machine, or elsewhere where the name has a scheme, as gs://bucket/people.

What is elsewhere is reached through TensorFlow's file systems, which are imported when the first such name is used.
"""

import posixpath
from collections.abc import Iterator
from pathlib import Path

SCHEME = "://"


def path(name) -> "Path | Remote":
    """The `Path` of a name without a scheme, the `Remote` of one that has it; both have the methods below."""
    return Remote(str(name)) if SCHEME in str(name) else Path(name)


def size(place: "Path | Remote") -> int:
    """The bytes of a file."""
    return place.stat().st_size if isinstance(place, Path) else place.bytes()


class Remote:
    """A name with a scheme, with those of pathlib's methods that this package uses."""

    def __init__(self, name: str):
        scheme, _, rest = name.partition(SCHEME)
        self.text = f"{scheme}{SCHEME}{posixpath.normpath(rest) if rest else ''}"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Remote({self.text!r})"

    def __fspath__(self) -> str:
        return self.text

    def __eq__(self, other) -> bool:
        return isinstance(other, Remote) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __lt__(self, other: "Remote") -> bool:
        return self.text < other.text

    def __truediv__(self, name) -> "Remote":
        return Remote(f"{self.text}/{name}")

    @property
    def name(self) -> str:
        """The last part of the name."""
        return self.text.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """The last part's suffix, with its point."""
        return Path(self.name).suffix

    @property
    def parent(self) -> "Remote":
        """The folder that it is in."""
        return Remote(self.text.rpartition("/")[0])

    def with_name(self, name: str) -> "Remote":
        """Another one in the same folder."""
        return self.parent / name

    def is_file(self) -> bool:
        """Whether there is a file of this name."""
        return self._ask("exists") and not self._ask("isdir")

    def is_dir(self) -> bool:
        """Whether there is a folder of this name."""
        return self._ask("isdir")

    def open(self, mode: str = "r"):
        """The file, as Python's `open` gives it."""
        return self._ask("GFile", mode)

    def read_bytes(self) -> bytes:
        """What the file holds."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self) -> str:
        """What the file holds, as text."""
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        """Writes the file anew."""
        with self.open("wb") as file:
            file.write(content)

    def write_text(self, content: str) -> None:
        """Writes the file anew, as text."""
        self.write_bytes(content.encode())

    def bytes(self) -> int:
        """The file's size."""
        return self._ask("stat").length

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:  # noqa: ARG002
        """Makes the folder and those that it is in."""
        self._ask("makedirs")

    def iterdir(self) -> "Iterator[Remote]":
        """What is in the folder."""
        return (self / name.rstrip("/") for name in sorted(self._ask("listdir")))

    def replace(self, target) -> None:
        """Gives the file another name, in place of the one that has it."""
        self._ask("rename", str(target), True)

    def unlink(self) -> None:
        """Deletes the file."""
        self._ask("remove")

    def _ask(self, what: str, *arguments):
        """A function of TensorFlow's file systems; OSError in place of its own errors."""
        import tensorflow as tf

        try:
            return getattr(tf.io.gfile, what)(self.text, *arguments)
        except tf.errors.OpError as error:
            raise OSError(f"{self.text}: {error.message}") from error
