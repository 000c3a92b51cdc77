"""`tfpose predict`: photos -> poses.json, a COCO file, and a picture of each photo with its skeletons."""

import json
import sys
from pathlib import Path

import numpy as np

from tfpose import draw, runners
from tfpose import predict as predicting
from tfpose.annotations import annotation, category
from tfpose.geometry import warp as plain_warp
from tfpose.poses import Poses
from tfpose.predict_images import ImagePredictor
from tfpose.progress import progress
from tfpose.skeleton import Skeleton

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def load_predictor(network: Path, *, flip: str = "none") -> predicting.Predictor | ImagePredictor:
    """A predictor for anything that can be run, with the fastest warp that is installed."""
    spec, run = runners.load(network)
    if spec.view == "labels":
        raise ValueError(f"{network}: says whose keypoints are whose and finds none; `tfpose evaluate` measures it")
    kind = ImagePredictor if spec.view == "image" else predicting.Predictor
    return kind(spec, run, flip=flip, warp=fast_warp())


def fast_warp():
    """OpenCV's warp where it is installed, else NumPy's; they agree to a grey level."""
    try:
        import cv2
    except ImportError:
        return plain_warp
    return lambda image, affine, size: cv2.warpAffine(image, affine.matrix, size[::-1], flags=cv2.INTER_LINEAR)


def predict(network: Path, photos: list[Path], output: Path, boxes: list, boxes_file: Path | None, flip: bool) -> None:
    """Writes poses.json (a COCO annotation file) and a picture beside it for every photo.

    A photo that cannot be read is a line on stderr, and a ValueError when all the others are done.
    """
    predictor = load_predictor(network, flip="aligned" if flip else "none")
    whole = predictor.spec.view == "image"
    if whole and (boxes or boxes_file):
        raise ValueError(f"{network}: finds people in whole images; leave out --box and --boxes")
    files = photo_files(photos)
    known = boxes_by_name(boxes_file) if boxes_file else {}
    if unknown := [file for file in files if boxes_file and file.name not in known]:
        raise ValueError(f"{boxes_file}: {unknown[0].name} is not one of its {len(known)} images")
    pictures = pictures_of(files, output / "pictures")
    images, annotations, bad = [], [], 0
    for number, file in enumerate(progress(files, len(files), "predict"), 1):
        try:
            image = predicting.read_image(file, upright=boxes_file is None)
        except ValueError as error:
            print(f"skipped: {error}", file=sys.stderr)
            bad += 1
            continue
        around = np.array(known[file.name] if known else boxes or [[0, 0, *image.shape[1::-1]]])
        people = predictor(image) if whole else predictor(image, around)
        images.append({"id": number, "file_name": file.name, "height": image.shape[0], "width": image.shape[1]})
        annotations += [annotation(r, len(annotations) + i) for i, r in enumerate(people.to_coco(number), 1)]
        # A decoder of whole images has chosen already: what it left out has score 0.
        save_picture(image, people, predictor.spec.skeleton, pictures[number - 1], 0.0 if whole else draw.SEEN)
    content = {"images": images, "annotations": annotations, "categories": [category(predictor.spec.skeleton)]}
    (output / "poses.json").write_text(json.dumps(content))
    print(f"{len(images)} photos, {len(annotations)} people: {output / 'poses.json'}, {output / 'pictures'}")
    if bad:
        raise ValueError(f"{bad} of {len(files)} photos could not be read; the others are in {output}")


def pictures_of(files: list[Path], folder: Path) -> list[Path]:
    """A picture's path for each photo, in a folder that is made; photos of the same name get their number."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = [file.stem for file in files]
    unique = [s if stems.count(s) == 1 else f"{number:05d}_{s}" for number, s in enumerate(stems, 1)]
    return [folder / f"{stem}.png" for stem in unique]


def save_picture(image: np.ndarray, people: Poses, body: Skeleton, path: Path, threshold: float) -> None:
    """The photo with its skeletons, keypoints above the threshold, as a file."""
    from PIL import Image

    Image.fromarray(draw.draw_poses(image, people, body, threshold)).save(path)


def photo_files(paths: list[Path]) -> list[Path]:
    """The image files among paths and in folders; ValueError where there is none."""
    files = []
    for path in paths:
        if not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path}: no such file or folder")
        files += sorted(f for f in path.iterdir() if f.suffix.lower() in PHOTOS) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{', '.join(map(str, paths))}: no photos ({', '.join(PHOTOS)}) there")
    return files


def _one_person(entry: dict) -> bool:
    """Whether a COCO annotation is one person to look for: no crowd, and not known to have no keypoints."""
    labelled = entry.get("num_keypoints", 1) if "keypoints" in entry else 1
    return not entry.get("iscrowd") and bool(labelled)


def boxes_by_name(path: Path) -> dict[str, list]:
    """{file name: boxes} of a COCO file; ValueError where it has no images, annotations or boxes."""
    from tfpose.data import coco

    content = coco.read(path)
    try:
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        boxes = {name: [] for name in names.values()}
        for person in filter(_one_person, content["annotations"]):
            boxes[names[person["image_id"]]].append(person["bbox"])
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing; expected images with file names, people with boxes") from error
    return boxes
