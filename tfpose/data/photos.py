"""Is a photo there, and whole? Answered from its first and last bytes, because thousands are asked about."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from tfpose import paths

TAIL = 1024  # bytes at the end of a JPEG in which its end marker must stand


def broken(wanted: dict) -> list[tuple[int, str]]:
    """(id, line) for every image of {id: (entry, file)} that is missing, unreadable, cut off, or of another size."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda item: _problem(*item), wanted.values())
        return [(i, f"image {i}: {problem}") for i, problem in zip(wanted, found) if problem]


def size(file: str | Path) -> tuple[int, int]:
    """The (width, height) that a photo's head tells; ValueError where it is missing, unreadable or cut off."""
    path = paths.path(file)
    if not path.is_file():
        raise ValueError(f"{file}: no such file")
    try:
        with path.open("rb") as content, Image.open(content) as image:
            found, form = image.size, image.format
            if form != "JPEG":
                image.load()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{file}: not an image: {error}") from error
    if form == "JPEG" and not _ends(path):
        raise ValueError(f"{file}: a JPEG without an end: cut off")
    return found


def opened(place: str):
    """A photo, a file or a record of a shard, as an open file; ValueError names a record that is broken."""
    if ".tfrecord#" not in place:
        return paths.path(place).open("rb")
    from tfpose.data import records  # which needs TensorFlow

    return io.BytesIO(records.fetched(place))


def _problem(entry: dict, file: str) -> str | None:
    try:
        width, height = size(file)
    except ValueError as error:
        return str(error)
    if (width, height) != (entry["width"], entry["height"]):
        return f"{file}: is {width}x{height}, the annotations say {entry['width']}x{entry['height']}"
    return None


def _ends(path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, paths.size(path) - TAIL))
        return b"\xff\xd9" in file.read()
