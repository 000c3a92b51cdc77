"""Keypoints of one skeleton become those of another as NumPy makes them, inside tf.data too."""

import numpy as np
import pytest
import tensorflow as tf

from tfpose import skeleton
from tfpose.encode.skeletons import converted
from tfpose.skeleton import COCO17, OPENPOSE18

CONVERSION = skeleton.conversion(COCO17, OPENPOSE18)
NECK, SHOULDERS = OPENPOSE18.index("neck"), [COCO17.index(f"{side}_shoulder") for side in ("left", "right")]


def people(shape=(3, 4), seed=0) -> np.ndarray:
    """Keypoints (*shape, 17, 3) in a view of 200 x 100, some hidden and some absent, and then all zeros."""
    rng = np.random.default_rng(seed)
    visibility = rng.integers(0, 3, (*shape, COCO17.count, 1))
    points = rng.uniform((0, 0), (200, 100), (*shape, COCO17.count, 2))
    return (np.concatenate([points, visibility], axis=-1) * (visibility > 0)).astype(np.float32)


def test_tensorflow_converts_as_numpy_does():
    expected = skeleton.converted(people(), CONVERSION)
    np.testing.assert_allclose(converted(people(), CONVERSION).numpy(), expected, rtol=1e-6)


def test_the_neck_is_halfway_between_the_shoulders():
    found, ends = converted(people(), CONVERSION).numpy()[..., NECK, :2], people()[..., SHOULDERS, :]
    known = (ends[..., 2] > 0).all(axis=-1)
    np.testing.assert_allclose(found[known], ends[known][..., :2].mean(axis=-2), rtol=1e-6)


@pytest.mark.parametrize("left, right, neck", [(2, 2, 2), (1, 2, 1), (2, 1, 1), (0, 2, 0), (2, 0, 0), (0, 0, 0)])
def test_a_neck_is_as_visible_as_the_worse_shoulder(left, right, neck):
    keypoints = np.full((17, 3), 2, np.float32)
    keypoints[SHOULDERS, 2] = left, right
    assert converted(keypoints, CONVERSION).numpy()[NECK].tolist() == ([2, 2, neck] if neck else [0, 0, 0])


def test_a_skeleton_converted_to_itself_is_unchanged():
    assert np.array_equal(converted(people(), skeleton.conversion(COCO17, COCO17)).numpy(), people())


def test_nobody_stays_nobody():
    assert not converted(np.zeros((2, 5, 17, 3)), CONVERSION).numpy().any()
    assert converted(np.zeros((2, 0, 17, 3)), CONVERSION).shape == (2, 0, 18, 3)


def test_shapes_are_known_inside_a_data_set():
    data = tf.data.Dataset.from_tensors(people()).map(lambda k: converted(k, CONVERSION))
    assert data.element_spec.shape == (3, 4, 18, 3)
    assert np.array_equal(next(iter(data)).numpy(), converted(people(), CONVERSION).numpy())
