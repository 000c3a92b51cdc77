"""The coordinate convention: every change of frame is one affine map of pixel centres."""

import numpy as np
import pytest

from tfpose import geometry

POINTS = np.random.default_rng(0).uniform(-20, 300, (50, 2))


def affines():
    return [
        geometry.mirroring(320),
        geometry.rotation(37),
        geometry.stride(4),
        geometry.resizing(0.3, 1.7),
        geometry.letterbox((240, 320), (128, 96)),
        geometry.crop([10, 20, 70, 150], (256, 192), turn=20, scale=1.2, shift=(0.1, -0.2)),
    ]


def photo(height=60, width=80):
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("affine", affines())
def test_the_inverse_undoes_the_map(affine):
    assert affine.inverse.apply(affine.apply(POINTS)) == pytest.approx(POINTS, abs=1e-9)


def test_a_product_applies_its_right_side_first():
    for first in affines():
        for second in affines():
            assert (second @ first).apply(POINTS) == pytest.approx(second.apply(first.apply(POINTS)), abs=1e-9)


def test_mirroring_twice_changes_nothing_and_swaps_the_outer_columns():
    mirror = geometry.mirroring(320)
    assert (mirror @ mirror).apply(POINTS) == pytest.approx(POINTS)
    assert mirror.apply([[0, 5], [319, 5]]).tolist() == [[319, 5], [0, 5]]


def test_the_first_cell_is_centred_on_its_pixels():
    assert geometry.stride(4).apply([1.5, 1.5]).tolist() == [0, 0]
    assert geometry.stride(4).apply([-0.5, 3.5]).tolist() == [-0.5, 0.5]


def test_mirrored_pixels_fall_on_mirrored_cells():
    one = geometry.stride(4) @ geometry.mirroring(192)
    other = geometry.mirroring(48) @ geometry.stride(4)
    assert one.matrix == pytest.approx(other.matrix)


def test_rotation_is_clockwise_on_the_screen():
    assert geometry.rotation(90).apply([1, 0]) == pytest.approx([0, 1])


def test_magnification_is_view_pixels_per_source_pixel():
    assert geometry.stride(4).magnification == pytest.approx(0.25)
    assert (geometry.resizing(3, 3) @ geometry.rotation(50)).magnification == pytest.approx(3)


def test_a_letterbox_fits_the_longer_side_and_is_centred():
    affine = geometry.letterbox((100, 200), (80, 80))
    corners = affine.apply([[-0.5, -0.5], [199.5, 99.5]])
    assert corners == pytest.approx(np.array([[-0.5, 19.5], [79.5, 59.5]]))


def test_a_crop_without_padding_puts_the_corners_of_a_fitting_box_on_those_of_the_view():
    affine = geometry.crop([30, 40, 96, 128], (256, 192), padding=1.0)
    corners = affine.apply([[29.5, 39.5], [125.5, 167.5]])
    assert corners == pytest.approx(np.array([[-0.5, -0.5], [191.5, 255.5]]))


def test_a_crop_keeps_its_aspect_and_holds_the_whole_box():
    for box in ([5, 5, 200, 20], [5, 5, 20, 200], [0, 0, 1, 1]):
        affine = geometry.crop(box, (256, 192), padding=1.0)
        x, y, w, h = box
        corners = affine.apply(np.array([[x, y], [x + w, y + h]]) - 0.5)
        assert (corners >= -0.5001).all() and (corners <= np.array([191.5001, 255.5001])).all()
        assert affine.matrix[0, 0] == pytest.approx(affine.matrix[1, 1])


def test_padding_and_scale_are_about_the_centre_and_undo_each_other():
    box = [30, 40, 50, 90]
    plain = geometry.crop(box, (64, 48), padding=1.0)
    assert geometry.crop(box, (64, 48), padding=1.5, scale=1.5).matrix == pytest.approx(plain.matrix)
    middle = [30 + 25 - 0.5, 40 + 45 - 0.5]
    assert geometry.crop(box, (64, 48), padding=2, turn=77).apply(middle) == pytest.approx([23.5, 31.5])


def test_a_crop_of_no_size_is_still_a_map():
    affine = geometry.crop([10, 10, 0, 0], (64, 48))
    assert np.isfinite(affine.inverse.matrix).all()


def test_a_warp_by_nothing_is_the_image():
    image = photo()
    assert (geometry.warp(image, geometry.translation(0, 0), (60, 80)) == image).all()


def test_a_warp_by_whole_pixels_moves_them_and_leaves_zeros():
    view = geometry.warp(photo(), geometry.translation(3, -2), (60, 80))
    assert (view[:58, 3:] == photo()[2:, :77]).all()
    assert not view[58:].any() and not view[:, :3].any()


def test_a_warp_by_mirroring_is_the_mirrored_image():
    assert (geometry.warp(photo(), geometry.mirroring(80), (60, 80)) == photo()[:, ::-1]).all()


def test_a_warp_agrees_with_opencv_to_one_grey_level():
    cv2 = pytest.importorskip("cv2")
    image = cv2.GaussianBlur(photo(), (5, 5), 0)
    for affine in (geometry.crop([5, 5, 50, 40], (64, 48), turn=30), geometry.letterbox((60, 80), (90, 96))):
        other = cv2.warpAffine(image, affine.matrix, (48, 64), flags=cv2.INTER_LINEAR)
        assert np.abs(geometry.warp(image, affine, (64, 48)).astype(int) - other).max() <= 1


def test_pixels_and_points_move_alike():
    image = np.zeros((200, 160, 1), np.float32)
    image[90:93, 60:63] = 1
    affine = geometry.crop([20, 40, 80, 120], (256, 192), turn=25, scale=1.1, shift=(0.05, 0.1))
    view = geometry.warp(image, affine, (256, 192))[..., 0]
    rows, columns = np.mgrid[:256, :192]
    centre = np.array([(view * columns).sum(), (view * rows).sum()]) / view.sum()
    assert centre == pytest.approx(affine.apply([61, 91]), abs=0.05)
