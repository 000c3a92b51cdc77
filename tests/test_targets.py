"""`tfpose show CONFIG --fields PHOTO`: what will be taught is drawn where it is, and counted, without any network."""

import numpy as np
import pytest
import tiny
from PIL import Image

from tfpose import anchors, cli, draw, targets, yaml_config
from tfpose.skeleton import COCO17
from tfpose.systems.base import system

SMALL = "{name: multiposenet, part: whole, size: [128, 128], crop: [128, 128], backbone: light, width: 16, head: 16}"
BOTH = "[{name: keypoints, options: [system.part=keypoints]}, {name: detector, options: [system.part=detector]}]"
NETWORKS = {
    "whole": f"system={SMALL}",
    "mln": "system={name: mln, size: [128, 128], crop: [128, 128], trunk: mobilenet}",
}
SIZE, FACTOR = (128, 128), 5
CLEAR, TINY, LONG = (30, 20, 40, 90), (100, 100, 6, 6), (0, 2, 128, 4)


def config(*more):
    return tiny.config(NETWORKS["whole"], "augment.half_body=0", f"stages={BOTH}", *more)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml_config.dump(config()))
    return tmp_path / "config.yaml"


def shown(file, what, *options) -> tuple[int, np.ndarray]:
    picture = file.with_name("targets.png")
    code = cli.main(["show", str(file), "--fields", str(what), "--picture", str(picture), *options])
    return code, np.asarray(Image.open(picture)) if picture.is_file() else None


def taught(boxes, ignore=None) -> tuple:
    """The detector's picture and its counts of a grey view with these boxes and the ignored cells."""
    ignore = np.zeros((32, 32), np.float32) if ignore is None else ignore
    method = system(config().system, COCO17)
    batch = {
        "image": np.full((1, *SIZE, 3), 128, np.uint8),
        "boxes": np.float32(boxes).reshape(1, -1, 4),
        "ignore": ignore[None],
    }
    batch |= {"keypoints": np.zeros((1, 1, 17, 3), np.float32), "mask": ignore[None], "annotation_id": np.zeros(1)}
    codes = {name: np.asarray(values)[0] for name, values in method.encode(batch)[1].items()}
    pictures, counts = targets.steps(method, {name: values[0] for name, values in batch.items()}, codes)
    return pictures[-1], counts, codes["scores"][:, 0]


def corner(picture, box) -> tuple:
    return tuple(int(v) for v in picture[box[1] * FACTOR + 1, box[0] * FACTOR + 1])


def test_a_person_with_an_anchor_has_a_green_box_and_one_without_a_red_one():
    picture, counts, _ = taught([CLEAR, TINY, LONG])
    assert [corner(picture, box) for box in (CLEAR, TINY, LONG)] == [targets.FOUND, targets.MISSED, targets.MISSED]
    assert (counts["boxes"], counts["of them without an anchor"]) == (3, 2)


def test_anchors_are_counted_by_what_they_are_taught():
    _, counts, states = taught([CLEAR])
    found = [counts[name] for name in ("anchors of somebody", "not taught", "of nobody")]
    assert found == [int((states == state).sum()) for state in (1, -1, 0)] and min(found) > 0
    assert sum(found) == len(anchors.anchors(SIZE))


def test_an_anchor_that_is_somebodys_is_drawn_and_one_of_nobody_is_not():
    picture, _, states = taught([CLEAR])
    ground, among = taught([])[0], anchors.anchors(SIZE)
    inside = (among[:, :2] > 1).all(axis=1) & ((among[:, :2] + among[:, 2:]) < 126).all(axis=1)
    mine = np.floor(among[(states == 1) & inside] * FACTOR).astype(int)
    assert len(mine) > 3 and all((picture[y, x + w // 2] != ground[y, x + w // 2]).any() for x, y, w, _ in mine)
    assert (ground == ground[0, 0]).all()


def test_where_nothing_is_known_the_pictures_are_grey_and_nobody_is_none():
    ignore = np.zeros((32, 32), np.float32)
    ignore[:, 16:] = 1
    picture, counts, _ = taught([], ignore)
    assert (picture[:, :320] != picture[0, -1]).all() and (picture[:, 320:] == picture[0, -1]).all()
    assert counts["not taught"] > 0 and counts["boxes"] == counts["anchors of somebody"] == 0


@pytest.mark.parametrize(("name", "columns"), [("whole", 4), ("mln", 3)])
def test_every_system_of_whole_images_shows_what_it_is_taught(name, columns, tmp_path):
    said = targets.write(tiny.config(NETWORKS[name], "augment.half_body=0"), "validation", tmp_path / "targets.png")
    assert said.startswith("4 views: ") and " people" in said
    picture = Image.open(tmp_path / "targets.png")
    assert picture.size == (columns * (FACTOR * 128 + 4) + 4, 4 * (FACTOR * 128 + 4) + 4)


def test_a_photo_of_the_data_is_shown_as_a_whole_and_chance_moves_a_training_view(file, capsys):
    photo = sorted((tiny.people() / "train").iterdir())[0]
    code, one = shown(file, photo)
    assert code == 0 and one.shape[0] == FACTOR * 128 + 8 and capsys.readouterr().out.startswith("1 views: ")
    again, moved = shown(file, photo)[1], shown(file, "train")[1]
    assert (one == again).all() and moved.shape[0] > one.shape[0]


def test_a_stage_shows_what_it_is_taught_itself(file, capsys):
    width = shown(file, "validation", "--stage", "detector")[1].shape[1]
    assert width == 2 * (FACTOR * 128 + 4) + 4
    assert shown(file, "validation", "--stage", "prn")[0] == 1
    assert "--stage: found prn; choose from keypoints, detector" in capsys.readouterr().err


@pytest.mark.slow
def test_views_of_several_sizes_are_shown_as_they_are_taught(tmp_path):
    sizes = "train.buckets=[[96, 128], [128, 96]]"
    said = targets.write(tiny.config(NETWORKS["whole"], "augment.half_body=0", sizes), "train", tmp_path / "t.png")
    assert said.startswith("4 views: ") and Image.open(tmp_path / "t.png").size[1] == 4 * (FACTOR * 96 + 4) + 4


def test_what_cannot_be_shown_is_one_line(file, tmp_path, capsys):
    assert shown(file, tmp_path / "other.jpg")[0] == 1
    assert "other.jpg: no photo of data.train or data.validation" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"^--fields: ppnet looks at no whole image"):
        targets.write(tiny.config(), "train", tmp_path / "t.png")
    assert draw.BOX == targets.FOUND
