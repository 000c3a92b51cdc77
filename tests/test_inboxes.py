"""People from boxes and heatmaps: each box its own keypoints, wherever the view, however the boxes are ordered."""

import numpy as np
import pytest

from benchmarks.ideal import drawn
from tfpose.anchors import anchors
from tfpose.decode import decoder
from tfpose.decode.inboxes import InBoxes
from tfpose.skeleton import COCO17

STRIDE, GRID = 4, (64, 96)
SIZE = (STRIDE * GRID[0], STRIDE * GRID[1])
DECODER = InBoxes(COCO17, STRIDE)
X = (22, 26, 18, 31, 13, 34, 10, 40, 4, 42, 2, 30, 14, 32, 12, 33, 11)
Y = (10, 6, 6, 8, 8, 22, 22, 36, 36, 50, 50, 48, 48, 66, 66, 84, 84)


def people(*places) -> np.ndarray:
    points = np.stack([X, Y], axis=-1) * [1.5, 1.8] + np.array(places, float)[:, None]
    return np.insert(points, 2, 2, axis=-1)


def outputs(keypoints: np.ndarray) -> tuple:
    """The heatmaps, codes and logits of a perfect network."""
    heatmaps, _ = drawn(keypoints, COCO17.pairs, GRID, stride=STRIDE)
    among = anchors(SIZE)
    codes, logits = np.zeros((len(among), 4), np.float32), np.full((len(among), 1), -20, np.float32)
    for box in boxes(keypoints):
        nearest = np.abs(among - box).sum(axis=1).argmin()
        unit = 0.2 * np.tile(among[nearest, 2:], 2)
        corners = np.concatenate([box[:2], box[:2] + box[2:]])
        codes[nearest] = (
            corners - np.concatenate([among[nearest, :2], among[nearest, :2] + among[nearest, 2:]])
        ) / unit
        logits[nearest] = 4
    return heatmaps, codes, logits


def boxes(keypoints: np.ndarray) -> np.ndarray:
    low, high = keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)
    return np.concatenate([low - 4, high - low + 8], axis=1)


TWO = people((20, 30), (200, 60))


def sides(poses) -> np.ndarray:
    return poses.keypoints[np.argsort(poses.keypoints[:, 0, 0])]


def test_perfect_outputs_give_everybody_back():
    found = DECODER.one(*outputs(TWO))
    assert len(found) == 2
    assert np.abs(sides(found)[..., :2] - TWO[..., :2]).max() < 0.05
    assert np.abs(np.sort(found.boxes, axis=0) - np.sort(boxes(TWO), axis=0)).max() < 0.05


def test_of_two_who_overlap_none_gets_a_keypoint_twice():
    near = people((20, 30), (50, 34))
    found = DECODER.one(*outputs(near))
    points = found.keypoints[..., :2][found.keypoints[..., 2] > 0].round(2)
    assert len(np.unique(points, axis=0)) == len(points)


def test_nobody_where_the_detector_finds_nobody_and_where_there_are_no_peaks():
    heatmaps, codes, logits = outputs(TWO)
    assert len(DECODER.one(heatmaps, codes, np.full_like(logits, -20))) == 0
    assert len(DECODER.one(np.zeros_like(heatmaps), codes, logits)) == 0


def test_a_keypoint_that_is_not_seen_is_zero():
    unseen = TWO.copy()
    unseen[0, 9, 2] = 0
    found = sides(DECODER.one(*outputs(unseen)))
    assert not found[0, 9].any() and found[1, 9, 2] > 0


def test_the_mask_is_the_last_map():
    heatmaps = np.zeros((*GRID, 18), np.float32)
    heatmaps[3:5, 7:9, -1] = 0.9
    assert DECODER.mask(heatmaps).sum() == 4


def test_outputs_of_another_view_or_skeleton_are_refused():
    heatmaps, codes, logits = outputs(TWO)
    with pytest.raises(ValueError, match=r"a view of 256x384 has \d+ anchors"):
        DECODER.one(heatmaps, codes[:-1], logits[:-1])
    with pytest.raises(ValueError, match=r"coco17 needs \(h, w, 18\)"):
        DECODER.one(heatmaps[..., 1:], codes, logits)
    with pytest.raises(ValueError, match="not finite"):
        DECODER.one(heatmaps, codes * np.nan, logits)


def test_a_wrong_option_names_its_choices():
    with pytest.raises(ValueError, match="rule 'best'; choose from peak, mutual, assigned"):
        decoder({"name": "boxes", "stride": 4, "rule": "best"}, COCO17)
    with pytest.raises(ValueError, match=r"overlap 1\.5; it must be at least 0 and less than 1"):
        decoder({"name": "boxes", "stride": 4, "overlap": 1.5}, COCO17)
