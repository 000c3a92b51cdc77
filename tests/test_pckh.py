"""PCKh: MPII's figure, as its own code computes it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tfpose import evaluate
from tfpose.data.coco import Record
from tfpose.metrics.pckh import pckh
from tfpose.poses import Poses
from tfpose.skeleton import COCO17, CROWDPOSE14, MPII16

HEAD = (100.0, 50.0, 30.0, 40.0)  # a diagonal of 50: the head's size is 30


def person(body=MPII16):
    """One person whose keypoints are all visible: (1, K, 3)."""
    points = np.random.default_rng(2).uniform(0, 400, (1, body.count, 2))
    return np.concatenate([points, np.full((1, body.count, 1), 2.0)], axis=-1)


def moved(true, name, by, body=MPII16):
    found = true.copy()
    found[:, body.index(name), 0] += by
    return found


def oracle(folder):
    """Truth, predictions and head boxes of MPII's validation set, and the shares by keypoint and mean expected."""
    files = folder / "oracles" / "mpii"
    if not files.is_dir():
        pytest.skip(f"MPII's predictions are not at hand: no folder {files}")
    arrays = np.load(files / "mpii_val_predictions.npz")
    visible = arrays["visible"][..., None]
    truth, found = (np.concatenate([arrays[name], visible], -1, dtype=float) for name in ("truth", "predicted"))
    corners = arrays["head_boxes"].astype(float)
    boxes = np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)
    return truth, found, tuple(map(tuple, boxes)), json.loads((files / "expected.json").read_text())


def test_the_published_figures_are_reproduced(real_data):
    truth, found, heads, expected = oracle(real_data)
    figures = pckh([truth], [found], [heads], MPII16)
    assert 100 * figures["PCKh"] == pytest.approx(expected["mean_excluding_pelvis_thorax"], abs=1e-3)
    joints = [value for name, value in expected["PCKh@0.5"].items() if name not in ("pelv", "thor")]
    shares = [share for name, share in figures["keypoints"].items() if name not in ("pelvis", "thorax")]
    assert [100 * share for share in shares] == pytest.approx(joints, abs=1e-3)
    assert figures["heads"] == {"box": 2958, "segment": 0, "unknown": 0}


def test_the_way_from_neck_to_head_top_stands_in_for_the_head_boxes_of_mpii(real_data):
    truth, found, heads, _ = oracle(real_data)
    both = (truth[:, [MPII16.index("upper_neck"), MPII16.index("head_top")], 2] > 0).all(axis=1)
    boxes, segments = (
        pckh([truth[both]], [found[both]], [known], MPII16)
        for known in (tuple(h for h, b in zip(heads, both) if b), ())
    )
    assert segments["heads"]["segment"] == both.sum()
    assert segments["PCKh"] == pytest.approx(boxes["PCKh"], abs=5e-4)


def test_the_figures_do_not_change_with_the_order_and_the_images_of_the_people(real_data):
    truth, found, heads, _ = oracle(real_data)
    order = np.random.default_rng(0).permutation(len(truth))
    parts = np.array_split(order, 50)
    split = pckh(
        [truth[p] for p in parts], [found[p] for p in parts], [tuple(heads[i] for i in p) for p in parts], MPII16
    )
    assert split == pckh([truth], [found], [heads], MPII16)


def test_the_limit_is_half_a_head_and_counts():
    true = np.round(person())
    for by, share in ((15.0, 1.0), (15.001, 0.0)):
        figures = pckh([true], [moved(true, "left_knee", by)], [(HEAD,)], MPII16)
        assert figures["keypoints"]["left_knee"] == share
        assert figures["groups"]["Knee"] == (share + 1) / 2


def test_the_figure_at_a_tenth_takes_a_tenth_of_a_head():
    true = np.round(person())
    names = [name for name in MPII16.keypoints if name not in ("pelvis", "thorax")]
    assert pckh([true], [moved(true, names[0], 3.0)], [(HEAD,)], MPII16)["PCKh@0.1"] == 1
    assert pckh([true], [moved(true, names[0], 3.1)], [(HEAD,)], MPII16)["PCKh@0.1"] == pytest.approx(13 / 14)


def test_the_area_is_the_share_of_thresholds_that_reach_the_distance():
    true = np.round(person())
    found = true.copy()
    found[..., 0] += 6.0  # a fifth of a head: right from 0.2 on, half of the trapezoid before it
    assert pckh([true], [found], [(HEAD,)], MPII16)["AUC"] == pytest.approx((0.5 - 0.195) / 0.5)


def test_pelvis_and_thorax_have_a_share_but_no_part_in_the_mean():
    true = person()
    figures = pckh([true], [moved(moved(true, "pelvis", 99), "thorax", 99)], [(HEAD,)], MPII16)
    assert figures["PCKh"] == 1 and figures["keypoints"]["pelvis"] == 0


def test_what_is_not_labelled_is_not_counted():
    true = person()
    true[0, MPII16.index("left_ankle"), 2] = 0
    figures = pckh([true], [moved(true, "left_ankle", 99)], [(HEAD,)], MPII16)
    assert figures["PCKh"] == 1 and figures["keypoints"]["left_ankle"] is None and figures["groups"]["Ankle"] == 1


def test_a_person_without_a_head_is_left_out_and_counted():
    lost = person()
    lost[0, MPII16.index("head_top"), 2] = 0
    people = np.concatenate([person(), lost, person()])
    figures = pckh([people], [people], [(HEAD, None, None)], MPII16)
    assert figures["heads"] == {"box": 1, "segment": 1, "unknown": 1} and figures["persons"] == 2
    assert "1 from its box, 1 from neck to head top, 1 left out" in "\n".join(lines(figures))


def test_other_skeletons_are_judged_as_far_as_their_names_go():
    true = person(CROWDPOSE14)
    figures = pckh([true], [true], [()], CROWDPOSE14)
    assert set(figures["groups"].values()) == {1.0}
    with pytest.raises(ValueError, match=r"none of 1 persons has a head box.*coco17.*data\.validation\.heads"):
        pckh([person(COCO17)], [person(COCO17)], [()], COCO17)


class Knowing:
    """A predictor that finds the people of the records, two pixels to the right."""

    spec = SimpleNamespace(skeleton=MPII16, view="box")

    def __init__(self, records):
        self.records = records

    def many(self, items):  # noqa: ARG002
        return [Poses(r.keypoints + [2.0, 0, 0], np.ones(len(r.boxes)), r.boxes) for r in self.records]


def test_the_evaluation_takes_the_heads_of_the_records_and_the_boxes_of_the_annotations():
    whole = np.concatenate([person(), person()])
    none = np.zeros(2)
    records = [Record(1, "", 9, 9, whole, np.ones((2, 4)), none, none, heads=((0, 0, 3, 4), (0, 0, 6, 8)))]
    made = evaluate.evaluate(Knowing(records), records, metric="pckh")
    assert made.figures["PCKh"] == 0.5 and made.figures["heads"]["box"] == 2 and len(made.results) == 2
    with pytest.raises(ValueError, match="pckh needs the boxes of the annotations"):
        evaluate.evaluate(Knowing(records), records, detections=[], metric="pckh")


def lines(figures):
    return evaluate.report({evaluate.ANNOTATED: evaluate.Evaluation(figures, [])}).splitlines()


def test_the_report_has_the_columns_of_the_published_tables():
    figures = pckh([person()], [person()], [(HEAD,)], MPII16)
    rows = [line.split() for line in lines(figures)]
    assert rows[0] == ["PCKh", "PCKh@0.1", "AUC"] and rows[1][-3:] == ["100.0"] * 3
    assert rows[2] == ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1"]
    assert len(rows[3]) == len(rows[2]) and len({len(line) for line in lines(figures)[2:4]}) == 1
