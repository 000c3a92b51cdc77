"""What is looked at: photos, folders of them, videos and cameras, as a list of sources whose order does not change."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tflite.image import SUFFIXES

VIDEOS = (".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm")
CAMERA = "camera:"


@dataclass(frozen=True)
class Source:
    """A photo, video or camera: `place` is its path or the camera, `name` what results call it.

    `picture` is the path, in the folder of pictures, where it is drawn.
    """

    kind: str
    place: str
    name: str
    picture: Path


def sources(places: list[str], leave_out: Path | None = None) -> list[Source]:
    """Every photo and video among files and in folders, folders with all they contain in the order of their names.

    Hidden files, and what lies in the folder `leave_out`, are no sources. Names are relative to the folder that was
    given; ValueError for a path that is not there and for a folder with nothing in it.
    """
    found = [pair for place in places for pair in _pairs(place, leave_out)]
    names, pictures = Counter(n for _, n in found), Counter(_picture(*pair) for pair in found)
    return [
        Source(
            _kind(place),
            place.removeprefix(CAMERA),
            name if names[name] == 1 else place,
            # Photos of several folders may share a name.
            picture if pictures[picture] == 1 else picture.with_name(f"{number:05d}_{picture.name}"),
        )
        for number, (place, name) in enumerate(found, 1)
        for picture in [_picture(place, name)]
    ]


def _pairs(place: str, leave_out: Path | None) -> list[tuple[str, str]]:
    """The (place, name) of everything that a place stands for."""
    path = Path(place)
    if place.startswith(CAMERA):
        return [(place, place)]
    if not path.exists():
        raise ValueError(f"{place}: no such file or folder; give photos, folders, videos, or {CAMERA}0")
    if not path.is_dir():
        return [(place, path.name)]
    inside = sorted(file for file in path.rglob("*") if _meant(file.relative_to(path)) and file.is_file())
    inside = [file for file in inside if leave_out is None or not file.resolve().is_relative_to(leave_out.resolve())]
    if not inside:
        raise ValueError(f"{path}: found no photo and no video, expected one of {', '.join(SUFFIXES + VIDEOS)}")
    return [(str(file), file.relative_to(path).as_posix()) for file in inside]


def _meant(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES + VIDEOS and not any(part.startswith(".") for part in path.parts)


def _kind(place: str) -> str:
    if place.startswith(CAMERA):
        return "camera"
    return "video" if Path(place).suffix.lower() in VIDEOS else "photo"


def _picture(place: str, name: str) -> Path:
    """A photo is drawn as a file of its own name, a video and a camera as .mp4."""
    if _kind(place) == "camera":
        return Path("".join(letter if letter.isalnum() else "_" for letter in name) + ".mp4")
    return Path(name).with_suffix(".mp4") if _kind(place) == "video" else Path(name)
