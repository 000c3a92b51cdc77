"""Evaluation: the official figures, through the path that ships."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from tfpose import evaluate, geometry
from tfpose.metrics.nms import Nms
from tfpose.metrics.oks import oks
from tfpose.metrics.pck import pck
from tfpose.predict import Predictor
from tfpose.skeleton import COCO17, LSP14
from tfpose.spec import PoseSpec

SIZE = (128, 96)
SPEC = PoseSpec("ppnet", "person", SIZE, COCO17, {"name": "topdown", "stride": 4, "refine": "parabola"})


@dataclass(frozen=True, eq=False)
class Record:
    image_id: int
    path: str
    keypoints: np.ndarray
    boxes: np.ndarray
    annotation_ids: np.ndarray


def records(folder, people=(1, 2, 1, 2)):
    draw = np.random.default_rng(5)
    made = []
    for i, count in enumerate(people):
        Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(folder / f"{i}.png")
        corner = np.array([[20, 30], [170, 40]])[:count, None]
        points = corner + draw.uniform(0, 1, (count, 17, 2)) * (100, 160)
        keypoints = np.concatenate([points, np.full((count, 17, 1), 2.0)], axis=-1)
        boxes = np.concatenate([points.min(1), np.ptp(points, axis=1)], axis=-1)
        ids = 1 + np.arange(count) + sum(len(r.boxes) for r in made)
        made.append(Record(7 + i, str(folder / f"{i}.png"), keypoints, boxes, ids))
    return made


def annotations(records):
    people = [(r.image_id, k, b) for r in records for k, b in zip(r.keypoints, r.boxes)]
    return {
        "images": [{"id": r.image_id} for r in records],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": i, "image_id": image, "category_id": 1, "keypoints": k.reshape(-1).tolist(), "bbox": b.tolist()}
            | {"area": float(b[2] * b[3]), "iscrowd": 0}
            for i, (image, k, b) in enumerate(people, 1)
        ],
    }


def perfect(records):
    """A network that knows the answer: it is asked for the people of `records` in their order."""
    views = [
        geometry.crop(b, SIZE, padding=SPEC.padding).apply(k[:, :2])
        for r in records
        for k, b in zip(r.keypoints, r.boxes.astype(np.float32))
    ]
    queue = iter(geometry.stride(4).apply(np.stack(views)))

    def run(images):
        return {"heatmaps": np.stack([gaussians(next(queue)) for _ in images])}

    return run


def gaussians(cells, grid=(SIZE[0] // 4, SIZE[1] // 4)):
    y, x = np.mgrid[: grid[0], : grid[1], :1][:2]
    return np.exp(-((x - cells[:, 0]) ** 2 + (y - cells[:, 1]) ** 2) / 8).astype(np.float32)


def quiet(items, total, label):  # noqa: ARG001
    return items


def test_a_perfect_network_gets_full_marks_in_both_metrics(tmp_path):
    split = records(tmp_path)
    for metric, figure in (("oks", "AP"), ("pck", "PCK")):
        predictor = Predictor(SPEC, perfect(split), batch=4)
        made = evaluate.evaluate(predictor, split, annotations(split), metric=metric, bar=quiet)
        assert made.figures[figure] > 0.99 and len(made.results) == 6


def test_only_the_images_of_the_split_are_evaluated(tmp_path):
    split = records(tmp_path)
    half = split[:2]
    made = evaluate.evaluate(Predictor(SPEC, perfect(half)), half, annotations(split), bar=quiet)
    assert made.figures["AP"] > 0.99


def test_a_detection_that_misses_a_person_costs_recall(tmp_path):
    split = records(tmp_path)
    boxes = [{"image_id": r.image_id, "category_id": 1, "bbox": r.boxes[0], "score": 0.9} for r in split]
    seen = [Record(r.image_id, r.path, r.keypoints[:1], r.boxes[:1], r.annotation_ids[:1]) for r in split]
    made = evaluate.evaluate(Predictor(SPEC, perfect(seen)), split, annotations(split), detections=boxes, bar=quiet)
    assert made.figures["AR"] == pytest.approx(4 / 6)
    assert made.results[0]["score"] == pytest.approx(0.9, abs=0.05)


def test_who_is_detected_twice_costs_precision_until_nms_drops_or_lowers_the_second(tmp_path):
    split = records(tmp_path, people=(1, 1, 1))
    again = [
        Record(r.image_id, r.path, *(np.repeat(a, 2, 0) for a in (r.keypoints, r.boxes)), r.annotation_ids)
        for r in split
    ]
    scores = [(0.9, 0.8), (0.7, 0.6), (0.5, 0.4)]
    boxes = [
        {"image_id": r.image_id, "category_id": 1, "bbox": r.boxes[0], "score": s}
        for r, t in zip(split, scores)
        for s in t
    ]

    def made(kind):
        network = Predictor(SPEC, perfect(again))
        return evaluate.evaluate(network, split, annotations(split), detections=boxes, nms=Nms(kind, 0.5), bar=quiet)

    assert made("none").figures["AP"] < 0.8 and len(made("none").results) == 6
    assert made("hard").figures["AP"] > 0.99 and len(made("hard").results) == 3
    assert made("soft").figures["AP"] > 0.99 and len(made("soft").results) == 6


def test_results_for_other_images_are_refused(tmp_path):
    split = records(tmp_path)
    result = {"image_id": 1, "category_id": 1, "keypoints": [0] * 51, "score": 1.0}
    for changed in ({}, {"image_id": 7, "category_id": 3}, {"image_id": 7, "keypoints": [0] * 42}):
        with pytest.raises(ValueError, match="image_id"):
            evaluate.coco_ap(annotations(split), [result | changed])
    with pytest.raises(ValueError, match="image_id 99"):
        evaluate.coco_ap(annotations(split), [], image_ids=[7, 99])


def test_nobody_found_is_a_recall_of_zero(tmp_path):
    figures = evaluate.coco_ap(annotations(records(tmp_path)), [])
    assert figures["AP"] == figures["AR"] == 0


def test_another_skeleton_is_judged_by_its_own_sigmas(tmp_path):
    truth = annotations(records(tmp_path))
    for person in truth["annotations"]:
        person["keypoints"] = person["keypoints"][:42]
    results = [
        {"image_id": a["image_id"], "category_id": 1, "score": 1.0, "keypoints": [v + 3 for v in a["keypoints"]]}
        for a in truth["annotations"]
    ]
    strict = evaluate.coco_ap(truth, results, sigmas=[0.01] * LSP14.count)["AP"]
    assert strict < 0.1 and evaluate.coco_ap(truth, results, sigmas=[0.2] * LSP14.count)["AP"] > 0.99


def test_the_published_figures_are_reproduced(real_data):
    folder = real_data / "oracles" / "coco"
    expected = json.loads((folder / "expected.json").read_text())
    results = json.loads((folder / "example_coco_preds.json").read_text())
    figures = evaluate.coco_ap(folder / "example_coco_val.json", results)
    assert set(figures) == set(expected) - {"file"}
    for name, value in figures.items():
        assert value == pytest.approx(expected[name], abs=1e-4), name


def test_our_similarity_is_that_of_pycocotools(tmp_path):
    from pycocotools.cocoeval import COCOeval

    split = records(tmp_path, people=(2,))
    truth = annotations(split)
    truth["annotations"][0]["keypoints"][2::6] = [0] * 9
    found = split[0].keypoints + np.random.default_rng(0).normal(0, 6, (2, 17, 3))
    results = [
        {"image_id": 7, "category_id": 1, "keypoints": k.reshape(-1).tolist(), "score": 1 - i}
        for i, k in enumerate(found)
    ]
    known = evaluate._index(evaluate.content(truth))
    judge = COCOeval(known, known.loadRes(results), "keypoints")
    judge.params.kpt_oks_sigmas = np.array(COCO17.sigmas)
    judge._prepare()
    true = np.array([a["keypoints"] for a in truth["annotations"]]).reshape(2, 17, 3)
    areas = np.array([a["area"] for a in truth["annotations"]])
    assert oks(found, true, areas, COCO17.sigmas) == pytest.approx(judge.computeOks(7, 1), abs=1e-12)


def test_pck_counts_what_lies_within_a_fifth_of_the_torso():
    person = np.zeros((1, LSP14.count, 3))
    person[0, LSP14.index("right_hip")] = (0, 100, 2)
    person[0, LSP14.index("left_shoulder")] = (0, 0, 2)
    person[0, LSP14.index("head_top")] = (0, -50, 1)
    found = person.copy()
    found[0, LSP14.index("head_top"), 0] = 21
    figures = pck([person], [found], LSP14)
    assert figures["PCK"] == pytest.approx(2 / 3) and figures["keypoints"]["head_top"] == 0
    assert pck([person], [found], LSP14, threshold=0.22)["PCK"] == 1
    assert figures["PCK12"] == 1  # the head's top is none of them
    found[0, LSP14.index("right_hip"), 0] = 21
    assert pck([person], [found], LSP14)["PCK12"] == 1 / 2
    assert figures["keypoints"]["left_knee"] is None


def test_pck_skips_a_person_without_a_torso_and_says_so():
    people = np.ones((2, LSP14.count, 3))
    people[0, LSP14.index("left_shoulder")] = (50, 0, 1)
    people[1, LSP14.index("right_hip"), 2] = 0
    figures = pck([people], [people], LSP14)
    assert (figures["persons"], figures["skipped"], figures["PCK"]) == (1, 1, 1.0)


def test_the_report_labels_each_choice_of_boxes():
    figures = dict.fromkeys(evaluate.FIGURES, 0.5)
    made = {label: evaluate.Evaluation(figures, []) for label in (evaluate.ANNOTATED, evaluate.DETECTED)}
    lines = evaluate.report(made).splitlines()
    assert [line.split()[0] for line in lines] == ["AP", "annotation", "detected"]


def test_detections_must_be_boxes_with_scores(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": 1, "bbox": [0, 0, 1, 1]}]))
    with pytest.raises(ValueError, match="category_id"):
        evaluate.load_detections(path)


def test_a_person_without_an_area_is_judged_as_one_whose_area_is_the_box(tmp_path):
    split = records(tmp_path)
    truth = annotations(split)
    truth["annotations"] = [{k: v for k, v in a.items() if k != "area"} for a in truth["annotations"]]
    del truth["categories"]
    made = evaluate.evaluate(Predictor(SPEC, perfect(split)), split, truth, bar=quiet)
    assert made.figures["AP"] > 0.99


def test_a_broken_person_that_the_loader_left_out_is_not_missed(tmp_path):
    split = records(tmp_path)
    truth = annotations(split)
    broken = {"id": 99, "image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "keypoints": [1, 1, 2]}
    made = evaluate.evaluate(
        Predictor(SPEC, perfect(split)), split, truth | {"annotations": [*truth["annotations"], broken]}, bar=quiet
    )
    assert made.figures["AR"] > 0.99
