"""Is a photo there, and whole? Answered from its first and last bytes, because thousands are asked about."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, UnidentifiedImageError

TAIL = 1024  # bytes at the end of a JPEG in which its end marker must stand


def broken(wanted: dict) -> list[tuple[int, str]]:
    """(id, line) for every image of {id: (entry, file)} that is missing, unreadable, cut off, or of another size."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda item: _problem(*item[1]), wanted.items())
        return [(i, f"image {i}: {problem}") for i, problem in zip(wanted, found) if problem]


def _problem(entry: dict, file: str) -> str | None:
    path = Path(file)
    if not path.is_file():
        return f"{file}: no such file"
    try:
        with Image.open(path) as image:
            width, height, form = *image.size, image.format
    except (UnidentifiedImageError, OSError) as error:
        return f"{file}: not an image: {error}"
    if (width, height) != (entry["width"], entry["height"]):
        return f"{file}: is {width}x{height}, the annotations say {entry['width']}x{entry['height']}"
    if form == "JPEG" and not _ends(path):
        return f"{file}: a JPEG without an end: cut off"
    return None


def _ends(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return b"\xff\xd9" in file.read()
