"""python -m tflite.predict: people on photos, printed and drawn, with nothing but NumPy, Pillow and LiteRT."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tflite import image, interpreter
from tfpose.draw import SEEN, draw_poses
from tfpose.poses import Poses
from tfpose.progress import progress
from tfpose.skeleton import Skeleton

TEACHES = """\
Each box is one person; without boxes the whole photo is taken as one person. A network of whole photos finds everybody
by itself. Coordinates are pixels of the photo,
x to the right and y down; a score near 0 means that the keypoint was not seen.

  python -m tflite.predict bundle photo.jpg
  python -m tflite.predict bundle photo.jpg --boxes 40,30,120,300 210,25,110,310
  python -m tflite.predict bundle photos/ --json --output drawn > people.json
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 after an error that is printed in one line; 2 for wrong usage is argparse's."""
    options = _parser().parse_args(arguments)
    try:
        predict(options)
    except (ValueError, OSError) as error:
        print(f"tflite.predict: {error}", file=sys.stderr)
        return 1
    return 0


def predict(options: argparse.Namespace) -> None:
    """Prints the people on every photo and writes a picture of each."""
    find = interpreter.predictor(options.bundle, options.file, options.threads, flip=options.flip)
    whole = find.spec.view == "image"
    if whole and options.boxes:
        raise ValueError(f"{options.bundle}: finds people in whole photos; leave out --boxes")
    threshold = options.threshold if options.threshold is not None else 0.0 if whole else SEEN
    paths = image.photos(options.photos)
    options.output.mkdir(parents=True, exist_ok=True)
    people = []
    for number, path in enumerate(progress(paths, len(paths), "predict")):
        photo = image.read(path)
        poses = find(photo) if whole else find(photo, options.boxes)
        people.append({"photo": str(path), "people": poses.to_coco(number)})
        if not options.json:
            print(table(path, poses, find.spec.skeleton))
        drawn = draw_poses(photo, poses, find.spec.skeleton, threshold, boxes=options.boxes is not None)
        # Photos of several folders may share a name.
        name = path.stem if sum(p.stem == path.stem for p in paths) == 1 else f"{path.stem}-{number}"
        Image.fromarray(drawn).save(options.output / f"{name}.png")
    if options.json:
        print(json.dumps(people, indent=1))


def table(path: Path, poses: Poses, skeleton: Skeleton) -> str:
    """A line for each person and one for each of its keypoints: name, x, y, score."""
    lines = []
    for number, (keypoints, score) in enumerate(zip(poses.keypoints, poses.scores), 1):
        lines.append(f"{path}: person {number} of {len(poses)}, score {score:.2f}")
        lines += [f"  {name:<16}{x:9.1f}{y:9.1f}{v:7.2f}" for name, (x, y, v) in zip(skeleton.keypoints, keypoints)]
    return "\n".join(lines)


def box(text: str) -> list[float]:
    """Four numbers out of "x,y,w,h"."""
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise argparse.ArgumentTypeError(f"{text!r}: expected x,y,w,h in pixels")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tflite.predict",
        description="Finds people's keypoints on photos with the .tflite file of a bundle, and draws them.",
        epilog=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder that `tfpose export` wrote: pose.json and .tflite files")
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="photo, or folder of photos")
    parser.add_argument("--boxes", type=box, nargs="+", metavar="x,y,w,h", help="people's boxes, on every photo")
    parser.add_argument("--file", default="", help="file of the bundle (default: int8.tflite, or what there is)")
    parser.add_argument("--threads", type=int, default=1, help="threads of LiteRT (default: 1)")
    parser.add_argument("--flip", action="store_true", help="look at each person mirrored too: surer, twice the time")
    parser.add_argument("--threshold", type=float, help="least score of a keypoint drawn (0.3; of whole photos: all)")
    parser.add_argument("--output", type=Path, default=Path("predictions"), help="folder for pictures (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print COCO results instead of tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())
