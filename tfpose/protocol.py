"""How a network is tested: a configuration's `evaluate` section -> the Predictor and the NMS that are judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfpose import paths, remote, runners
from tfpose.config import Evaluate
from tfpose.metrics.nms import Nms
from tfpose.predict import Predictor
from tfpose.predict_images import ImagePredictor
from tfpose.predict_labels import LabelPredictor
from tfpose.predictions import load_predictor
from tfpose.spec import PoseSpec

OWN_WIDTH = -1
# What there is to choose for networks that look at people in boxes.
OF_BOXES = ("ensemble", "detections", "refine", "blur", "smooth", "score", "keypoint_threshold", "box_threshold", "nms")


def predictor(network: Path, options: Evaluate) -> Predictor | ImagePredictor | LabelPredictor:
    """The Predictor of a network, or of the mean of several, with the flip, the decoder and the scores asked for.

    ValueError names both where a network of `options.ensemble` sees other views or gives other maps than the first.
    """
    if runners.specification(network).view == "labels":
        return labels(network, options)
    first = load_predictor(network, flip=options.flip)
    if first.spec.view == "image":
        return whole(network, first, options)
    if (options.keypoints, options.boxes) != ("own", "own"):
        raise ValueError(f"evaluate.keypoints and .boxes: {network} looks at people in boxes; set both to own")
    if (options.rule, options.assign) != ("own", "own"):
        raise ValueError(f"evaluate.rule and .assign: {network} finds one person in each box; set both to own")
    runs = [first.run]
    for path in (remote.fetched(paths.path(name)) for name in options.ensemble):
        spec, run = runners.load(path)
        _comparable(network, first.spec, path, spec)
        runs.append(run)
    return replace(
        first,
        spec=replace(first.spec, decoder=decoder(first.spec.decoder, options)),
        run=mean(runs) if len(runs) > 1 else first.run,
        score=options.score,
        keypoint_threshold=options.keypoint_threshold,
        scales=options.scales,
    )


def whole(network: Path, first: ImagePredictor, options: Evaluate) -> ImagePredictor:
    """The predictor of a network of whole images; ValueError where the options are those of people in boxes."""
    _inert(options, OF_BOXES, f"{network} finds people in whole images, without boxes")
    for what in ("keypoints", "boxes", "rule", "assign"):
        if (found := getattr(options, what)) != "own" and not first.has_parts:
            raise ValueError(f"evaluate.{what}: {found}, but {network} finds no boxes; set it to own")
    if options.scales != (1.0,) and runners.network_file(network).suffix != ".keras":
        raise ValueError(f"evaluate.scales: {network} has views of one size; take the run's network.keras, or [1.0]")
    changes = ruled(options) | ({"assign": ""} if options.assign == "max" else {})
    return replace(first, scales=options.scales, spec=replace(first.spec, decoder=first.spec.decoder | changes))


def labels(network: Path, options: Evaluate) -> LabelPredictor:
    """The predictor of a network of labels; ValueError where the options are those of networks that see images."""
    _inert(options, (*OF_BOXES, "scales", "keypoints", "boxes", "assign"), f"{network} sees labels alone")
    spec, run = runners.load(network)
    return LabelPredictor(replace(spec, decoder=spec.decoder | ruled(options)), run)


def ruled(options: Evaluate) -> dict:
    """What of a decoder is changed by the rule asked for."""
    return {} if options.rule == "own" else {"rule": options.rule}


def _inert(options: Evaluate, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(options, name) != getattr(Evaluate(), name):
            raise ValueError(f"evaluate.{name}: {why}; leave it out")


def decoder(own: dict, options: Evaluate) -> dict:
    """The decoder that `pose.json` describes, with what the options replace; its blur goes where its DARK goes."""
    changes = {} if options.refine == "own" else {"refine": options.refine}
    if changes and options.refine != "dark":
        changes["blur"] = 0
    widths = {"blur": options.blur, "smooth": options.smooth}
    return own | changes | {name: width for name, width in widths.items() if width != OWN_WIDTH}


def mean(runs: list[Callable]) -> Callable:
    """A run whose heatmaps are the mean of those of `runs`."""

    def run(views: np.ndarray) -> dict[str, np.ndarray]:
        return {"heatmaps": sum(one(views)["heatmaps"] for one in runs) / len(runs)}

    return run


def nms(options: Evaluate, *, detected: bool) -> Nms:
    """The NMS for boxes that were detected, or annotated; "auto" drops nobody who has a box of truth."""
    automatic = "hard" if detected else "none"
    return Nms(automatic if options.nms == "auto" else options.nms, options.nms_threshold)


def _comparable(path: Path, spec: PoseSpec, other_path: Path, other: PoseSpec) -> None:
    for what, value in _shared(spec).items():
        if (found := _shared(other)[what]) != value:
            raise ValueError(
                f"{other_path}: {what} {found}, but {path} has {value}; maps can be averaged of networks that see the "
                "same views and have the same keypoints and cells"
            )


def _shared(spec: PoseSpec) -> dict:
    """What networks must have in common for their maps to be averaged."""
    keypoints = ", ".join(spec.skeleton.keypoints)
    return {"keypoints": keypoints, "size": spec.size, "padding": spec.padding, "stride": spec.decoder["stride"]}
