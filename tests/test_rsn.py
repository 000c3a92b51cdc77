"""RSN is what its paper and its authors' log print: weights, cost, receptive fields, wiring; and a plain network."""

import functools
import zipfile

import keras
import numpy as np
import pytest
import receptive
import tensorflow as tf
import weightless

from tfpose.models import blocks, count
from tfpose.models.rsn import rsn
from tfpose.options import RSN
from tfpose.skeleton import COCO17
from tfpose.systems.rsn import KERNELS, RSNSystem

FIFTY = {"depths": (3, 4, 6, 3), "expansion": 4, "stem": "pool", "decoder": 256}
HUNDRED = FIFTY | {"depths": (3, 4, 23, 3)}
RELEASE = {"stem": "pool", "decoder": 256, "profile": "release"}
RELEASE50 = RELEASE | {"depths": (3, 4, 6, 3)}
# Choices, trainable weights and 2^30 multiply-accumulates, of the network that ships and of all that training uses.
NETWORKS = {
    "rsn18": ({}, 12_940_180, 2.453, 2.487),
    "rsn18-se": ({"se": True}, 13_116_420, 2.454, 2.487),
    "resnet18": ({"unit": "basic"}, 11_572_364, 2.314, 2.348),
    "rsn50": (FIFTY, 38_393_712, 6.384, 6.482),
    "resnet50": (FIFTY | {"unit": "bottleneck"}, 25_141_708, 4.626, 4.724),
    "rsn50-prm": (FIFTY | {"prm": True}, 38_393_712 + 744_704, 8.131, 8.229),
    "rsn18-release": (RELEASE, 9_159_072, 1.993, 2.091),
    "rsn50-release": (RELEASE50, 19_355_132, 3.690, 3.788),
}
# The same, of seconds each.
LARGE = {
    "rsn101": (HUNDRED, 69_552_128, 11.933, 12.031),
    "resnet101": (HUNDRED | {"unit": "bottleneck"}, 44_159_948, 8.013, 8.111),
    "2xrsn50": (FIFTY | {"stages": 2}, 83_371_040, 13.510, 14.006),
    "3xrsn50": (FIFTY | {"stages": 3}, 128_348_368, 20.635, 21.529),
    "4xrsn50": (FIFTY | {"stages": 4}, 173_325_696, 27.760, 29.052),
    "4xresnet50": (FIFTY | {"stages": 4, "unit": "bottleneck"}, 120_317_680, 20.728, 22.019),
    "2xrsn50-release": (RELEASE50 | {"stages": 2}, 39_316_920, 7.155, 7.651),
    "3xrsn50-release": (RELEASE50 | {"stages": 3}, 59_278_708, 10.619, 11.513),
    "4xrsn50-release": (RELEASE50 | {"stages": 4}, 79_240_496, 14.084, 15.376),
    "4xrsn18-release": (RELEASE | {"stages": 4}, 38_456_256, 7.295, 8.587),
}
# Every kind of layer and connection, in seconds.
SMALL = {"keypoints": 5, "depths": (1, 1, 1, 1), "planes": 8, "width": 4, "branches": 2, "decoder": 16}
UNITS = ("rsb", "basic", "bottleneck", "res2")


def small(size=(64, 64), **choices):
    return rsn(size=size, **(SMALL | choices))


@functools.cache
def two_stages():
    """The one small network that most tests look at: computed with, never changed."""
    keras.utils.set_random_seed(1)
    return small(stages=2, se=True, prm=True)


@functools.cache
def named(name):
    choices = (NETWORKS | LARGE)[name][0]
    return weightless.built(lambda: rsn(size=(256, 192), keypoints=17, **choices))


def photos(count=2, size=(64, 64)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def values(network, images):
    return {name: keras.ops.convert_to_numpy(maps) for name, maps in network(images, training=False).items()}


def gi(network):
    return round(count.macs(network) / 2**30, 3)


def part(network, *prefixes):
    """Trainable weights and multiply-accumulates of the layers whose names begin so."""
    rows = [row for row in count.table(network) if row.name.startswith(prefixes)]
    return sum(row.parameters for row in rows), sum(row.macs for row in rows)


@pytest.mark.parametrize("name", [*NETWORKS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_a_network_has_its_weights_and_its_cost_with_and_without_coarse_heads(name):
    _, weights, shipped, whole = (NETWORKS | LARGE)[name]
    network = named(name)
    assert count.parameters(network)[0] == weights
    assert (gi(blocks.last_stage(network)), gi(network)) == (shipped, whole)


# Layers up to a line of the authors' log, and what the log has counted there: Mi, Gi and KiB of weights.
FIRST = ("stem", *(f"stage1_level1_unit1_{part}" for part in ("project", "conv1", "branch1_step1")))
BEFORE_5A = ("stem", "stage1_level1", "stage1_level2", "stage1_level3")
INTO_5A = (*BEFORE_5A, *(f"stage1_level4_unit1_{part}" for part in ("project", "conv1", "branch1", "branch2")))
SECOND = ("stem", "stage1_level1_unit1", "stage1_level1_unit2_conv1", "stage1_level1_unit2_branch")


def test_the_authors_log_has_these_sums_on_the_way():
    network = named("rsn18-se")
    assert round(part(network, *FIRST)[1] / 2**20, 3) == 609.574
    squeezes = part(network, *(f"{name}_unit{u}_se" for name in BEFORE_5A[1:] for u in (1, 2)))[1]
    assert round((part(network, *INTO_5A, "stage1_level4_unit1_branch3_step1")[1] - squeezes) / 2**30, 3) == 1.909
    assert round((part(network, *INTO_5A, "stage1_level4_unit1_branch")[1] - squeezes) / 2**30, 3) == 2.014
    assert part(network, *SECOND)[0] * 4 / 2**10 == 880.625


def test_squeeze_and_excitation_has_an_eighth_of_the_channels_inside():
    network = named("rsn18-se")
    for level, channels in enumerate((64, 128, 256, 512), 1):
        kernels = [network.get_layer(f"stage1_level{level}_unit2_se_{part}").kernel for part in ("squeeze", "excite")]
        assert [k.shape[2:] for k in kernels] == [(channels, channels // 8), (channels // 8, channels)]


def test_the_pose_refine_machine_has_its_weights_and_stands_in_for_the_last_predictor():
    with_prm, without = named("rsn50-prm"), named("rsn50")
    assert part(with_prm, "stage1_up4_prm")[0] == 811_008
    assert part(without, "stage1_up4_head")[0] == 66_304 and part(with_prm, "stage1_up4_head") == (0, 0)


def test_the_pose_refine_machine_is_equation_three():
    network = two_stages()
    names = ("conv_relu", "channel_sigmoid", "cell_sigmoid", "add")
    tensors = [network.get_layer(f"stage2_up4_prm_{name}").output for name in names]
    k, alpha, beta, refined = keras.Model(network.input, tensors)(photos())
    np.testing.assert_allclose(refined, k * (1 + alpha * beta), rtol=1e-5)
    assert alpha.shape == (2, 1, 1, 16) and beta.shape == (2, 16, 16, 16)


# Tables 1 and 2, row by row.
STEPS = [[[3]], [[3, 5], [5, 7]], [[3, 5, 7], [5, 7, 9], [7, 9, 11]]]
STEPS.append([[3, 5, 7, 9], [5, 7, 9, 11], [7, 9, 11, 13], [9, 11, 13, 15]])
BRANCHES = {"bottleneck": [[3]] * 4, "res2": [[1], [3], [3, 5], [3, 5, 7]]}
BRANCHES["rsb"] = [[3], [5, 7], [7, 9, 11], [9, 11, 13, 15]]


@functools.cache
def four_branches(unit):
    return weightless.built(lambda: small(unit=unit, branches=4))


def inside(unit, name):
    return four_branches(unit).get_layer(f"stage1_level1_unit1_{name}")


@pytest.mark.parametrize("branch", [1, 2, 3, 4])
def test_the_steps_of_a_branch_have_the_receptive_fields_of_table_1(branch):
    source = inside("rsb", "conv1_relu").output
    outputs = [inside("rsb", f"branch{branch}_step{j}_relu").output for j in range(1, branch + 1)]
    assert [receptive.fields(source, y) for y in outputs] == STEPS[branch - 1]


@pytest.mark.parametrize("unit", BRANCHES)
def test_the_branches_of_a_unit_have_the_receptive_fields_of_table_2(unit):
    source = inside(unit, "conv1_relu").output
    outputs = [inside(unit, "conv2_relu").output] * 4 if unit == "bottleneck" else inside(unit, "concat").input
    assert [receptive.fields(source, y) for y in outputs] == BRANCHES[unit]


@pytest.mark.parametrize("branches", [2, 3, 4, 5, 6])
def test_a_block_of_n_branches_has_steps_one_to_n(branches):
    network = weightless.built(lambda: small(branches=branches))
    convolutions = [layer.name for layer in network.layers if "level4_unit1_branch" in layer.name]
    convolutions = [name for name in convolutions if name[-1].isdigit()]
    assert len(convolutions) == branches * (branches + 1) / 2
    concat = network.get_layer("stage1_level4_unit1_concat")
    assert [x.shape[-1] for x in concat.input] == [32] * branches


def test_the_released_code_has_narrower_branches_where_a_level_begins_and_keeps_what_fits():
    paper, release = named("rsn18"), named("rsn18-release")
    names = [f"stage1_level{level}_unit{u}_branch1_step1" for level in (1, 2, 3, 4) for u in (1, 2)]
    assert [paper.get_layer(n).filters for n in names] == [26, 26, 52, 52, 104, 104, 208, 208]
    assert [release.get_layer(n).filters for n in names] == [26, 26, 26, 52, 52, 104, 104, 208]
    projected = [{n.name for n in network.layers if n.name.endswith("project")} for network in (paper, release)]
    assert projected[0] - projected[1] == {"stage1_level1_unit1_project"}


def test_outputs_are_float32_maps_at_a_quarter_of_the_size_four_per_stage():
    network = two_stages()
    assert network.input.name == "image" and network.input.dtype == "uint8"
    shapes = {name: (maps.shape, maps.dtype) for name, maps in network.output.items()}
    assert shapes == {f"heatmaps/{i}": ((None, 16, 16, 5), "float32") for i in range(8)}


def test_heads_read_levels_from_coarse_to_fine():
    heights = [two_stages().get_layer(f"stage2_up{i}_heatmaps").output.shape[1] for i in (1, 2, 3, 4)]
    assert heights == [2, 4, 8, 16]


def test_outputs_are_small_before_training():
    network = two_stages()
    assert all(np.std(maps) < 0.01 for maps in network(photos(), training=True).values())


def test_a_later_stage_sees_the_levels_and_the_features_of_the_one_before():
    network = two_stages()
    units = [f"stage2_level3_{name}" for name in ("add", "unit1_relu")]
    names = (*units, "stage1_level3_skip1_relu", "stage1_level3_skip2_relu")
    total, *terms = keras.Model(network.input, [network.get_layer(n).output for n in names])(photos())
    np.testing.assert_allclose(total, sum(terms), rtol=1e-5)
    assert network.get_layer("stage2_level4_unit1_conv1").input is network.get_layer("stage2_level3_add").output
    assert network.get_layer("stage2_level1_unit1_conv1").input is network.get_layer("stage1_cross_relu").output


@pytest.mark.parametrize("unit", UNITS)
def test_every_kernel_and_every_gain_gets_a_gradient(unit):
    keras.utils.set_random_seed(1)
    network = small(unit=unit, stages=2)
    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_mean((maps - 1) ** 2) for maps in network(photos(), training=True).values())
    # A bias before a batch norm is taken away again, and has none.
    taught = [w for w in network.trainable_weights if w.name in ("kernel", "gamma", "beta")]
    gradients = tape.gradient(loss, [w.value for w in taught])
    assert [w.path for w, g in zip(taught, gradients) if g is None or not np.abs(g).max() > 0] == []


def test_the_deployed_network_has_the_finest_head_of_the_last_stage_alone():
    network = two_stages()
    shipped = blocks.last_stage(network)
    np.testing.assert_array_equal(values(shipped, photos())["heatmaps"], values(network, photos())["heatmaps/7"])
    assert [layer.name for layer in shipped.layers if layer.name.endswith("_heatmaps")] == ["stage2_up4_heatmaps"]
    assert {id(w) for w in shipped.weights} <= {id(w) for w in network.weights}


def test_any_size_gives_what_the_fixed_size_gives():
    keras.utils.set_random_seed(1)
    free, fixed = small((None, None)), small((64, 64))
    fixed.set_weights(free.get_weights())
    expected = values(fixed, photos())
    for name, maps in values(free, photos()).items():
        np.testing.assert_allclose(maps, expected[name], rtol=1e-4, atol=1e-6)
    assert values(free, photos(1, (96, 32)))["heatmaps/0"].shape == (1, 24, 8, 5)


def test_a_saved_network_needs_nothing_but_keras_and_gives_the_same(tmp_path):
    network = two_stages()
    network.save(tmp_path / "network.keras")
    with zipfile.ZipFile(tmp_path / "network.keras") as archive:
        assert b"tfpose" not in archive.read("config.json")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    expected, found = values(network, photos()), values(loaded, photos())
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_outputs_stay_float32_when_the_rest_is_bfloat16(mixed_bfloat16):  # noqa: ARG001 a setting
    network = small()
    assert network.get_layer("stage1_level1_unit1_conv1").compute_dtype == "bfloat16"
    assert all(maps.dtype == np.float32 and np.isfinite(maps).all() for maps in values(network, photos()).values())


def test_a_map_that_is_brought_to_the_finest_grid_stays_where_it_was():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 1, 2] = 1
    fine = np.asarray(keras.layers.UpSampling2D(4, interpolation="bilinear")(x))[0, ..., 0]
    rows, columns = np.indices(fine.shape)
    centre = [np.sum(fine * axis) / fine.sum() for axis in (rows, columns)]
    np.testing.assert_allclose(centre, [4 * 1 + 1.5, 4 * 2 + 1.5], atol=1e-5)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"size": (48, 64)}, "multiples of 32"),
        ({"unit": "dense"}, "rsb, basic, bottleneck, res2"),
        ({"stem": "none"}, "deep, pool"),
        ({"profile": "mine"}, "paper, release"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(choices, message):
    with pytest.raises(ValueError, match=message):
        small(**choices)


def taught(stages, visibility):
    """The targets of one person in the middle of a view of 256 x 192, and the system that gives them."""
    system = RSNSystem(RSN(stages=stages), COCO17)
    points = np.random.default_rng(0).uniform(40, 150, (1, 1, 17, 2))
    keypoints = np.concatenate([points, np.full((1, 1, 17, 1), visibility)], axis=-1)
    image = np.zeros((1, 256, 192, 3), np.uint8)
    return system, system.encode({"image": image, "keypoints": tf.constant(keypoints), "annotation_id": [1]})[1]


def test_every_stage_is_taught_finer_levels_and_the_last_one_finer_still():
    system, targets = taught(3, 2)
    areas = [float(np.sum(targets[term][0, ..., 0])) for term in system.terms]
    by_width = dict(zip(KERNELS, sorted(set(areas), reverse=True)))
    widths = [(15, 11, 9, 7), (15, 11, 9, 7), (11, 9, 7, 5)]
    assert areas == [by_width[width] for stage in widths for width in stage]


def test_a_hidden_keypoint_is_taught_at_the_finest_level_only():
    system, targets = taught(2, 1)
    assert [bool(np.any(targets[term])) for term in system.terms] == [False, False, False, True] * 2


def test_coarse_levels_are_taught_zeros_where_the_finest_is_taught_nothing():
    system, targets = taught(1, 0)
    outputs = {term: targets[term] + 0.1 for term in system.terms}
    costs = [float(cost) for cost in system.loss(targets, outputs).values()]
    # As the published code counts: whole squares of 255 times the value, a quarter of them where it is coarse.
    assert costs == pytest.approx([25.5**2 / 4] * 3 + [0])
    seen, targets = taught(1, 2)
    outputs = {term: targets[term] + 0.1 for term in seen.terms}
    assert float(seen.loss(targets, outputs)["heatmaps/3"]) == pytest.approx(25.5**2, rel=1e-4)
