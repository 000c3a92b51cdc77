"""Decoding of ideal maps is the inverse of drawing people; whatever the maps hold, it is quick, small and honest."""

import json
import time
import tracemalloc
from functools import cache
from pathlib import Path

import bodies
import numpy as np
import pytest

from benchmarks.decode import LIMBS, in_order
from benchmarks.ideal import drawn, standing
from tfpose import geometry
from tfpose.decode import decoder, maps
from tfpose.decode.maxima import peaks
from tfpose.decode.pafs import Pafs
from tfpose.metrics.oks import oks
from tfpose.skeleton import COCO17, MPII16, OPENPOSE18, Skeleton

GRID, STRIDE = (46, 82), 8
VIEW = (GRID[0] * STRIDE, GRID[1] * STRIDE)
PEERS = Path(__file__).resolve().parents[2] / "shared/peers"
PAIR = Skeleton("pair", ("head", "foot"), (("head", "foot"),), (0.1, 0.1))
THREE = Skeleton(
    "three", ("left_a", "b", "right_a"), (("left_a", "b"), ("right_a", "b"), ("right_a", "left_a")), (0.1,) * 3
)


def decoded(people, skeleton=OPENPOSE18, **options):
    return Pafs(skeleton, STRIDE, **options).one(*drawn(people, skeleton.pairs, GRID))


def crowd(count, skeleton=OPENPOSE18):
    """People (count, K, 3) all over the view; keypoints without a place in `bodies` get one of their own."""
    known = dict(zip(OPENPOSE18.keypoints, bodies.body()))
    own = np.random.default_rng(5).uniform((-0.2, 0), (0.2, 1), (skeleton.count, 2))
    body = np.array([known.get(name, own[i]) for i, name in enumerate(skeleton.keypoints)])
    return standing(count, VIEW, body)


def errors(poses, people):
    """For each of the people how far in pixels the worst keypoint of the nearest pose is from theirs."""
    far = np.abs(poses.keypoints[:, None, :, :2] - people[None, :, :, :2]).max(axis=(2, 3))
    return far.min(axis=0)


def line(*ends):
    """People (P, 2, 3) with a head and a foot, in view pixels from (x, y) to (x, y) in cells."""
    cells = np.array(ends, float).reshape(-1, 2, 2)
    return np.insert(geometry.stride(STRIDE).inverse.apply(cells), 2, 2, axis=-1)


@pytest.mark.parametrize("count", [1, 2, 5, 10, 20, 50])
@pytest.mark.parametrize("skeleton", [OPENPOSE18, COCO17, MPII16], ids=lambda s: s.name)
def test_everybody_in_ideal_maps_is_found_to_a_tenth_of_a_pixel(count, skeleton):
    people = crowd(count, skeleton)
    poses = decoded(people, skeleton)
    assert len(poses) == count
    assert errors(poses, people).max() < 0.1


def test_scores_are_the_sum_of_peaks_and_limbs_and_boxes_the_bounds_of_known_keypoints():
    poses = decoded(line((10, 10, 10, 30)), PAIR)
    assert poses.scores[0] == pytest.approx(3, abs=0.1)
    assert poses.boxes[0] == pytest.approx([83.5, 83.5, 0, 160], abs=0.1)


def test_a_keypoint_that_is_not_there_is_not_invented():
    people = crowd(3)
    people[1, 4] = 0
    poses = decoded(people)
    found = poses.keypoints[np.abs(poses.keypoints[:, 0, :2] - people[1, 0, :2]).sum(axis=-1).argmin()]
    assert (found[4] == 0).all() and (np.delete(found, 4, axis=0)[:, 2] > 0.5).all()


def test_people_who_cross_are_not_mixed():
    people = line((10, 10, 30, 30), (30, 10, 10, 30))
    assert errors(decoded(people, PAIR), people).max() < 0.1


def test_a_redundant_limb_keeps_somebody_whole_who_has_lost_another():
    people = line((10, 10, 20, 20), (20, 20, 30, 10))
    people = np.stack([people[0, 0], people[0, 1], people[1, 1]])[None]  # left_a, b, right_a
    heatmaps, pafs = drawn(people, THREE.pairs, GRID)
    pafs[..., 2:4] = 0
    assert errors(Pafs(THREE, STRIDE).one(heatmaps, pafs), people).max() < 0.1
    pafs[..., 4:] = 0
    assert (Pafs(THREE, STRIDE).one(heatmaps, pafs).keypoints[:, 2] == 0).all()


def test_mirrored_maps_give_mirrored_people():
    people = crowd(10)
    heatmaps, pafs = drawn(people, OPENPOSE18.pairs, GRID)
    plain = Pafs(OPENPOSE18, STRIDE).one(heatmaps, pafs)
    back = maps.unmirrored({"heatmaps": heatmaps, "pafs": pafs}, OPENPOSE18)
    mirrored = Pafs(OPENPOSE18, STRIDE).one(back["heatmaps"], back["pafs"])
    points = geometry.mirroring(VIEW[1]).apply(mirrored.keypoints[:, list(OPENPOSE18.mirror), :2])
    assert errors(plain, points).max() < 1e-3


def test_maps_moved_by_whole_cells_give_people_moved_as_far():
    people = crowd(5) * [0.7, 0.7, 1]
    outputs = drawn(people, OPENPOSE18.pairs, GRID)
    plain = Pafs(OPENPOSE18, STRIDE).one(*outputs)
    moved = Pafs(OPENPOSE18, STRIDE).one(*(np.roll(m, (3, 2), axis=(0, 1)) for m in outputs))
    assert np.abs(moved.keypoints[..., :2] - plain.keypoints[..., :2] - [16, 24]).max() < 1e-3


def test_each_view_of_a_batch_is_decoded_as_if_alone():
    outputs = [drawn(crowd(n), OPENPOSE18.pairs, GRID) for n in (3, 1)]
    batch = {name: np.stack([o[i] for o in outputs]) for i, name in enumerate(("heatmaps", "pafs"))}
    decode = decoder({"name": "pafs", "stride": STRIDE}, OPENPOSE18)
    for together, alone in zip(decode(batch), outputs, strict=True):
        assert np.array_equal(together.keypoints, decode.one(*alone).keypoints)


@pytest.mark.parametrize("x, y", [(20.5, 20), (20.5, 20.5), (0, 0), (81, 45), (-0.4, 12.3), (81.4, 45.4)])
def test_between_cells_and_at_the_border_a_peak_is_one_and_exact(x, y):
    people = line((x, y, 40, 30))
    heatmaps, _ = drawn(people, PAIR.pairs, GRID)
    found = peaks(heatmaps, 0.015, 64)
    assert found.counts.tolist() == [1, 1]
    assert found.points[0] == pytest.approx([x, y], abs=0.01)


def test_of_a_flat_top_one_cell_is_a_peak():
    heatmaps = np.zeros((9, 9, 2), np.float32)
    heatmaps[3:5, 3:5, 0] = 0.5
    assert peaks(heatmaps, 0.1, 64).counts.tolist() == [1]


def noise(seed=0):
    draw = np.random.default_rng(seed)
    heatmaps = draw.random((*GRID, OPENPOSE18.count + 1), np.float32)
    return heatmaps, draw.uniform(-1, 1, (*GRID, 2 * len(OPENPOSE18.pairs))).astype(np.float32)


def test_of_noise_only_the_most_best_peaks_are_taken():
    heatmaps, _ = noise()
    few, all_of_them = peaks(heatmaps, 0.015, 10), peaks(heatmaps, 0.015, 10**6)
    assert few.counts.tolist() == [10] * OPENPOSE18.count
    for kind in range(OPENPOSE18.count):
        best = np.sort(all_of_them.values[all_of_them.kinds == kind])[-10:]
        assert np.array_equal(np.sort(few.values[few.kinds == kind]), best)


@pytest.mark.parametrize("maps", [noise(), drawn(crowd(50), OPENPOSE18.pairs, GRID)], ids=["noise", "fifty people"])
def test_decoding_takes_a_few_megabytes_and_no_time(maps):
    decode = Pafs(OPENPOSE18, STRIDE).one
    seconds = []
    for _ in range(3):
        begin = time.thread_time()
        decode(*maps)
        seconds.append(time.thread_time() - begin)
    tracemalloc.start()
    decode(*maps)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5e6 and min(seconds) < 0.1  # a tenth of that on an idle core


def test_empty_maps_have_nobody_in_them():
    blank = np.zeros((*GRID, 19), np.float32), np.zeros((*GRID, 38), np.float32)
    poses = Pafs(OPENPOSE18, STRIDE).one(*blank)
    assert poses.keypoints.shape == (0, 18, 3) and poses.boxes.shape == (0, 4)
    assert Pafs(OPENPOSE18, STRIDE)({"heatmaps": np.zeros((0, *GRID, 19)), "pafs": np.zeros((0, *GRID, 38))}) == []


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_that_are_not_finite_are_refused(which, value):
    outputs = drawn(line((10, 10, 10, 30)), PAIR.pairs, GRID)
    outputs[which][15:25, 8:12] = value
    with pytest.raises(ValueError, match="not finite"):
        Pafs(PAIR, STRIDE).one(*outputs)


@pytest.mark.parametrize(
    "heatmaps, pafs", [((9, 9, 18), (9, 9, 38)), ((9, 9, 19), (9, 8, 38)), ((2, 9, 19), (2, 9, 38))]
)
def test_maps_of_another_shape_are_refused_with_what_was_expected(heatmaps, pafs):
    with pytest.raises(ValueError, match=r"openpose18 needs \(h, w, 19\) and \(h, w, 38\)"):
        Pafs(OPENPOSE18, STRIDE).one(np.zeros(heatmaps, np.float32), np.zeros(pafs, np.float32))


def test_unknown_options_and_values_are_refused_by_name():
    data = {"name": "pafs", "stride": STRIDE}
    for wrong in ({"sampling": "cubic"}, {"samples": 0}, {"limb": -1}, {"treshold": 0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            decoder(data | wrong, OPENPOSE18)
    with pytest.raises(ValueError, match="skeleton"):
        decoder(data)


def weakened(which, place, factor):
    """Two people of a head and a foot, with a rectangle of the heatmaps (0) or the fields (1) made weaker."""
    outputs = drawn(line((10, 10, 10, 30), (40, 10, 40, 30)), PAIR.pairs, GRID)
    outputs[which][place] *= factor
    return outputs


FOOT = np.s_[25:36, 5:16, :2]
FIELD = np.s_[:, 5:16]


@pytest.mark.parametrize(
    "option, found, otherwise, maps",
    [
        ({"threshold": 0.5}, 1, 2, weakened(0, FOOT, 0.3)),
        ({"most": 1}, 1, 2, weakened(0, FOOT, 0.3)),
        ({"limb": 0.2}, 1, 2, weakened(1, FIELD, 0.1)),
        ({"samples": 3}, 1, 2, weakened(1, np.s_[[13, 27], 5:16], -1)),
        ({"keypoints": 3}, 0, 2, weakened(1, FIELD, 1)),
        ({"score": 2.5}, 1, 2, weakened(0, FOOT, 0.3)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_decides_how_many_of_two_people_are_found(option, found, otherwise, maps):
    assert len(Pafs(PAIR, STRIDE, **option).one(*maps)) == found
    assert len(Pafs(PAIR, STRIDE).one(*maps)) == otherwise


def test_a_weak_limb_gives_somebody_what_is_left_over_only_where_relaxed():
    people = np.insert(geometry.stride(STRIDE).inverse.apply([[[10.0, 10], [20, 20], [30, 10]]]), 2, 2, axis=-1)
    heatmaps, pafs = drawn(people, THREE.pairs, GRID)
    pafs[..., 2:] *= 0.15
    for relaxed in (True, False):
        poses = Pafs(THREE, STRIDE, limb=0.2, relaxed=relaxed).one(heatmaps, pafs)
        assert (poses.keypoints[0, :, 2] > 0).sum() == 2 + relaxed


@pytest.mark.parametrize("sampling, score", [("nearest", 1), ("bilinear", 0.7)])
def test_between_two_cells_the_field_is_that_of_the_nearer_or_in_part_of_both(sampling, score):
    outputs = drawn(line((10.3, 10, 10.3, 20)), PAIR.pairs, GRID)
    outputs[1][:, 11:] = 0
    poses = Pafs(PAIR, STRIDE, sampling=sampling).one(*outputs)
    assert poses.scores[0] - poses.keypoints[0, :, 2].sum() == pytest.approx(score, abs=1e-3)


def test_finer_maps_give_the_same_people():
    people = crowd(5)
    assert errors(decoded(people, upsample=4), people).max() < 1.5


@cache
def real_maps():
    """The maps that a real network gives for 12 photos, with the people that OpenPose's C++ decoder finds in them."""
    if not (PEERS / "paf_maps.npz").is_file():
        pytest.skip(f"no real maps in {PEERS}")
    with np.load(PEERS / "paf_maps.npz") as file:
        images = json.loads((PEERS / "paf_people.json").read_text())["images"]
        return [(i, file[f"heatmaps_{i['id']}"], in_order(file[f"pafs_{i['id']}"], LIMBS)) for i in images]


def test_in_real_maps_it_finds_whom_the_cpp_decoder_finds():
    alike, people = [], 0
    for image, heatmaps, pafs in real_maps():
        found = Pafs(OPENPOSE18, STRIDE).one(heatmaps, pafs).mapped(geometry.resizing(*1 / np.array(image["scale"])))
        cpp = np.array([p["keypoints"] for p in image["people"]]).reshape(-1, 18, 3)
        area = np.prod(np.ptp(cpp[..., :2], axis=1), axis=-1)
        alike += oks(found.keypoints, cpp, area, OPENPOSE18.sigmas).max(axis=0, initial=0).tolist()
        people += len(cpp)
    assert people == 59 and min(alike) > 0.75
