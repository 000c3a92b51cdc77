"""Videos and cameras through OpenCV: the frames of one, and a file that plays as fast as what it shows."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite import image
from tflite.sources import Source

# Where neither the file nor the camera says how many frames a second it has.
RATE = 30.0


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture (H, W, 3) uint8 RGB; of a video and a camera its number from 0 and the seconds since the first.

    `rate` is how many a second are looked at, 0 of a photo.
    """

    image: np.ndarray
    number: int = 0
    seconds: float = 0.0
    rate: float = 0.0


def frames(source: Source, every: int = 1) -> Iterator[Frame]:
    """Each `every`-th frame of a source, of a photo the one that there is; a camera's go on until somebody stops.

    ValueError names what cannot be read: a broken photo or video, a camera that gives nothing, OpenCV that is missing.
    """
    if source.kind == "photo":
        yield Frame(image.read(source.place))
        return
    capture, start = _opened(source), time.monotonic()
    rate = _rate(capture)
    try:
        for number in itertools.count():
            if not capture.grab():
                break
            good, picture = capture.retrieve() if number % every == 0 else (False, None)
            if good:
                seconds = time.monotonic() - start if source.kind == "camera" else number / rate
                yield Frame(np.ascontiguousarray(picture[..., ::-1]), number, seconds, rate / every)
    finally:
        capture.release()
    if not number:
        raise ValueError(f"{source.name}: found no frame that OpenCV can decode; look whether another program plays it")


def count(source: Source, every: int = 1) -> int | None:
    """How many frames `frames` will give, as far as the source tells; None for a camera."""
    if source.kind != "video" or image.cv2 is None:
        return None if source.kind == "camera" else 1
    capture = image.cv2.VideoCapture(source.place)
    total = capture.get(image.cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return max(1, math.ceil(total / every))


class VideoFile:
    """An .mp4 file of RGB pictures (H, W, 3) uint8, all of one size, that plays as fast as what was seen.

    A picture stays until the next one's time: a camera gives more frames a second than a slow device can look at.
    ValueError where OpenCV cannot write there.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: float):
        path.parent.mkdir(parents=True, exist_ok=True)
        code = image.cv2.VideoWriter_fourcc(*"mp4v")
        self._rate, self._written, self._last = rate, 0, None
        self._file = image.cv2.VideoWriter(str(path), code, rate, size[::-1])
        if not self._file.isOpened():
            raise ValueError(f"{path}: OpenCV cannot write a video there; take another --output, or --json-only")

    def add(self, picture: np.ndarray, seconds: float) -> None:
        """Shows a picture from a time on."""
        while self._last is not None and self._written < round(seconds * self._rate):
            self._write()
        self._last = np.ascontiguousarray(picture[..., ::-1])

    def close(self) -> None:
        """Writes what is left."""
        if self._last is not None:
            self._write()
        self._file.release()

    def _write(self) -> None:
        self._file.write(self._last)
        self._written += 1


def _opened(source: Source):
    if image.cv2 is None:
        raise ValueError(f"{source.name}: videos and cameras need OpenCV; run `pip install opencv-python-headless`")
    log = image.cv2.utils.logging
    log.setLogLevel(log.LOG_LEVEL_SILENT)  # what goes wrong is said below, in one line
    camera = source.kind == "camera"
    capture = image.cv2.VideoCapture(int(source.place) if camera and source.place.isdigit() else source.place)
    if not capture.isOpened():
        hint = "is it plugged in, and not in use?" if camera else "is it a video, and complete?"
        raise ValueError(f"{source.name}: OpenCV cannot open it; {hint}")
    if camera:
        capture.set(image.cv2.CAP_PROP_BUFFERSIZE, 1)  # what is looked at is now, not a second ago
    return capture


def _rate(capture) -> float:
    found = capture.get(image.cv2.CAP_PROP_FPS)
    return found if math.isfinite(found) and found > 0 else RATE
