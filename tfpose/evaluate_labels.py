"""A network that says whose keypoint is whose, over a split: the AP of the annotations' boxes and keypoints.

MultiPoseNet's Table 3: everybody's box is given, and all keypoints of the image, in any order and of nobody. What is
lost of an AP of 100 is lost by giving keypoints to the wrong person.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfpose import evaluate
from tfpose.decode import assign
from tfpose.evaluate import Evaluation
from tfpose.predict_labels import LabelPredictor
from tfpose.progress import progress


def find(
    predictor: LabelPredictor,
    records: list,
    annotations: Path | dict,
    bar: Callable[..., Iterable] = progress,
) -> dict[str, Evaluation]:
    """{rule: figures} of the records (image_id, boxes, keypoints) by every rule, the predictor's own first."""
    rules = (predictor.decode.rule, *(rule for rule in assign.RULES if rule != predictor.decode.rule))
    truth = evaluate.comparable(evaluate.content(annotations), records)
    category, results = evaluate.category(truth), {rule: [] for rule in rules}
    for record in bar(records, len(records), "evaluate"):
        for rule, people in predictor.by_rules(*shuffled(record), rules).items():
            results[rule] += people.to_coco(record.image_id, category)
    ids, sigmas = [r.image_id for r in records], predictor.spec.skeleton.sigmas
    return {rule: Evaluation(evaluate.coco_ap(truth, found, ids, sigmas), found) for rule, found in results.items()}


def shuffled(record) -> tuple[np.ndarray, np.ndarray]:
    """A record's keypoints as candidates (N, 4), all of score 1, and boxes (P, 4): both in an order of their own."""
    draw = np.random.default_rng(record.image_id)
    person, kind = np.nonzero(record.keypoints[..., 2] > 0)
    candidates = np.column_stack([kind, record.keypoints[person, kind, :2], np.ones(len(kind))])
    return draw.permutation(candidates), draw.permutation(record.boxes)
