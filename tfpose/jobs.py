"""The commands as functions: what each does once its arguments are known; heavy imports stand where they are needed."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfpose import draw, evaluate_labels, kept, paths, protocol
from tfpose.config import Config
from tfpose.data.source import load_part, locate
from tfpose.evaluate import ANNOTATED, DETECTED, MAIN, WHOLE, Evaluation, load_detections, report
from tfpose.evaluate import evaluate as judge
from tfpose.predict_labels import LabelPredictor
from tfpose.predictions import fast_warp, predict
from tfpose.skeleton import Skeleton, skeleton
from tfpose.spec import PoseSpec


def evaluate(network: Path, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """{"annotation boxes": figures, "detected boxes": figures} of a network on the validation part.

    Of a network that finds people in whole images {"whole images": figures}, and of one that sees labels alone
    {rule: figures}. They are kept in the folder of a run that was named by it, and shown in its report.
    """
    predictor = protocol.predictor(network, config.evaluate)
    what = {"bodies": outlined(predictor), "photos": predictor.spec.view != "labels"}
    body = annotated(predictor.spec, config)
    split = load_part(config.data, body, "validation", **what)
    found = evaluations(predictor, split, config, detections)
    if kept.belongs(network):
        try:
            kept.keep(network, config, found, split.records, body)
        except OSError as error:  # somebody else's run may be evaluated too
            print(f"not kept in the run's report: {error}", file=sys.stderr)
    return found


def outlined(predictor) -> bool:
    """Whether a network finds a mask of persons, which is measured by their outlines."""
    return predictor.spec.view == "image" and predictor.has_parts


def annotated(spec: PoseSpec, config: Config) -> Skeleton:
    """The skeleton of the annotations: a network of one person has it too, others are converted to it."""
    return skeleton(config.data.skeleton) if spec.view == "image" else spec.skeleton


def evaluations(predictor, split, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """The same of a predictor on records that are loaded already."""
    annotations, _ = locate(config.data, "validation")
    if predictor.spec.view == "labels":
        return evaluate_labels.find(predictor, split.records, annotations)
    detections = detections or (config.evaluate.detections and paths.path(config.evaluate.detections))
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


def export(run: Path, config: Config, output: Path, *, layers: bool = False) -> None:
    """Writes the bundle of a run, its report and its card, printing the table; ValueError names a file over a limit.

    `layers` writes what each layer costs in 8 bits, too.
    """
    import keras

    from tfpose.export import bundle, calibrate, cost, decoded, photo, verify
    from tfpose.export import layers as by_layer
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    if method.view == "labels":
        export_labels(run, config, output, method)
        return
    spec = method.spec(config.data.padding).beside(run)
    network = method.build()  # of the size that ships: a network of whole images is trained for any size
    network.set_weights(keras.models.load_model(run / "network.keras", compile=False).get_weights())
    network = method.deployed(network)
    outlines = {"bodies": "mask" in method.labels}
    train, validation = (load_part(config.data, method.skeleton, part, **outlines) for part in ("train", "validation"))
    options = config.export
    views = list(calibrate.views(train.records, spec, options.calibration_views, config.seed, fast_warp()))
    kinds, decoding = decoded.split(options.files)
    how = {"percentile": options.share, "keep_float": options.keep_float}
    bundle.write(network, spec, output, kinds, views, {"part": "train", "seed": config.seed}, **how)
    for kind in decoding:
        decoded.add(output, kind)
        if options.photo:
            photo.add(output, kind, options.photo)
    if layers:
        by_layer.write(by_layer.measure(network, views, options.share), output)
    unseen = calibrate.views(validation.records, spec, verify.BATCH * 2, config.seed, fast_warp())
    costs = {"drop": options.max_ap_drop, "cost": cost.measure}
    verify.verify(output, unseen, scorer(config, validation), show=reporter(config, output), **costs)


def scorer(config: Config, split) -> Callable[[Path], float]:
    """What gives a file's figure on records, AP, PCK or PCKh, 0 to 1, by one network at one scale."""
    exact = replace(config, evaluate=replace(config.evaluate, detections="", ensemble=(), scales=(1.0,)))
    main = MAIN[config.evaluate.metric]

    def figure(path: Path) -> float:
        return first(evaluations(protocol.predictor(path, exact.evaluate), split, exact)).figures[main]

    return figure


def reporter(config: Config, folder: Path) -> Callable:
    """What prints a bundle's report and writes it into the folder, with the card."""
    from tfpose import spec as specs
    from tfpose.export import bundle, card
    from tfpose.export import report as reports

    metric, drawn = MAIN[config.evaluate.metric], config.data.format == "synthetic"
    parts = [locate(config.data, part) for part in ("train", "validation")]
    names = [f"drawn people ({images})" if drawn else f"{file} (photos: {images})" for file, images in parts]
    origin = card.Origin(*names, metric, drawn)

    def show(report) -> None:
        print(report.table())
        reports.write(report, folder, metric)
        card.write(specs.load(folder / bundle.SPEC), origin, report, folder)

    return show


def export_labels(run: Path, config: Config, output: Path, method) -> None:
    """The same of a network that sees labels alone."""
    import keras

    from tfpose.export import labels

    network = method.deployed(keras.models.load_model(run / "network.keras", compile=False))
    labels.write(network, method.spec(config.data.padding), method.layout(), output, config.export.files)
    records = load_part(config.data, method.skeleton, "validation", photos=False).records
    own = LabelPredictor(method.spec(config.data.padding), run=dict).decode
    some = [r for r in records if len(r.boxes)][: config.export.calibration_views]
    seen = [own.inputs(*evaluate_labels.shuffled(r)) for r in some]
    annotations, _ = locate(config.data, "validation")

    def figure(path: Path) -> float:
        predictor = protocol.predictor(path, config.evaluate)
        return first(evaluate_labels.find(predictor, records, annotations)).figures["AP"]

    labels.check(output, seen, figure, drop=config.export.max_ap_drop, show=print)


def check_data(config: Config, part: str, picture: Path) -> str:
    """The table of a part's check; writes the contact sheet."""
    from tfpose.data import check

    body = skeleton(config.data.skeleton)
    split = load_part(replace(config.data, bad_records="skip"), body, part)
    if config.data.format == "shards":
        from tfpose.data import shards

        split = replace(split, problems=(*split.problems, *shards.damaged(config.data.folder, part)))
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
