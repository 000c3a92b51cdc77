"""A network in one file says in NumPy what it says in Keras, and a decoder that reads it acts on that."""

import functools
import json

import keras
import numpy as np
import pytest
from test_inboxes import DECODER, TWO, boxes, outputs

from tfpose import spec as specs
from tfpose.decode import assign, decoder, owners, prn
from tfpose.decode.inboxes import InBoxes
from tfpose.encode import instances
from tfpose.options import PRN
from tfpose.skeleton import COCO17, OPENPOSE18
from tfpose.spec import PoseSpec
from tfpose.systems import base

SMALL = {
    "residual": PRN(grid=(14, 9), nodes=12),
    "two layers": PRN(grid=(14, 9), nodes=12, hidden=2, residual=False),
    "assignment": PRN(network="assignment", grid=(4, 3), nodes=16, bells=2, passes=2),
}
KINDS = ("residual", "assignment")
every = pytest.mark.parametrize("name", SMALL)
DATA = {"name": "boxes", "stride": 4}


@functools.cache
def method(name):
    return base.system(SMALL[name], COCO17)


@functools.cache
def network(name):
    """A network with weights that float16 holds, and biases where training begins with zeros."""
    keras.utils.set_random_seed(1)
    result = method(name).build((None, None))
    for weight in result.weights:
        drawn = 0.3 * np.random.default_rng(len(weight.path)).standard_normal(weight.shape)
        weight.assign(drawn.astype(np.float16).astype(np.float32))
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("owners")


def file(name, folder):
    path = folder / f"{name}.npz"
    if not path.is_file():
        owners.save(path, method(name).layout(), {w.path: np.asarray(w) for w in network(name).weights})
    return path


def scene(seed=0, people=4, count=50):
    draw = np.random.default_rng(seed)
    found = np.column_stack([draw.uniform(0, 200, (people, 2)), draw.uniform(40, 160, (people, 2))])
    points = draw.uniform(0, 330, (count, 2))
    return np.column_stack([draw.integers(0, 17, count), points, draw.uniform(0.2, 1, count)]), found


def said(name, inputs):
    deployed = method(name).deployed(network(name))
    given = inputs if isinstance(deployed.input, dict) else inputs["maps"]
    return {key: np.asarray(values) for key, values in deployed(given, training=False).items()}


@every
def test_numpy_says_what_keras_says(name, folder):
    asked, run = owners.load(file(name, folder), COCO17)
    for seed, people in ((0, 1), (1, 4), (2, 20)):
        inputs = asked.inputs(*scene(seed, people))
        found, expected = run(inputs), said(name, inputs)
        assert found.keys() == expected.keys()
        for key in expected:
            assert found[key].dtype == np.float32
            np.testing.assert_allclose(found[key], expected[key], atol=1e-5)


def test_numpy_and_tensorflow_show_the_networks_the_same():
    candidates, found = (np.float32(a) for a in scene(3))
    ours = prn.inputs(candidates, found, (56, 36), 0.21, 17)
    np.testing.assert_allclose(ours, instances.inputs(candidates, found, (56, 36), 0.21, 17), atol=1e-6)
    seen = instances.seen(candidates[None], found[None], 0.21, 17)
    for name, values in assign.network_inputs(candidates, found, 0.21, 17).items():
        np.testing.assert_allclose(values, seen[name], atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_a_box_does_not_gain_by_a_keypoint_of_which_a_part_is_another_boxs(name, folder):
    asked, run = owners.load(file(name, folder), COCO17)
    candidates, found = scene(4)
    scores, shares = asked.scores(run(asked.inputs(candidates, found)), candidates, found)
    inside = assign.inside(assign.places(candidates, found, asked.margin))
    assert (shares.sum(axis=0) <= 1 + 1e-6).all() and not scores[~inside].any() and not shares[~inside].any()
    assert scores[inside].min() >= 0


def with_network(name, folder) -> InBoxes:
    return decoder(DATA | {"assign": str(file(name, folder))}, COCO17)


@pytest.mark.parametrize("name", KINDS)
def test_a_decoder_with_a_network_shares_out_keypoints_by_its_scores(name, folder):
    found = with_network(name, folder)
    candidates, around = DECODER.candidates(outputs(TWO)[0]), boxes(TWO)
    asked, run = owners.load(file(name, folder), COCO17)
    worth = asked.worth(run(asked.inputs(candidates, around)), candidates, around)
    np.testing.assert_array_equal(found.worth(candidates, around), worth)
    chosen = assign.assigned(worth, candidates[:, 0].astype(int), 17)
    people = found.poses(candidates, around, np.array([0.9, 0.8]))
    expected = np.where(chosen[..., None] >= 0, candidates[chosen, 1:], 0)
    order = [int(np.abs(around - box).sum(axis=1).argmin()) for box in people.boxes]
    np.testing.assert_allclose(people.keypoints, expected[order], rtol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_an_unsure_keypoint_is_worth_less_to_everybody(name, folder):
    asked, run = owners.load(file(name, folder), COCO17)
    candidates, found = scene(5)
    sure = asked.worth(run(asked.inputs(candidates, found)), candidates, found)
    outputs, halved = run(asked.inputs(candidates, found)), candidates * [1, 1, 1, 0.5]
    np.testing.assert_allclose(asked.worth(outputs, halved, found), sure / 2)


def test_nobody_where_there_are_no_boxes_or_no_keypoints(folder):
    found = with_network("assignment", folder)
    heatmaps, codes, logits = outputs(TWO)
    assert len(found.one(heatmaps, codes, np.full_like(logits, -20))) == 0
    assert len(found.one(np.zeros_like(heatmaps), codes, logits)) == 0


def test_a_specification_finds_the_file_beside_it_and_names_it_without_a_folder(folder):
    data = DATA | {"assign": "somewhere/else/assignment.npz"}
    PoseSpec("multiposenet", "image", (64, 64), COCO17, data).save(folder / "pose.json")
    assert json.loads((folder / "pose.json").read_text())["decoder"]["assign"] == "assignment.npz"
    file("assignment", folder)
    assert decoder(specs.load(folder / "pose.json").decoder, COCO17).assign == str(folder / "assignment.npz")


def test_a_file_that_is_missing_or_another_is_named_in_one_line(folder, tmp_path):
    with pytest.raises(ValueError, match=r"assign\.npz: no such file, in which a network says whose keypoints"):
        decoder(DATA | {"assign": str(tmp_path / "assign.npz")}, COCO17)
    (tmp_path / "assign.npz").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"assign\.npz: not the file of a network that assigns keypoints"):
        decoder(DATA | {"assign": str(tmp_path / "assign.npz")}, COCO17)
    with pytest.raises(ValueError, match=r"assignment\.npz: for 17 keypoints; openpose18 has 18"):
        owners.load(file("assignment", folder), OPENPOSE18)


def test_half_the_bits_of_a_weight_are_enough(tmp_path):
    exact = base.system(SMALL["assignment"], COCO17).build((None, None))
    owners.save(tmp_path / "a.npz", method("assignment").layout(), {w.path: np.asarray(w) for w in exact.weights})
    asked, run = owners.load(tmp_path / "a.npz", COCO17)
    candidates, found = scene(6)
    inputs = asked.inputs(candidates, found)
    expected = {k: np.asarray(v) for k, v in method("assignment").deployed(exact)(inputs).items()}
    ours, theirs = (asked.scores(o, candidates, found)[1] for o in (run(inputs), expected))
    assert np.abs(ours - theirs).max() < 1e-3
