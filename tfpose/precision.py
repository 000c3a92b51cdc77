"""Precision and recall of the people found, by the score from which on they count, as COCO's protocol matches them."""

from dataclasses import dataclass

import numpy as np

from tfpose import evaluate

SIMILAR = (0.5, 0.75)  # the OKS from which on somebody is found
LEVELS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Curve:
    """For each score of `LEVELS` how many found people with that score are `right` and how many `wrong`, of `people`.

    `right` and `wrong` (101,) never rise.
    """

    people: int
    right: np.ndarray
    wrong: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Right ones of those found (101,); 1 where nobody is."""
        found = self.right + self.wrong
        return np.where(found > 0, self.right / np.maximum(found, 1), 1.0)

    @property
    def recall(self) -> np.ndarray:
        """Right ones of all people (101,)."""
        return self.right / max(self.people, 1)

    def shown(self) -> dict[str, list[float]]:
        """Both, from few people to all, for levels at which somebody is found."""
        there = np.flatnonzero(self.right + self.wrong)[::-1]
        return {"recall": self.recall[there].tolist(), "precision": self.precision[there].tolist()}


def curves(truth: dict, results: list[dict], image_ids: list[int], sigmas) -> dict[float, Curve]:
    """{OKS: curve} of keypoint results against the content of a COCO file; nobody who is to be ignored counts."""
    judge = evaluate.judged(truth, results, sorted(image_ids), np.array(sigmas))
    every = judge.params.areaRng[0]
    images = [image for image in judge.evalImgs if image and image["aRng"] == every]
    people = sum(int((np.asarray(image["gtIgnore"]) == 0).sum()) for image in images)
    levels = [int(np.argmin(abs(judge.params.iouThrs - similar))) for similar in SIMILAR]
    return {similar: _curve(images, level, people) for similar, level in zip(SIMILAR, levels)}


def _curve(images: list[dict], level: int, people: int) -> Curve:
    scores = np.concatenate([np.zeros(0), *(image["dtScores"] for image in images)])
    hit, ignored = (
        np.concatenate([np.zeros(0, bool), *(np.asarray(image[name][level], bool) for image in images)])
        for name in ("dtMatches", "dtIgnore")
    )
    above = scores >= LEVELS[:, None]
    return Curve(people, (above & hit & ~ignored).sum(axis=1), (above & ~hit & ~ignored).sum(axis=1))
