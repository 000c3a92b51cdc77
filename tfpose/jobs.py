"""The commands as functions: what each does once its arguments are known; heavy imports stand where they are needed."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfpose import draw, protocol
from tfpose.config import Config
from tfpose.data.source import load_part, locate
from tfpose.evaluate import ANNOTATED, DETECTED, MAIN, WHOLE, Evaluation, load_detections, report
from tfpose.evaluate import evaluate as judge
from tfpose.predictions import fast_warp, predict
from tfpose.skeleton import Skeleton, skeleton
from tfpose.spec import PoseSpec


def evaluate(network: Path, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """{"annotation boxes": figures, "detected boxes": figures} of a network on the validation part.

    Of a network that finds people in whole images {"whole images": figures}.
    """
    predictor = protocol.predictor(network, config.evaluate)
    split = load_part(config.data, annotated(predictor.spec, config), "validation", bodies=outlined(predictor))
    return evaluations(predictor, split, config, detections)


def outlined(predictor) -> bool:
    """Whether a network finds a mask of persons, which is measured by their outlines."""
    return predictor.spec.view == "image" and predictor.has_parts


def annotated(spec: PoseSpec, config: Config) -> Skeleton:
    """The skeleton of the annotations: a network of one person has it too, others are converted to it."""
    return skeleton(config.data.skeleton) if spec.view == "image" else spec.skeleton


def evaluations(predictor, split, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """The same of a predictor on records that are loaded already."""
    annotations, _ = locate(config.data, "validation")
    detections = detections or (config.evaluate.detections and Path(config.evaluate.detections))
    options, body = config.evaluate, annotated(predictor.spec, config)

    def run(boxes: list | None) -> Evaluation:
        nms = protocol.nms(options, detected=boxes is not None)
        common = {"skeleton": body, "metric": options.metric, "nms": nms}
        if outlined(predictor):
            common["parts"] = {"keypoints": options.keypoints, "boxes": options.boxes}
        return judge(predictor, split.records, annotations, detections=boxes, **common)

    found = {DETECTED: run(load_detections(detections, options.box_threshold))} if detections else {}
    return {WHOLE if predictor.spec.view == "image" else ANNOTATED: run(None)} | found


def first(found: dict[str, Evaluation]) -> Evaluation:
    """Of a network's evaluations the one that needs no detector."""
    return next(iter(found.values()))


def export(run: Path, config: Config, output: Path) -> None:
    """Writes and verifies the bundle of a run, printing a table; ValueError names a file that exceeds a limit."""
    import keras

    from tfpose.export import bundle, calibrate, verify
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    spec = method.spec(config.data.padding)
    network = method.build()  # of the size that ships: a network of whole images is trained for any size
    network.set_weights(keras.models.load_model(run / "network.keras", compile=False).get_weights())
    network = method.deployed(network)
    outlines = {"bodies": "mask" in method.labels}
    train, validation = (load_part(config.data, method.skeleton, part, **outlines) for part in ("train", "validation"))
    views = list(calibrate.views(train.records, spec, config.export.calibration_views, config.seed, fast_warp()))
    bundle.write(network, spec, output, config.export.files, views, {"part": "train", "seed": config.seed})
    unseen = calibrate.views(validation.records, spec, verify.BATCH * 2, config.seed, fast_warp())
    exact = replace(config, evaluate=replace(config.evaluate, detections="", ensemble=(), scales=(1.0,)))
    main = MAIN[config.evaluate.metric]

    def figure(path: Path) -> float:
        return first(evaluations(protocol.predictor(path, exact.evaluate), validation, exact)).figures[main]

    verify.verify(output, unseen, figure, drop=config.export.max_ap_drop, show=print)


def check_data(config: Config, part: str, picture: Path) -> str:
    """The table of a part's check; writes the contact sheet."""
    from tfpose.data import check

    body = skeleton(config.data.skeleton)
    split = load_part(replace(config.data, bad_records="skip"), body, part)
    table = check.check(split, body).table()
    try:
        check.contact_sheet(split, body, picture)
    except (ValueError, OSError) as error:
        return f"{table}\nno picture: {error}"
    return f"{table}\npicture: {picture}"


def quickstart(config: Config, folder: Path) -> None:
    """Trains, evaluates, exports, evaluates the int8 file, and predicts on unseen pictures."""
    from tfpose.systems.base import system
    from tfpose.train import loop

    loop.train(config, folder)
    export(folder, config, folder / "bundle")
    float_figures, int8_figures = (
        first(evaluate(folder / "bundle" / name, config)) for name in ("network.keras", "int8.tflite")
    )
    print(report({"network.keras": float_figures, "int8.tflite": int8_figures}))
    annotations, images = locate(config.data, "validation")
    some = sorted(images.iterdir())[:9]
    boxes = annotations if system(config.system, skeleton(config.data.skeleton)).view == "person" else None
    predict(folder / "bundle" / "int8.tflite", some, folder / "predictions", [], boxes, flip=False)
    sheet(folder / "predictions", folder / "people.png")
    print(f"look at {folder / 'people.png'}; what training saw: {folder / 'pictures'}")


def sheet(folder: Path, path: Path) -> None:
    """One picture of all the pictures that `predict` wrote."""
    from PIL import Image

    pictures = [np.asarray(Image.open(f)) for f in sorted((folder / "pictures").glob("*.png"))]
    columns = math.ceil(math.sqrt(len(pictures)))
    Image.fromarray(draw.tile(pictures, columns, pictures[0].shape[:2])).save(path)
