"""The commands as functions: what each does once its arguments are known; heavy imports stand where they are needed."""

import json
import math
from pathlib import Path

import numpy as np

from tfpose import draw, runners
from tfpose import predict as predicting
from tfpose.config import Config
from tfpose.data.source import load_part, locate
from tfpose.evaluate import ANNOTATED, DETECTED, Evaluation, load_detections, report
from tfpose.evaluate import evaluate as judge
from tfpose.geometry import warp as plain_warp
from tfpose.progress import progress
from tfpose.skeleton import skeleton

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def evaluate(network: Path, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """{"annotation boxes": figures, "detected boxes": figures} of a network on the validation part."""
    predictor = load_predictor(network, flip=config.evaluate.flip)
    split = load_part(config.data, predictor.spec.skeleton, "validation")
    return evaluations(predictor, split, config, detections)


def evaluations(predictor, split, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """The same of a predictor on records that are loaded already."""
    annotations, _ = locate(config.data, "validation")
    detections = detections or (config.evaluate.detections and Path(config.evaluate.detections))
    run = lambda boxes: judge(  # noqa: E731 the two calls below differ in their boxes alone
        predictor, split.records, annotations, detections=boxes, metric=config.evaluate.metric
    )
    found = {ANNOTATED: run(None)}
    if detections:
        found[DETECTED] = run(load_detections(detections))
    return found


def load_predictor(network: Path, *, flip: bool = False) -> predicting.Predictor:
    """A predictor for anything that can be run, with the fastest warp that is installed."""
    spec, run = runners.load(network)
    return predicting.Predictor(spec, run, flip=flip, warp=fast_warp())


def fast_warp():
    """OpenCV's warp where it is installed, else NumPy's; they agree to a grey level."""
    try:
        import cv2
    except ImportError:
        return plain_warp
    return lambda image, affine, size: cv2.warpAffine(image, affine.matrix, size[::-1], flags=cv2.INTER_LINEAR)


def predict(network: Path, photos: list[Path], output: Path, boxes: list, boxes_file: Path | None, flip: bool) -> None:
    """Writes poses.json (a COCO annotation file) and a picture beside it for every photo."""
    from PIL import Image

    predictor = load_predictor(network, flip=flip)
    files = photo_files(photos)
    known = boxes_by_name(boxes_file) if boxes_file else {}
    if unknown := [file for file in files if boxes_file and file.name not in known]:
        raise ValueError(f"{boxes_file}: {unknown[0].name} is not one of its {len(known)} images")
    (output / "pictures").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    names = [file.stem for file in files]
    for number, file in enumerate(progress(files, len(files), "predict"), 1):
        image = predicting.read_image(file, upright=not (boxes or known))
        people = predictor(image, np.array(known[file.name] if known else boxes or [[0, 0, *image.shape[1::-1]]]))
        images.append({"id": number, "file_name": file.name, "height": image.shape[0], "width": image.shape[1]})
        annotations += [annotation(r, len(annotations) + i) for i, r in enumerate(people.to_coco(number), 1)]
        picture = draw.draw_poses(image, people, predictor.spec.skeleton)
        name = file.stem if names.count(file.stem) == 1 else f"{number:05d}_{file.stem}"
        Image.fromarray(picture).save(output / "pictures" / f"{name}.png")
    body = {"id": 1, "name": "person", "keypoints": list(predictor.spec.skeleton.keypoints)}
    body["skeleton"] = [[int(a) + 1, int(b) + 1] for a, b in predictor.spec.skeleton.pairs]
    content = {"images": images, "annotations": annotations, "categories": [body]}
    (output / "poses.json").write_text(json.dumps(content))
    print(f"{len(files)} photos, {len(annotations)} people: {output / 'poses.json'}, {output / 'pictures'}")


def annotation(result: dict, identity: int) -> dict:
    """A COCO annotation of a COCO result: scores move to `keypoint_scores`; visible is what counts in the score."""
    points = np.reshape(result["keypoints"], (-1, 3))
    visibility = np.where(points[:, 2] > predicting.COUNTED, 2, 1).tolist()
    keypoints = [n for (x, y), v in zip(points[:, :2].tolist(), visibility) for n in (x, y, v)]
    area = result["bbox"][2] * result["bbox"][3]
    known = {"keypoints": keypoints, "num_keypoints": len(points), "keypoint_scores": points[:, 2].tolist()}
    return {"id": identity, **result, **known, "area": area, "iscrowd": 0}


def photo_files(paths: list[Path]) -> list[Path]:
    """The image files among paths and in folders; ValueError where there is none."""
    files = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        files += sorted(f for f in path.iterdir() if f.suffix.lower() in PHOTOS) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{', '.join(map(str, paths))}: no photos ({', '.join(PHOTOS)}) there")
    return files


def boxes_by_name(path: Path) -> dict[str, list]:
    """{file name: boxes} of a COCO file; ValueError where it has no images, annotations or boxes."""
    from tfpose.data import coco

    content = coco.read(path)
    try:
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        boxes = {name: [] for name in names.values()}
        for person in content["annotations"]:
            boxes[names[person["image_id"]]].append(person["bbox"])
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing; expected images with file names, people with boxes") from error
    return boxes


def export(run: Path, config: Config, output: Path) -> None:
    """Writes and verifies the bundle of a run, printing a table; ValueError names a file that exceeds a limit."""
    import keras

    from tfpose.export import bundle, calibrate, verify
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    spec = method.spec(config.data.padding)
    network = method.deployed(keras.models.load_model(run / "network.keras", compile=False))
    train, validation = (load_part(config.data, method.skeleton, part) for part in ("train", "validation"))
    views = list(calibrate.views(train.records, spec, config.export.calibration_views, config.seed, fast_warp()))
    bundle.write(network, spec, output, config.export.files, views, {"part": "train", "seed": config.seed})
    unseen = calibrate.views(validation.records, spec, verify.BATCH * 2, config.seed, fast_warp())
    main = "AP" if config.evaluate.metric == "oks" else "PCK"

    def figure(path: Path) -> float:
        found = evaluations(load_predictor(path, flip=config.evaluate.flip), validation, config)
        return found[ANNOTATED].figures[main]

    found = verify.measure(output, unseen, figure)
    print(found.table())
    if failures := found.failures(verify.LIMITS, config.export.max_ap_drop):
        raise ValueError(f"{output}: {'; '.join(failures)}; do not ship it")


def totals(config: Config) -> dict:
    """What a configuration's network is, in numbers, computed from the network that it builds."""
    from tfpose.models import count
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    network = method.build()
    trainable, kernel = count.parameters(network)
    return {
        "trainable_parameters": trainable,
        "kernel_parameters": kernel,
        "macs": count.macs(network),
        "input_size": list(method.size),
        "outputs": {name: list(tensor.shape[1:]) for name, tensor in network.output.items()},
    }


def layers(config: Config) -> str:
    """The same as a table of layers."""
    from tfpose.models import count
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    rows = [r for r in count.table(method.build()) if r.parameters or r.macs]
    lines = [f"{'layer':<42}{'kind':<20}{'output':<18}{'parameters':>12}{'MMAC':>10}"]
    for r in rows:
        shape = "x".join(str(s) for s in r.shape if s is not None)
        lines.append(f"{r.name:<42}{r.kind:<20}{shape:<18}{r.parameters:>12,}{r.macs / 1e6:>10.2f}")
    found = totals(config)
    lines.append(f"{found['trainable_parameters']:,} trainable parameters, {found['kernel_parameters']:,} in kernels")
    lines.append(f"{found['macs'] / 1e9:.3f} G multiply-accumulates ({found['macs'] / 2**30:.3f} x 2^30)")
    return "\n".join(lines)


def check_data(config: Config, part: str, picture: Path) -> str:
    """The table of a part's check; writes the contact sheet."""
    import dataclasses

    from tfpose.data import check

    body = skeleton(config.data.skeleton)
    split = load_part(dataclasses.replace(config.data, bad_records="skip"), body, part)
    check.contact_sheet(split, body, picture)
    return f"{check.check(split, body).table()}\npicture: {picture}"


def quickstart(config: Config, folder: Path) -> None:
    """Trains, evaluates, exports, evaluates the int8 file, and predicts on unseen pictures."""
    from tfpose.train import loop

    loop.train(config, folder)
    export(folder, config, folder / "bundle")
    float_figures, int8_figures = (
        evaluate(folder / "bundle" / name, config)[ANNOTATED] for name in ("network.keras", "int8.tflite")
    )
    print(report({"network.keras": float_figures, "int8.tflite": int8_figures}))
    annotations, images = locate(config.data, "validation")
    some = sorted(images.iterdir())[:9]
    predict(folder / "bundle" / "int8.tflite", some, folder / "predictions", [], annotations, flip=False)
    sheet(folder / "predictions", folder / "people.png")
    print(f"look at {folder / 'people.png'}; what training saw: {folder / 'pictures'}")


def sheet(folder: Path, path: Path) -> None:
    """One picture of all the pictures that `predict` wrote."""
    from PIL import Image

    pictures = [np.asarray(Image.open(f)) for f in sorted((folder / "pictures").glob("*.png"))]
    columns = math.ceil(math.sqrt(len(pictures)))
    Image.fromarray(draw.tile(pictures, columns, pictures[0].shape[:2])).save(path)
