"""The commands as functions: what each does once its arguments are known; heavy imports stand where they are needed."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfpose import draw
from tfpose.config import Config
from tfpose.data.source import load_part, locate
from tfpose.evaluate import ANNOTATED, DETECTED, Evaluation, load_detections, report
from tfpose.evaluate import evaluate as judge
from tfpose.predictions import fast_warp, load_predictor, predict
from tfpose.skeleton import skeleton


def evaluate(network: Path, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """{"annotation boxes": figures, "detected boxes": figures} of a network on the validation part."""
    predictor = load_predictor(network, flip=config.evaluate.flip)
    split = load_part(config.data, predictor.spec.skeleton, "validation")
    return evaluations(predictor, split, config, detections)


def evaluations(predictor, split, config: Config, detections: Path | None = None) -> dict[str, Evaluation]:
    """The same of a predictor on records that are loaded already."""
    annotations, _ = locate(config.data, "validation")
    detections = detections or (config.evaluate.detections and Path(config.evaluate.detections))

    def run(boxes: list | None) -> Evaluation:
        return judge(predictor, split.records, annotations, detections=boxes, metric=config.evaluate.metric)

    return {ANNOTATED: run(None)} | ({DETECTED: run(load_detections(detections))} if detections else {})


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
    exact = replace(config, evaluate=replace(config.evaluate, detections=""))
    main = "AP" if config.evaluate.metric == "oks" else "PCK"

    def figure(path: Path) -> float:
        return evaluations(load_predictor(path, flip=config.evaluate.flip), validation, exact)[ANNOTATED].figures[main]

    verify.verify(output, unseen, figure, drop=config.export.max_ap_drop, show=print)


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
