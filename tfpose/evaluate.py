"""Any Predictor over a split of images -> AP by the COCO protocol, PCK or PCKh: what is measured is what ships."""

import contextlib
import copy
import gzip
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tfpose import evaluate_parts, paths
from tfpose.metrics import crowd
from tfpose.metrics.nms import Nms
from tfpose.metrics.pck import pck
from tfpose.metrics.pckh import pckh
from tfpose.metrics.pckh import table as pckh_table
from tfpose.poses import Poses
from tfpose.predict import Predictor, read_image
from tfpose.predict_images import ImagePredictor
from tfpose.progress import progress
from tfpose.skeleton import COCO17, Skeleton, conversion, converted

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
NEEDED = {"id", "image_id", "category_id", "bbox"}
MAIN = {"oks": "AP", "pck": "PCK", "pckh": "PCKh"}  # the figure that stands for all of a metric
ANNOTATED, DETECTED, WHOLE = "annotation boxes", "detected boxes", "whole images"
EVERYBODY = Nms("none")


@dataclass(frozen=True)
class Evaluation:
    """{figure: value}, 0 to 1, and the COCO results they were computed from."""

    figures: dict
    results: list[dict]


def evaluate(
    predictor: Predictor | ImagePredictor,
    records: list,
    annotations: Path | dict | None = None,
    *,
    skeleton: Skeleton | None = None,
    detections: list[dict] | None = None,
    metric: str = "oks",
    nms: Nms = EVERYBODY,
    parts: dict[str, str] | None = None,
    bar: Callable[..., Iterable] = progress,
) -> Evaluation:
    """Figures of a predictor on records (image_id, path, boxes, keypoints), with their boxes or those detected.

    "oks" needs the COCO annotations (a path or its content) and looks at these images only; "pck" and "pckh" need the
    annotations' boxes, because they must know which person is meant. `detections` are COCO results with box and score;
    `nms` is asked which poses of an image stay. A network of whole images is asked without boxes. `skeleton` is that of
    the annotations, where it is not the network's own: poses are converted to it. Of a network that finds boxes and a
    mask these are measured too; `parts` says whose "keypoints" and "boxes" its poses are made of, "own" or those of the
    "annotations".
    """
    if metric not in MAIN:
        raise ValueError(f"evaluate.metric: no metric {metric!r}; choose from {', '.join(MAIN)}")
    if metric != "oks" and detections is not None:
        raise ValueError(f"evaluate.metric: {metric} needs the boxes of the annotations; take oks for detected boxes")
    if metric != "oks" and nms.kind != "none":
        raise ValueError(f"evaluate.nms: {nms.kind}, but {metric} needs everybody who is asked for; set it to none")
    if predictor.spec.view == "image" and (metric != "oks" or detections is not None):
        raise ValueError(
            f"evaluate: {metric if detections is None else 'detected boxes'} for a network that finds people in whole "
            "images; it is measured by evaluate.metric=oks, without boxes"
        )
    skeleton = skeleton or predictor.spec.skeleton
    truth = content(annotations) if metric == "oks" else {}
    persons = [d for d in detections or () if d["category_id"] == category(truth)]
    boxes = [(r.boxes, None) for r in records] if detections is None else detected(records, persons)
    more = {}
    if predictor.spec.view == "image" and predictor.has_parts:
        pieces = evaluate_parts.find(predictor, records, _images(records, bar), category(truth), **(parts or {}))
        found, more = pieces.poses, _parts(truth, records, pieces)
    else:
        found = [nms(people, predictor.spec) for people in _found(predictor, records, boxes, bar)]
    if skeleton != predictor.spec.skeleton:
        ends = conversion(predictor.spec.skeleton, skeleton)
        found = [replace(people, keypoints=converted(people.keypoints, ends)) for people in found]
    if metric != "oks":
        figures = _shares(metric, records, [p.keypoints for p in found], skeleton)
        return Evaluation(figures, _results(records, found, category=1))
    truth = comparable(truth, records)
    results = _results(records, found, category(truth))
    return Evaluation(coco_ap(truth, results, [r.image_id for r in records], skeleton.sigmas) | more, results)


def _images(records: list, bar: Callable) -> Iterable[np.ndarray]:
    return bar((read_image(r.path) for r in records), len(records), "evaluate")


def _parts(truth: dict, records: list, pieces: evaluate_parts.Found) -> dict:
    ids = [r.image_id for r in records]
    boxes = _ap(comparable(truth, records), pieces.boxes, ids)
    return {"box AP": boxes["AP"], "box AP50": boxes["AP50"], "mask IoU": pieces.overlap.iou}


def _found(predictor, records: list, boxes: list, bar: Callable) -> list[Poses]:
    images = _images(records, bar)
    if predictor.spec.view == "image":
        return predictor.many(images)
    return predictor.many((image, *b) for image, b in zip(images, boxes))


def _shares(metric: str, records: list, found: list[np.ndarray], skeleton: Skeleton) -> dict:
    truth = [r.keypoints for r in records]
    if metric == "pck":
        return pck(truth, found, skeleton)
    return pckh(truth, found, [r.heads for r in records], skeleton)


def comparable(truth: dict, records: list) -> dict:
    """The truth without the labelled people that the records leave out because their annotations are broken."""
    known = {i for r in records for i in r.annotation_ids.tolist()}
    people = [a for a in truth["annotations"] if a["id"] in known or a["iscrowd"] or not a["num_keypoints"]]
    return truth | {"annotations": people}


def report(evaluations: dict[str, Evaluation]) -> str:
    """A table for people: a row per label ("annotation boxes", "detected boxes"), a column per figure, in per cent."""
    width = max(len(label) for label in evaluations)
    lines = []
    for label, evaluation in evaluations.items():
        figures = {name: v for name, v in evaluation.figures.items() if isinstance(v, float)}
        header = " " * width + "".join(f"{name:>{_wide(name)}}" for name in figures)
        lines += [] if header in lines else [header]
        cells = {name: f"{100 * v:.1f}" if v >= 0 else "-" for name, v in figures.items()}
        lines.append(f"{label:<{width}}" + "".join(f"{cell:>{_wide(name)}}" for name, cell in cells.items()))
        if "groups" in evaluation.figures:
            lines += pckh_table(evaluation.figures)
        elif shares := evaluation.figures.get("keypoints"):
            lines += [f"  {name:<16}{100 * v:6.1f}" for name, v in shares.items() if v is not None]
            lines.append(f"  {evaluation.figures['persons']} persons, {evaluation.figures['skipped']} without a torso")
    return "\n".join(lines)


def _wide(name: str) -> int:
    return max(7, len(name) + 2)


def coco_ap(annotations: Path | dict, results: list[dict], image_ids: Iterable[int] | None = None, sigmas=None) -> dict:
    """{"AP", "AP50", ... "ARL"} by pycocotools, of keypoint results against a COCO file (path or content), 0 to 1.

    Only `image_ids` are looked at (default: all); `sigmas` default to COCO's 17. ValueError where results belong to
    other images, categories or skeletons. A figure without any person of its size is -1. Where these images have a
    `crowdIndex`, as CrowdPose's have, its protocol is taken: see `metrics/crowd.py`.
    """
    truth = content(annotations)
    sigmas = np.array(COCO17.sigmas if sigmas is None else sigmas)
    ids = sorted({image["id"] for image in truth["images"]} if image_ids is None else set(image_ids))
    _check(truth, results, set(ids), len(sigmas))

    def ap(truth: dict, ids: list[int]) -> dict:
        return _ap(truth, results, ids, sigmas)

    return crowd.figures(truth, ids, ap) if crowd.indexed(truth, ids) else ap(truth, ids)


def _ap(truth: dict, results: list[dict], ids: list[int], sigmas: np.ndarray | None = None) -> dict:
    """Of keypoints, or without sigmas of boxes: the first figures are the same."""
    judge = judged(truth, results, ids, sigmas)
    with contextlib.redirect_stdout(io.StringIO()):
        judge.accumulate()
        judge.summarize()
    return {name: float(value) for name, value in zip(FIGURES, judge.stats)}


def judged(truth: dict, results: list[dict], ids: list[int], sigmas: np.ndarray | None):
    """pycocotools' COCOeval with every image's matches: of keypoints, or without sigmas of boxes."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        known = _index(truth)
        found = known.loadRes(copy.deepcopy(results)) if results else _index(truth | {"annotations": []})
        judge = COCOeval(known, found, "bbox" if sigmas is None else "keypoints")
        if sigmas is not None:
            judge.params.kpt_oks_sigmas = sigmas
        judge.params.imgIds = ids
        judge.evaluate()
    return judge


def detected(records: list, detections: list[dict]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(boxes (N, 4), scores (N,)) of each record's image out of COCO detections; ValueError where none is of any."""
    by_image = {r.image_id: [] for r in records}
    for detection in detections:
        if detection["image_id"] in by_image:
            by_image[detection["image_id"]].append(detection)
    if records and not any(by_image.values()):
        raise ValueError(f"detections: none of {len(detections)} is on one of the {len(records)} images")
    found = [by_image[r.image_id] for r in records]
    boxes = [np.array([d["bbox"] for d in people], np.float32).reshape(-1, 4) for people in found]
    return [(b, np.array([d["score"] for d in people], np.float32)) for b, people in zip(boxes, found)]


def load_detections(path: Path, threshold: float = 0.0) -> list[dict]:
    """The detections of a COCO json that score at least `threshold`.

    ValueError where it is no list of boxes with scores, and where none of them is left.
    """
    content = _read(path)
    needed = {"image_id", "category_id", "bbox", "score"}
    if not isinstance(content, list) or any(not isinstance(d, dict) or needed - set(d) for d in content):
        raise ValueError(f"{path}: expected a list of detections, each with {', '.join(sorted(needed))}")
    kept = [d for d in content if d["score"] >= threshold]
    if content and not kept:
        raise ValueError(f"{path}: none of {len(content)} detections scores {threshold}; lower evaluate.box_threshold")
    return kept


def _results(records: list, found: list, category: int) -> list[dict]:
    return [result for r, people in zip(records, found) for result in people.to_coco(r.image_id, category)]


def content(annotations: Path | dict | None) -> dict:
    """A copy of a COCO file that pycocotools can live with: every person has `num_keypoints`."""
    if annotations is None:
        raise ValueError("evaluate: the metric oks needs a COCO annotation file")
    content = annotations if isinstance(annotations, dict) else _read(annotations)
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise ValueError(f"{annotations}: expected a COCO file; for other forms take evaluate.metric=pck")
    people = [_complete(a) for a in content["annotations"] if isinstance(a, dict) and set(a) >= NEEDED]
    return {"categories": [{"id": 1, "name": "person"}]} | content | {"annotations": people}


def _complete(person: dict) -> dict:
    """A person with all that pycocotools reads; the loader takes files that leave out what follows from the rest."""
    labelled = sum(v > 0 for v in (person.get("keypoints") or [])[2::3])
    area = person["bbox"][2] * person["bbox"][3]
    return {"iscrowd": 0, "num_keypoints": labelled, "keypoints": [], "area": area} | person


def _read(path: Path):
    path = paths.path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def category(truth: dict) -> int:
    """The id of the category that has keypoints: the persons."""
    ids = [c["id"] for c in truth.get("categories", []) if "keypoints" in c or c.get("name") == "person"]
    return ids[0] if ids else 1


def _check(truth: dict, results: list[dict], image_ids: set[int], count: int) -> None:
    known = {image["id"] for image in truth["images"]}
    categories = {c["id"] for c in truth["categories"]}
    if missing := sorted(image_ids - known):
        raise ValueError(f"evaluate: {len(missing)} images are not in the annotation file, image_id {missing[0]} first")
    for result in results:
        where = f"evaluate: a result for image_id {result['image_id']}"
        if result["image_id"] not in image_ids:
            raise ValueError(
                f"{where}, which is not one of the {len(image_ids)} images evaluated; are the files a pair?"
            )
        if result["category_id"] not in categories:
            raise ValueError(
                f"{where} has category_id {result['category_id']}; the annotations have {sorted(categories)}"
            )
        if len(result["keypoints"]) != 3 * count:
            raise ValueError(f"{where} has {len(result['keypoints'])} numbers; {count} keypoints need {3 * count}")


def _index(content: dict):
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = content
    coco.createIndex()
    return coco
