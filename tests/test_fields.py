"""`tfpose show NETWORK --fields PHOTO`: every step from a photo to its people is drawn where it is, and counted."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from perfect import SIZE, SPEC, STRIDE, network, people, photo
from PIL import Image

from tfpose import cli, draw, fields, geometry, runners
from tfpose.predict_images import ImagePredictor
from tfpose.skeleton import OPENPOSE18

WIDE, FACTOR = (240, 480), 2
GREY = np.full((120, 160, 3), 128, np.uint8)
# From the photo WIDE to the pictures of its steps.
THERE = geometry.resizing(FACTOR, FACTOR) @ geometry.letterbox(WIDE, SIZE)
STEPS = ("heatmaps", "fields", "peaks", "limbs", "people")


def steps(count=2):
    pictures, counts = fields.steps(ImagePredictor(SPEC, network((WIDE, people(WIDE)[:count]))), photo(WIDE))
    return dict(zip(STEPS, pictures, strict=True)), counts


@pytest.fixture(scope="module")
def drawn():
    return steps()[0]


@pytest.fixture(scope="module")
def empty():
    return steps(0)[0]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The paths of a photo and of a network that knows who is on it."""
    Image.fromarray(photo(WIDE)).save(tmp_path / "photo.png")
    monkeypatch.setattr(runners, "load", lambda _: (SPEC, network((WIDE, people(WIDE)))))
    return tmp_path / "photo.png", tmp_path / "run"


def at(picture, point):
    """The colour of the picture's pixel at a point of the photo."""
    column, row = np.rint(THERE.apply(point)).astype(int)
    return picture[row, column].astype(int)


def differs(picture, other):
    return (picture != other).any(axis=-1)


def field(x, y, grid=(30, 40), limbs=3):
    """Fields that are (x, y) in the second limb's right half of the grid, 0 elsewhere."""
    pafs = np.zeros((*grid, 2 * limbs), np.float32)
    pafs[:, grid[1] // 2 :, 2:4] = x, y
    return pafs


def test_peaks_limbs_and_people_are_counted():
    counts = steps()[1]
    assert counts["peaks"] == 2 * OPENPOSE18.count and counts["people"] == 2
    assert counts["candidate limbs"] >= 2 * len(OPENPOSE18.limbs)
    assert set(steps(0)[1].values()) == {0}


def test_all_steps_are_drawn_on_the_same_enlarged_view(drawn):
    assert {picture.shape for picture in drawn.values()} == {(FACTOR * SIZE[0], FACTOR * SIZE[1], 3)}
    assert {picture.dtype for picture in drawn.values()} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_shows_something_at_every_shoulder_and_nothing_beside_the_photo(drawn, empty, step):
    for person in people(WIDE):
        for name in ("left_shoulder", "right_shoulder"):
            shoulder = person[OPENPOSE18.index(name), :2]
            assert np.abs(at(drawn[step], shoulder) - at(empty[step], shoulder)).max() > 30, name
    assert (drawn[step][[0, -1]] == empty[step][[0, -1]]).all()


def test_a_peak_is_a_disc_about_its_place_in_the_colour_of_its_side(drawn):
    for side, colour in (("left", draw.LEFT), ("right", draw.RIGHT)):
        wrists = people(WIDE)[:, OPENPOSE18.index(f"{side}_wrist"), :2]
        assert all(tuple(at(drawn["peaks"], wrist)) == colour for wrist in wrists)
    disc = differs(fields.draw_peaks(GREY, np.array([[50.0, 70.0]]), [4], [0.9], OPENPOSE18), GREY)
    assert np.abs(np.argwhere(disc).mean(axis=0) - (70, 50)).max() <= 0.5


def test_a_higher_peak_is_a_larger_disc_and_a_better_limb_a_brighter_line():
    points = np.array([[40.0, 60.0], [120.0, 60.0]])
    discs = differs(fields.draw_peaks(GREY, points, [4, 4], np.array([0.2, 0.9]), OPENPOSE18), GREY)
    assert 0 < discs[:, :80].sum() < discs[:, 80:].sum()
    lines = fields.draw_limbs(GREY, points - (0, 30), points + (0, 30), np.array([0.2, 0.9])).astype(int)
    assert lines[60, 40].sum() < lines[60, 120].sum() and (lines[60, 80] == 64).all()


def test_the_better_of_two_limbs_lies_on_top():
    starts, ends = np.array([[40.0, 60.0], [80.0, 20.0]]), np.array([[120.0, 60.0], [80.0, 100.0]])
    for scores in ((0.3, 0.9), (0.9, 0.3)):
        picture = fields.draw_limbs(GREY, starts, ends, np.array(scores))
        best = picture[60, 60] if scores[0] > scores[1] else picture[40, 80]
        assert (picture[60, 80] == best).all()


def test_no_field_leaves_the_image_and_a_field_lies_over_its_place():
    assert (draw.draw_fields(GREY, field(0, 0)) == GREY).all()
    changed = differs(draw.draw_fields(GREY, field(1, 0)), GREY)
    assert changed[:, 82:].all() and not changed[:, :78].any()


def test_a_field_is_red_to_the_right_and_then_clockwise_green_blue():
    for angle, channel in ((0, 0), (120, 1), (240, 2)):
        x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        colour = draw.draw_fields(GREY, field(x, y))[60, 120].astype(int)
        assert colour.argmax() == channel and colour[channel] > 200, angle
        others = np.delete(colour, channel)
        assert abs(others[0] - others[1]) <= 1


def test_a_longer_vector_is_drawn_stronger_and_the_longest_of_all_limbs_alone():
    short, long = (draw.draw_fields(GREY, field(length, 0)).astype(int) for length in (0.3, 0.9))
    assert 0 < np.abs(short - GREY)[60, 120].max() < np.abs(long - GREY)[60, 120].max()
    both = field(0.9, 0)
    both[..., 4:] = 0.3 * (field(0, 1)[..., 2:4])
    assert (draw.draw_fields(GREY, both) == long).all()


def sheet(path, run, picture):
    """What the command draws of a photo."""
    assert cli.main(["show", str(run), "--fields", str(path), "--picture", str(picture)]) == 0
    return np.asarray(Image.open(picture))


def test_the_picture_of_a_command_is_a_sheet_of_all_steps(written, drawn, capsys):
    picture = written[0].with_name("steps.png")
    found = sheet(*written, picture)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("36 peaks, ") and line.endswith(f" candidate limbs, 2 people: {picture}")
    height, width = FACTOR * SIZE[0], FACTOR * SIZE[1]
    assert found.shape == (3 * (height + 4) + 4, 2 * (width + 4) + 4, 3)
    assert (found[4 : height + 4, 4 : width + 4] == drawn["heatmaps"]).all()


def test_a_photo_is_shown_upright(written):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    path = written[0].with_name("turned.png")
    Image.fromarray(photo(WIDE)[::-1, ::-1].copy()).save(path, exif=exif)
    straight, turned = (sheet(p, written[1], p.with_suffix(".sheet.png")) for p in (written[0], path))
    assert (straight == turned).all()


def test_a_network_without_fields_is_named(written, monkeypatch, capsys):
    monkeypatch.setattr(runners, "load", lambda _: (tiny.spec(), None))
    assert cli.main(["show", str(written[1]), "--fields", str(written[0])]) == 1
    assert f"tfpose show: {written[1]}: looks at one person and has no fields" in capsys.readouterr().err


def test_a_missing_network_and_a_missing_photo_are_one_line_each(tmp_path, written, monkeypatch, capsys):
    gone = tmp_path / "gone.jpg"
    assert cli.main(["show", str(written[1]), "--fields", str(gone)]) == 1
    monkeypatch.undo()
    assert cli.main(["show", str(tmp_path / "missing"), "--fields", str(written[0])]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"tfpose show: {gone}: no such image file"
    assert second == f"tfpose show: {tmp_path / 'missing'}: no such file or folder"


def test_a_large_view_is_drawn_as_it_is():
    spec = replace(SPEC, size=(512, 640))
    predictor = ImagePredictor(spec, network((WIDE, people(WIDE))))
    assert fields.steps(predictor, photo(WIDE))[0][0].shape == (512, 640, 3)
    assert STRIDE * predictor.outputs([photo(WIDE)])["pafs"].shape[1] == 512
