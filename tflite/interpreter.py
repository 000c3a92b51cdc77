"""A bundle at the edge: which of its .tflite files runs, and how, behind the predictor that all use."""

from pathlib import Path

from tflite import image
from tflite.decoded import Decoded
from tfpose import spec as specs
from tfpose.litert import LiteRT
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor

SPEC = "pose.json"
# What is asked for by nobody's name: the smallest and fastest.
PREFERRED = ("int8.tflite", "float16.tflite", "float32.tflite")


def predictor(
    bundle: Path | str,
    kind: str = "",
    threads: int = 1,
    *,
    flip: bool = False,
    delegate: Path | str = "",
    xnnpack: bool = True,
) -> Predictor | ImagePredictor | Decoded:
    """The predictor of a bundle's file, int8 where none is named: RGB image -> Poses in image pixels.

    It takes the people's boxes too, where the network sees one person at a time. A file that decodes itself finds the
    same people without NumPy's decoder. `delegate` and `xnnpack` are those of `LiteRT`. ValueError where the folder is
    no bundle, has no such file, LiteRT is missing, or a file that decodes itself is to be flipped.
    """
    path = choose(bundle, kind)
    spec, mirrored = specs.load(path.parent / SPEC), "aligned" if flip else "none"
    run = LiteRT(path, threads, delegate=delegate, xnnpack=xnnpack)
    if "keypoints" in run.outputs:
        if flip:
            raise ValueError(
                f"{path}: gives keypoints, which cannot be averaged with mirrored ones; leave out the flip"
            )
        return Decoded(spec, run, image.warp)
    views = ImagePredictor if spec.view == "image" else Predictor
    return views(spec, run, flip=mirrored, warp=image.warp)


def choose(bundle: Path | str, kind: str = "") -> Path:
    """The .tflite file that is meant: of a kind ("int8"), of a name ("int8.tflite"), or the first of `PREFERRED`.

    A bundle is a folder, or one of its files.
    """
    path = Path(bundle)
    if path.suffix == ".tflite" and path.is_file():
        path, kind = path.parent, kind or path.name
    there = files(path)
    names = [file.name for file in there]
    if not kind:
        return there[0]
    for name in (kind, f"{kind}.tflite"):
        if name in names:
            return there[names.index(name)]
    raise ValueError(f"{path}: no file {kind!r}; it has {', '.join(names)}")


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
