"""Part affinity fields: the unit vectors of limbs, where they are and nowhere else."""

import bodies
import numpy as np
import pytest
import tensorflow as tf

from tfpose import geometry
from tfpose import skeleton as skeletons
from tfpose.data import coco
from tfpose.decode.pafs import Pafs
from tfpose.encode import heatmaps
from tfpose.encode import skeletons as encoded
from tfpose.encode.pafs import pafs
from tfpose.evaluate import coco_ap
from tfpose.poses import Poses
from tfpose.skeleton import COCO17, OPENPOSE18

STRIDE, GRID, REACH = 8, (20, 26), 1.0
VIEW = (GRID[0] * STRIDE, GRID[1] * STRIDE)
PAIRS = OPENPOSE18.pairs
LIMB = np.array([[0, 1]])


def crowd(*shape: int, seed: int = 0, visible: float = 0.9) -> np.ndarray:
    return bodies.crowd(np.random.default_rng(seed), shape, VIEW, visible)


def fields(keypoints, pairs=PAIRS, grid=GRID, stride=STRIDE, reach=REACH) -> np.ndarray:
    return pafs(keypoints, pairs, grid, stride, reach).numpy()


def limbs(*ends: tuple[float, ...]) -> np.ndarray:
    """Keypoints (1, P, 2, 3) in view pixels of people of one limb, from (x, y) to (x, y) in cells."""
    points = np.array(ends, np.float32).reshape(1, -1, 2, 2)
    return np.insert((points + 0.5) * STRIDE - 0.5, 2, 2, axis=-1).astype(np.float32)


def plain(keypoints, pairs=PAIRS, reach=REACH):
    """The fields (h, w, 2L) of one view's keypoints (P, K, 3), limb by limb, every cell's nearest point on each."""
    rows, columns = np.mgrid[: GRID[0], : GRID[1]].astype(np.float64)
    total, count = np.zeros((*GRID, len(pairs), 2)), np.zeros((*GRID, len(pairs), 1))
    for person in keypoints.astype(np.float64):
        for limb, (a, b) in enumerate(pairs):
            start, end = ((person[i, :2] + 0.5) / STRIDE - 0.5 for i in (a, b))
            length = np.hypot(*(end - start))
            if not (person[a, 2] and person[b, 2] and length):
                continue
            x, y = (end - start) / length
            forward = np.clip((columns - start[0]) * x + (rows - start[1]) * y, 0, length)
            here = np.hypot(columns - start[0] - forward * x, rows - start[1] - forward * y) <= reach
            total[here, limb] += (x, y)
            count[here, limb] += 1
    return (total / np.maximum(count, 1)).reshape(*GRID, -1)


@pytest.mark.parametrize("reach", [0.6, 1.0, 2.3])
def test_the_fields_are_those_of_a_loop_over_people_and_limbs(reach):
    people = crowd(3, 6)
    expected = [plain(view, reach=reach) for view in people]
    np.testing.assert_allclose(fields(people, reach=reach), expected, atol=1e-5)


def test_a_level_limb_covers_three_rows_between_its_ends_and_a_cell_beyond():
    field = fields(limbs((5, 4, 9, 4)), LIMB)[0]
    expected = np.zeros_like(field)
    expected[3:6, 5:10, 0] = expected[4, 4:11, 0] = 1
    np.testing.assert_array_equal(field, expected)


def test_an_upright_limb_points_down_the_picture():
    field = fields(limbs((7, 2, 7, 8)), LIMB)[0]
    assert field[2:9, 6:9, 1].min() == 1 and field.sum() == 7 * 3 + 2


def test_a_limb_far_shorter_than_a_cell_is_seen_wherever_it_is():
    for x in np.linspace(8, 9, 11):
        field = fields(limbs((x, 6.4, x + 0.1, 6.4)), LIMB)[0]
        assert field[6, 7:10, 0].sum() >= 1 and not field[..., 1].any()


def test_limbs_of_one_kind_that_overlap_are_averaged():
    field = fields(limbs((5, 6, 9, 6), (7, 4, 7, 8)), LIMB)[0]
    np.testing.assert_allclose(field[6, 7], [0.5, 0.5])  # both
    np.testing.assert_allclose(field[[6, 4], [5, 7]], [[1, 0], [0, 1]])  # one alone
    opposite = fields(limbs((5, 6, 9, 6), (9, 6, 5, 6)), LIMB)
    assert not opposite.any()


@pytest.mark.parametrize("end", [0, 1])
def test_a_limb_without_one_of_its_ends_draws_nothing(end):
    keypoints = limbs((5, 4, 9, 4))
    keypoints[0, 0, end, 2] = 0
    assert not fields(keypoints, LIMB).any()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-12])
def test_a_limb_without_length_draws_no_more_than_unit_vectors(length):
    keypoints = np.zeros((1, 1, 2, 3), np.float32)
    keypoints[..., 2], keypoints[0, 0, 1, 0] = 2, length
    field = fields(keypoints, LIMB)
    assert np.isfinite(field).all() and np.abs(field).max() <= 1


@pytest.mark.parametrize("people", [0, 1, 5])
def test_nobody_draws_nothing(people):
    assert not fields(np.zeros((2, people, 18, 3), np.float32)).any()


def test_people_far_outside_the_view_draw_nothing_and_long_limbs_only_what_is_in_it():
    assert not fields(crowd(1, 4) + [10_000, -10_000, 0]).any()
    field = fields(limbs((-500, 7, 500, 7)), LIMB)[0]
    assert (field[6:9, :, 0] == 1).all() and field.sum() == 3 * GRID[1]


def test_absent_people_change_nothing():
    people = crowd(2, 4)
    filled = np.concatenate([people, np.zeros_like(people)], axis=1)
    np.testing.assert_allclose(fields(filled), fields(people), atol=1e-6)


def test_the_order_of_people_changes_nothing():
    people = crowd(2, 5)
    np.testing.assert_allclose(fields(people[:, ::-1]), fields(people), atol=1e-6)


def test_people_who_do_not_meet_add_up():
    people = crowd(1, 2, visible=1.0)
    people[..., 0] = people[..., 0] % 60 + [[[0], [120]]]
    alone = [fields(people[:, i : i + 1]) for i in (0, 1)]
    np.testing.assert_allclose(fields(people), alone[0] + alone[1], atol=1e-6)


def test_mirrored_people_give_mirrored_fields():
    people = crowd(1, 3)
    mirrored = people[..., list(OPENPOSE18.mirror), :] * [-1, 1, 1] + [VIEW[1] - 1, 0, 0]
    found = fields(mirrored)[:, :, ::-1].reshape(1, *GRID, -1, 2) * [-1, 1]
    turned = np.where(OPENPOSE18.limb_turned, -1, 1)[:, None]
    expected = fields(people).reshape(1, *GRID, -1, 2)[..., list(OPENPOSE18.limb_mirror), :] * turned
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_step_of_one_stride_moves_the_fields_by_one_cell():
    people = crowd(2, 3)
    moved = fields(people + [STRIDE, -STRIDE, 0])
    np.testing.assert_allclose(moved[:, :-1, 1:], fields(people)[:, 1:, :-1], atol=1e-5)


def test_twice_the_picture_at_twice_the_stride_has_the_same_fields():
    people = crowd(2, 3)
    larger = people * [2, 2, 1] + [0.5, 0.5, 0]
    np.testing.assert_allclose(fields(larger, stride=2 * STRIDE), fields(people), atol=1e-5)


def test_a_turned_limb_has_the_opposite_field():
    people = crowd(2, 1)
    np.testing.assert_allclose(fields(people, PAIRS[:, ::-1]), -fields(people), atol=1e-6)


def test_every_view_of_a_batch_is_drawn_alone():
    people = crowd(3, 4)
    np.testing.assert_allclose(fields(people)[1], fields(people[1:2])[0], atol=1e-6)


def test_the_same_fields_come_out_of_a_data_set_of_any_number_of_people():
    views = [crowd(2, count, seed=count) for count in (1, 3, 0)]
    signature = tf.TensorSpec((None, None, 18, 3), tf.float32)
    data = tf.data.Dataset.from_generator(lambda: iter(views), output_signature=signature)
    data = data.map(lambda k: pafs(k, PAIRS, GRID, STRIDE, REACH))
    assert data.element_spec.shape.as_list() == [None, *GRID, 38]
    for view, field in zip(views, data, strict=True):
        np.testing.assert_allclose(field.numpy(), fields(view), atol=1e-6)


def maps(keypoints, grid) -> dict:
    """Ideal outputs of a network of OpenPose's stride, sigma and width of limbs."""
    return {"heatmaps": heatmaps.people(keypoints, grid, 8, 7 / 8).numpy(), "pafs": fields(keypoints, grid=grid)}


def test_people_who_stand_apart_are_found_again():
    people = bodies.crowd(np.random.default_rng(1), (20, 3), (300, 0))
    people += [0, 40, 0] + 160 * np.array([1, 3, 5])[:, None, None] * [1, 0, 0]
    for found, truth in zip(Pafs(OPENPOSE18, 8)(maps(people, (60, 120))), people, strict=True):
        order = np.argsort(found.keypoints[:, 1, 0])
        np.testing.assert_allclose(found.keypoints[order, :, :2], truth[..., :2], atol=0.15)


@pytest.mark.slow
def test_drawing_and_decoding_cost_little_of_the_precision_of_coco(real_data):
    file = real_data / "coco/annotations/person_keypoints_val2017.json"
    there, back = skeletons.conversion(COCO17, OPENPOSE18), skeletons.conversion(OPENPOSE18, COCO17)
    results, records = [], coco.load(file, None, COCO17, on_bad="skip").records
    for record in records:
        factor = 368 / min(record.height, record.width)
        grid = tuple(-(-round(side * factor) // 8) for side in (record.height, record.width))
        frame = geometry.resizing(factor, factor)
        points = np.concatenate([frame.apply(record.keypoints[..., :2]), record.keypoints[..., 2:]], axis=-1)
        (poses,) = Pafs(OPENPOSE18, 8)(maps(encoded.converted(points[None], there), grid))
        keypoints = skeletons.converted(poses.keypoints, back)
        results += Poses(keypoints, poses.scores, poses.boxes).mapped(frame.inverse).to_coco(record.image_id)
    assert coco_ap(file, results, [record.image_id for record in records])["AP"] > 0.82
