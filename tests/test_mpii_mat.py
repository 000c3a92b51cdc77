"""MPII's official .mat: structs within structs, in which much may be missing."""

import folders
import numpy as np
import pytest
from scipy import io as scipy_io

from tfpose import yaml_config
from tfpose.data import check, mpii, mpii_mat
from tfpose.data.source import load_part
from tfpose.skeleton import COCO17, LSP14, MPII16

EMPTY = np.zeros((0, 0))


def structs(entries):
    """A MATLAB struct array (1, N) of dicts; a field that one of them lacks is empty there."""
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    made = np.empty((1, len(entries)), [(name, object) for name in names])
    for i, entry in enumerate(entries):
        for name in names:
            made[0, i][name] = entry.get(name, EMPTY)
    return made


def points(joints=range(16), **changes):
    """The annopoints of a person: joint i at (10 + i, 20 + i), counted from 1; heads have no is_visible."""
    every = [{"x": 10.0 + i, "y": 20.0 + i, "id": i} | ({} if i in (8, 9) else {"is_visible": "1"}) for i in joints]
    for i, visible in changes.items():
        every[int(i[1:])]["is_visible"] = visible
    return {"point": structs(every)}


def person(**changes):
    place = {"scale": 0.3, "objpos": {"x": 51.0, "y": 41.0}}
    return {"x1": 11.0, "y1": 21.0, "x2": 41.0, "y2": 61.0, "annopoints": points()} | place | changes


def release(folder, images, trained=None):
    """Writes the file: `images` has the people of each, numbered photos 1, 2 ..."""
    annotations = []
    for i, people in enumerate(images, 1):
        name = folders.photo(folder, i)["file_name"]
        rect = structs(people) if people else EMPTY
        annotations.append({"image": {"name": name}, "annorect": rect, "vididx": 1.0})
    content = {"annolist": structs(annotations), "img_train": np.array([trained or [1] * len(images)], np.uint8)}
    scipy_io.savemat(folder / "mpii.mat", {"RELEASE": content | {"version": "12"}})
    return folder / "mpii.mat"


def load(folder, images, trained=None, **options):
    return mpii.load(release(folder, images, trained), folder, MPII16, **options)


def test_one_person_and_several_are_read_alike(tmp_path):
    records = load(tmp_path, [[person()], [person(), person(), person()]]).records
    assert [len(r.boxes) for r in records] == [1, 3]
    assert [r.annotation_ids.tolist() for r in records] == [[1], [2, 3, 4]]


def test_coordinates_are_counted_from_zero_boxes_and_heads_too(tmp_path):
    record = load(tmp_path, [[person()]]).records[0]
    np.testing.assert_allclose(record.keypoints[0, :, :2], [[9 + i, 19 + i] for i in range(16)])
    np.testing.assert_allclose(record.boxes, [[20, 10, 60, 60]], rtol=1e-6)
    assert record.heads == ((10, 20, 30, 40),)


def test_the_official_file_and_the_json_form_agree(tmp_path):
    people = [person(), person(annopoints=points([0, 3, 9]), objpos={"x": 70.0, "y": 33.0})]
    path = release(tmp_path, [people, [person()]])
    entries = [entry | {"hidden": [0] * 16} for entry in mpii_mat.read(path)]
    official = mpii.load(path, tmp_path, MPII16, lowered=15.0).records
    (tmp_path / "people.json").write_text(str(entries).replace("'", '"'))
    plain = mpii.load(tmp_path / "people.json", tmp_path, MPII16, origin=1, lowered=15.0).records
    for ours, other in zip(official, plain, strict=True):
        for name in ("keypoints", "boxes", "heads", "annotation_ids", "image_id"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(other, name))


def test_a_joint_is_visible_unless_the_file_says_zero(tmp_path):
    marks = points(_0="0", _1=0, _2=1, _3="", _4=EMPTY)
    visibility = load(tmp_path, [[person(annopoints=marks)]]).records[0].keypoints[0, :, 2]
    assert visibility.tolist() == [1, 1] + [2] * 14


def test_one_joint_alone_and_a_person_whose_joints_have_no_visibility_are_read(tmp_path):
    bare = {"point": structs([{"x": 3.0, "y": 4.0, "id": 9}])}
    keypoints = load(tmp_path, [[person(annopoints=bare)]]).records[0].keypoints[0]
    assert keypoints[9].tolist() == [2, 3, 2] and not keypoints[:9].any()


def test_images_of_the_test_set_and_images_without_people_are_left_out(tmp_path):
    images = [[person()], [person()], []]
    split = load(tmp_path, images, trained=[1, 0, 1])
    assert [r.path[-10:] for r in split.records] == ["000001.jpg"] and not split.problems


def test_a_person_without_joints_is_ignored_where_it_stands_or_where_its_head_is(tmp_path):
    whole = person(annopoints=EMPTY)
    head = {name: whole[name] for name in ("x1", "y1", "x2", "y2")}
    nothing = {"x1": EMPTY}
    record = load(tmp_path, [[person(), whole, head, nothing]]).records[0]
    assert len(record.boxes) == 1 and np.allclose(record.ignore, [[20, 10, 60, 60], [5, 20, 40, 40]])


def test_a_person_without_a_head_box_has_no_head(tmp_path):
    bare = {name: value for name, value in person().items() if name not in ("x1", "y1", "x2", "y2")}
    assert load(tmp_path, [[bare, person()]]).records[0].heads[0] is None


def test_joints_without_a_place_are_a_line_and_left_out(tmp_path):
    images = [[person(), person(scale=EMPTY)]]
    split = load(tmp_path, images, on_bad="skip")
    assert len(split.records[0].boxes) == 1 and "entry 2: lacks center, scale" in split.problems[0]
    with pytest.raises(ValueError, match="entry 2: lacks center, scale"):
        load(tmp_path, images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"other": 1}, "has no variable RELEASE"),
        ({"RELEASE": {"annolist": 3}}, "not of the form of MPII's official annotations"),
        (None, "not a MATLAB file that can be read"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "mpii.mat"
    path.write_text("no MATLAB") if content is None else scipy_io.savemat(path, content)
    with pytest.raises(ValueError, match=message):
        mpii.load(path, None, MPII16)


def test_the_official_file_gives_the_keypoints_of_lsp_too(tmp_path):
    path = release(tmp_path, [[person(annopoints=points(v12="0"))]])
    whole, part = (mpii.load(path, tmp_path, body).records[0].keypoints[0] for body in (MPII16, LSP14))
    assert part[:12].tolist() == whole[[*range(6), *range(10, 16)]].tolist()
    assert part[12:].tolist() == whole[8:10].tolist() and part[8, 2] == 1


def test_a_skeleton_with_other_keypoints_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"found data\.skeleton=coco17; set it to mpii16"):
        mpii.load(release(tmp_path, [[person()]]), tmp_path, COCO17)


def test_a_head_file_of_another_shape_is_refused(tmp_path):
    scipy_io.savemat(tmp_path / "gt.mat", {"headboxes_src": np.zeros((3, 4))})
    with pytest.raises(ValueError, match=r"headboxes_src is \(3, 4, 1\); expected 2 x 2 x people"):
        mpii_mat.heads(tmp_path / "gt.mat")


def test_one_official_file_serves_training_and_validation_and_is_checked(tmp_path):
    path = release(tmp_path, [[person()]] * 6)
    where = [f"data.{part}={{annotations: {path}, images: {tmp_path}}}" for part in ("train", "validation")]
    options = ("data.format=mpii", "data.skeleton=mpii16", "evaluate.metric=pckh")
    data = yaml_config.defaults((*where, *options, "data.holdout={every: 3, remainder: 1}")).data
    train, validation = (load_part(data, MPII16, part) for part in ("train", "validation"))
    assert [r.image_id for r in train.records] == [2, 3, 5, 6] and [r.image_id for r in validation.records] == [1, 4]
    assert check.check(train, MPII16).people == 4
