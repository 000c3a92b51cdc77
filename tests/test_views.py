"""One affine, one warp: TensorFlow's and OpenCV's views are those of `geometry.py`."""

import folders
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpose import geometry
from tfpose.data import views
from tfpose.data.augment import Draws
from tfpose.skeleton import COCO17

SIZE = (64, 48)
PHOTO = (90, 120)
warps = pytest.mark.parametrize("warp", ["graph", "opencv"])


def draws(count: int = 6, seed: int = 0, mirror: bool | None = None, strength: float = 0.0) -> Draws:
    """Everything that can be drawn, for people all over a photo of 90 x 120."""
    random = np.random.default_rng(seed)
    boxes = np.concatenate([random.uniform(5, 60, (count, 2)), random.uniform(8, 40, (count, 2))], axis=1)
    colour = np.eye(3, 4) + strength * random.uniform(-1, 1, (count, 3, 4)) * [0.2, 0.2, 0.2, 30]
    drawn = (
        boxes,
        random.uniform(1, 1.5, count),
        random.uniform(-90, 90, count),
        random.uniform(0.7, 1.4, count),
        random.uniform(-0.2, 0.2, (count, 2)),
    )
    mirrored = random.random(count) < 0.5 if mirror is None else np.full(count, mirror)
    some = *(tf.constant(d, tf.float32) for d in drawn), tf.constant(mirrored), tf.constant(colour, tf.float32)
    return Draws(*some, erased=tf.zeros([count, 4]))


def plain_affine(d: Draws, i: int) -> geometry.Affine:
    """The same view by `geometry.py`."""
    box, padding, turn, scale, shift, mirror = (v.numpy()[i] for v in d[:6])
    affine = geometry.crop(box, SIZE, padding=padding, turn=turn, scale=scale, shift=shift)
    return geometry.mirroring(SIZE[1]) @ affine if mirror else affine


def read(path, photo_size, d: Draws, warp: str) -> np.ndarray:
    """The views as the input pipeline reads them, in a graph."""
    drawn = views.affines(d, SIZE), d.colour, d.erased
    graph = tf.function(lambda p: views.read(p, tf.constant(photo_size), *drawn, SIZE, warp))
    return graph(tf.constant(str(path))).numpy().astype(int)


def test_a_view_is_geometrys_crop_with_the_mirror_behind_it():
    d = draws(20)
    for i, matrix in enumerate(views.affines(d, SIZE).numpy()):
        np.testing.assert_allclose(matrix, plain_affine(d, i).matrix, atol=1e-3)


def test_a_letterbox_is_geometrys():
    sizes = [(100, 50), (37, 200), (480, 640)]
    expected = [geometry.letterbox(size, SIZE).matrix for size in sizes]
    np.testing.assert_allclose(views.letterboxes(tf.constant(sizes), SIZE), expected, atol=1e-4)


def test_keypoints_go_through_the_affine_of_the_pixels():
    d, random = draws(mirror=False), np.random.default_rng(1)
    keypoints = np.concatenate([random.uniform(0, 90, (6, 17, 2)), np.full((6, 17, 1), 2)], axis=2).astype(np.float32)
    moved = views.mapped(keypoints, views.affines(d, SIZE), d.mirror, COCO17).numpy()
    for i in range(6):
        np.testing.assert_allclose(moved[i, :, :2], plain_affine(d, i).apply(keypoints[i, :, :2]), atol=1e-2)


def test_the_keypoints_of_a_mirrored_person_change_sides():
    d = draws(1, mirror=True)
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, COCO17.index("left_wrist")] = 30, 40, 2
    moved = views.mapped(keypoints, views.affines(d, SIZE), d.mirror, COCO17).numpy()[0]
    assert np.flatnonzero(moved[:, 2]) == COCO17.index("right_wrist")
    np.testing.assert_allclose(moved[moved[:, 2] > 0, :2], [plain_affine(d, 0).apply([30, 40])], atol=1e-3)


def test_an_absent_keypoint_stays_at_zero():
    d = draws()
    keypoints = np.random.default_rng(0).uniform(0, 90, (6, 17, 3)).astype(np.float32) * [1, 1, 0]
    assert not views.mapped(tf.cast(keypoints, tf.float32), views.affines(d, SIZE), d.mirror, COCO17).numpy().any()


@warps
def test_a_warp_agrees_with_geometrys_to_one_grey_level(tmp_path, warp):
    image, d = folders.smooth(PHOTO), draws()
    Image.fromarray(image).save(tmp_path / "photo.png")
    for i, view in enumerate(read(tmp_path / "photo.png", PHOTO, d, warp)):
        assert abs(view - geometry.warp(image, plain_affine(d, i), SIZE).astype(int)).max() <= 1


@warps
def test_a_white_dot_lies_where_its_keypoint_does(tmp_path, warp):
    image = np.zeros((*PHOTO, 3), np.uint8)
    image[40, 50] = 255
    Image.fromarray(image).save(tmp_path / "dot.png")
    d = draws(1, mirror=True)._replace(boxes=tf.constant([[40.0, 30.0, 20.0, 20.0]]), shift=tf.zeros([1, 2]))
    weight = read(tmp_path / "dot.png", PHOTO, d, warp)[0, :, :, 0]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    found = [(columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()]
    np.testing.assert_allclose(found, plain_affine(d, 0).apply([50, 40]), atol=0.1)


@warps
def test_what_is_erased_is_grey_and_nothing_else_changes(tmp_path, warp):
    folders.photo(tmp_path, 1)
    d = draws(3)
    parts = tf.constant([[0.25, 0.5, 0.75, 1.0], [0, 0, 0, 0], [0, 0, 1, 1]], tf.float32)
    plain, erased = (read(tmp_path / "000001.jpg", PHOTO, each, warp) for each in (d, d._replace(erased=parts)))
    expected = plain.copy()
    expected[0, SIZE[0] // 2 :, SIZE[1] // 4 : SIZE[1] * 3 // 4] = expected[2] = views.GREY
    assert np.array_equal(erased, expected)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_both_warps_see_the_same_in_every_kind_of_photo(tmp_path, mode, name):
    Image.fromarray(folders.smooth(PHOTO)).convert(mode).save(tmp_path / name)
    d = draws(strength=1.0)
    graph, opencv = (read(tmp_path / name, PHOTO, d, warp) for warp in ("graph", "opencv"))
    assert graph.std() > 5
    assert abs(graph - opencv).max() <= 1


def test_a_part_of_a_jpeg_is_decoded_as_the_whole_is(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (*PHOTO, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg", quality=80, subsampling=2)
    whole = np.asarray(Image.open(tmp_path / "photo.jpg"))
    for i in range(5):
        d = draws(1, seed=i)
        view = read(tmp_path / "photo.jpg", PHOTO, d, "graph")[0]
        assert abs(view - geometry.warp(whole, plain_affine(d, 0), SIZE).astype(int)).max() <= 1


@warps
def test_a_view_beside_the_photo_or_of_nothing_is_still_a_view(tmp_path, warp):
    folders.photo(tmp_path, 1)
    d = draws(2)._replace(boxes=tf.constant([[500.0, 500.0, 20.0, 20.0], [30.0, 30.0, 0.0, 0.0]]))
    beside, _ = read(tmp_path / "000001.jpg", PHOTO, d, warp)
    assert not beside.any()


@warps
def test_a_photo_of_nobody_is_not_even_opened(warp):
    assert read("no such photo.jpg", PHOTO, draws(0), warp).shape == (0, *SIZE, 3)


def test_a_warp_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # noqa: ARG005
    assert views.choose("auto") == views.choose("graph") == "graph"
    with pytest.raises(ValueError, match="opencv"):
        views.choose("opencv")
