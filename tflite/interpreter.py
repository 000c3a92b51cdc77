"""A bundle at the edge: which of its .tflite files runs, on how many threads, behind the Predictor that all use."""

from pathlib import Path

from tflite import image
from tfpose import spec as specs
from tfpose.litert import LiteRT
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor

SPEC = "pose.json"
# What is asked for by nobody's name: the smallest and fastest.
PREFERRED = ("int8.tflite", "float16.tflite", "float32.tflite")


def predictor(
    bundle: Path | str, file: str = "", threads: int = 1, *, flip: bool = False
) -> Predictor | ImagePredictor:
    """The predictor of a bundle's file, int8 where none is named: RGB image -> Poses in image pixels.

    It takes the people's boxes too, where the network sees one person at a time. ValueError where the folder is no
    bundle, has no such file, or LiteRT is missing.
    """
    path = choose(bundle, file)
    spec, mirrored = specs.load(path.parent / SPEC), "aligned" if flip else "none"
    kind = ImagePredictor if spec.view == "image" else Predictor
    return kind(spec, LiteRT(path, threads), flip=mirrored, warp=image.warp)


def choose(bundle: Path | str, file: str = "") -> Path:
    """The .tflite file of a bundle folder that is meant: the one named, or the first of int8, float16, float32."""
    there = files(bundle)
    names = [path.name for path in there]
    if file and file not in names:
        raise ValueError(f"{bundle}: no file {file!r}; it has {', '.join(names)}")
    return there[names.index(file)] if file else there[0]


def files(bundle: Path | str) -> list[Path]:
    """All .tflite files of a bundle, preferred ones first; ValueError where there are none or no pose.json."""
    folder = Path(bundle)
    if not (folder / SPEC).is_file():
        raise ValueError(f"{folder}: found no {SPEC}, expected a bundle folder; write one with `tfpose export`")
    found = sorted(folder.glob("*.tflite"), key=lambda path: _place(path.name))
    if not found:
        raise ValueError(f"{folder}: found no .tflite file; export it with int8, float16 or float32")
    return found


def _place(name: str) -> tuple[int, str]:
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), name
