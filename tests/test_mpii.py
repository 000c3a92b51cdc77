"""MPII's json form: the same records as COCO's."""

import json

import folders
import numpy as np
import pytest
import tiny
from scipy import io as scipy_io

from tfpose import jobs, paths, yaml_config
from tfpose.data import mpii, source
from tfpose.skeleton import LSP14, MPII16, Skeleton

JOINTS = [[10.0 + i, 20.0 + i] for i in range(16)]


def entry(image="000001.jpg", **changes) -> dict:
    whole = {"image": image, "joints": JOINTS, "joints_vis": [1] * 16, "center": [50, 40], "scale": 0.3}
    return whole | changes


def load(tmp_path, entries, **options):
    for i in (1, 2, 3):
        folders.photo(tmp_path, i)
    (tmp_path / "people.json").write_text(json.dumps(entries))
    body = options.pop("body", MPII16)
    return mpii.load(tmp_path / "people.json", tmp_path, body, **{"on_bad": "skip"} | options)


def test_a_box_is_the_square_of_two_hundred_scales_about_the_centre(tmp_path):
    record = load(tmp_path, [entry()]).records[0]
    np.testing.assert_allclose(record.boxes, [[20, 10, 60, 60]], rtol=1e-6)
    np.testing.assert_allclose(record.areas, [3600], rtol=1e-6)


def test_the_people_of_an_image_stand_in_one_record_and_keep_their_place_in_the_file(tmp_path):
    records = load(tmp_path, [entry("000002.jpg"), entry(), entry("000002.jpg")]).records
    assert [r.annotation_ids.tolist() for r in records] == [[2], [1, 3]]
    assert (records[0].width, records[0].height) == (120, 90)


def test_a_joint_that_is_not_visible_is_absent_and_zero(tmp_path):
    keypoints = load(tmp_path, [entry(joints_vis=[0] + [1] * 15)]).records[0].keypoints[0]
    assert keypoints[0].tolist() == [0, 0, 0] and keypoints[1].tolist() == [11, 21, 2]


def test_a_file_counted_from_one_gives_the_same_people_as_one_counted_from_zero(tmp_path):
    ones = entry(joints=[[x + 1, y + 1] for x, y in JOINTS], center=[51, 41], head_box=[11, 21, 31, 51])
    zero = load(tmp_path, [entry(head_box=[10, 20, 30, 50])]).records[0]
    one = load(tmp_path, [ones], origin=1).records[0]
    for name in ("keypoints", "boxes", "heads"):
        np.testing.assert_allclose(getattr(one, name), getattr(zero, name))


def test_a_box_is_lowered_in_proportion_to_the_scale(tmp_path):
    record = load(tmp_path, [entry()], lowered=15.0).records[0]
    np.testing.assert_allclose(record.boxes, [[20, 10 + 15 * 0.3, 60, 60]], rtol=1e-6)


def test_a_head_box_is_read_as_corners_and_kept_as_a_box(tmp_path):
    people = [entry(head_box=[10, 20, 40, 60]), entry(), entry(head_box=[0, 0, 0, 0])]
    assert load(tmp_path, people).records[0].heads == ((10, 20, 30, 40), None, None)


def test_the_heads_of_a_companion_file_go_to_the_people_in_their_order(tmp_path):
    corners = np.array([[[1, 2], [11, 22]], [[3, 4], [33, 44]], [[5, 6], [25, 26]]])  # people, corner, x or y
    scipy_io.savemat(tmp_path / "gt.mat", {"headboxes_src": corners.transpose(1, 2, 0)})
    people = [entry("000002.jpg"), entry(), entry("000002.jpg")]
    records = load(tmp_path, people, heads=tmp_path / "gt.mat").records
    assert [r.heads for r in records] == [((3, 4, 30, 40),), ((1, 2, 10, 20), (5, 6, 20, 20))]
    with pytest.raises(ValueError, match=r"3 head boxes, but 2 people in .*people\.json; are the files a pair"):
        load(tmp_path, people[:2], heads=tmp_path / "gt.mat")


def test_a_person_without_joints_is_ignored_not_trained_on(tmp_path):
    record = load(tmp_path, [entry(joints_vis=[0] * 16)]).records[0]
    assert len(record.boxes) == 0 and record.ignore_mask().sum() == 60 * 60


BROKEN = {
    "expected an object": 3,
    "lacks joints": {"image": "000001.jpg", "joints_vis": [], "center": [], "scale": 1},
    "expected 16 joints": entry(joints=JOINTS[:3]),
    "not finite numbers": entry(center=[1, None]),
    "its box has no area": entry(scale=-1),
    "expected a file name": entry(image=5),
    "its head_box is [1, 2]": entry(head_box=[1, 2]),
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_entry_is_one_line_and_left_out(tmp_path, line):
    split = load(tmp_path, [entry(), BROKEN[line]])
    assert len(split.problems) == 1 and "entry 2" in split.problems[0] and line in split.problems[0]
    assert split.records[0].annotation_ids.tolist() == [1]


def test_a_missing_photo_is_a_line_or_refused(tmp_path):
    entries = [entry(), entry("gone.jpg")]
    split = load(tmp_path, entries)
    assert len(split.records) == 1 and "gone.jpg: no such file" in split.problems[0]
    with pytest.raises(ValueError, match=r"gone.jpg: no such file"):
        load(tmp_path, entries, on_bad="refuse")


def test_a_missing_photo_does_not_renumber_the_others(tmp_path):
    entries = [entry("000001.jpg"), entry("000001-gone.jpg"), entry("000002.jpg")]
    assert [r.image_id for r in load(tmp_path, entries).records] == [2, 3]


def test_an_image_is_counted_in_order_or_has_the_number_in_its_name(tmp_path):
    entries = [entry("000003.jpg"), entry("000001.jpg")]
    for ids, expected in (("order", [1, 2]), ("name", [1, 3])):
        assert [r.image_id for r in load(tmp_path, entries, ids=ids).records] == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [("one.jpg", "one.jpg ends in no number"), ("a1.jpg", "a1.jpg ends in the same number as 000001.jpg")],
)
def test_names_whose_numbers_do_not_tell_images_apart_are_refused(tmp_path, name, message):
    with pytest.raises(ValueError, match=rf"people\.json: image {message}; set data\.mpii\.ids to order"):
        load(tmp_path, [entry(), entry(name)], ids="name")


def test_the_ids_of_a_configuration_part_its_photos(tmp_path):
    load(tmp_path, [entry(f"00000{i}.jpg") for i in (2, 3)])
    where = [f"data.validation={{annotations: {tmp_path}/people.json, images: {tmp_path}}}", "data.format=mpii"]
    held = ("data.skeleton=mpii16", "evaluate.metric=pckh", "data.holdout={every: 3, remainder: 2}")
    for ids, expected in (("order", ["000003.jpg"]), ("name", ["000002.jpg"])):
        data = yaml_config.defaults((*where, *held, f"data.mpii.ids={ids}")).data
        found = source.load_part(data, MPII16, "validation").records
        assert [paths.path(r.path).name for r in found] == expected


def test_the_keypoints_of_another_skeleton_are_taken_by_their_names(tmp_path):
    whole, part = (load(tmp_path, [entry(joints_vis=[1] * 15 + [0])], body=b).records[0] for b in (MPII16, LSP14))
    for name in LSP14.keypoints:
        same = MPII16.index("upper_neck" if name == "neck" else name)
        assert part.keypoints[0, LSP14.index(name)].tolist() == whole.keypoints[0, same].tolist()
    assert (part.boxes == whole.boxes).all()


def test_an_entry_without_the_sixteen_joints_is_a_line_for_another_skeleton_too(tmp_path):
    broken = [entry(), entry(joints=JOINTS[:15]), entry(joints_vis=[1] * 14), entry(joints_vis="all"), 7]
    split = load(tmp_path, broken, body=LSP14)
    assert [len(r.boxes) for r in split.records] == [1] and len(split.problems) == 4
    assert "entry 2: expected 14 or 16 joints" in split.problems[0]
    assert "entry 3: has 16 joints, but 14 joints_vis" in split.problems[1]


def test_a_file_of_ones_own_has_the_keypoints_of_its_skeleton_in_their_order(tmp_path):
    own = entry(joints=JOINTS[:14], joints_vis=[1] * 14)
    turned = Skeleton("turned", MPII16.keypoints[::-1], (), MPII16.sigmas)
    for body, one in ((LSP14, own), (turned, entry())):
        keypoints = load(tmp_path, [one], body=body).records[0].keypoints[0]
        assert keypoints[:, :2].tolist() == JOINTS[: body.count]


def test_a_file_of_another_form_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a list of people; found dict"):
        load(tmp_path, {"images": []})


def test_real_mpii_photos_load(real_data):
    split = mpii.load(real_data / "mpii/test_mpii.json", real_data / "mpii", MPII16)
    assert len(split.records) == 5 and not split.problems


def test_mpii_and_coco_forms_of_the_same_people_agree(real_data):
    from tfpose.data import coco
    from tfpose.skeleton import COCO17

    shared = [name for name in MPII16.keypoints if name in COCO17.keypoints]
    found = []
    for load_form, kind, body in ((mpii.load, "mpii16", MPII16), (coco.load, "coco17", COCO17)):
        split = load_form(real_data / f"lspet/lspet_{kind}_train.json.gz", None, body)
        keypoints = np.concatenate([r.keypoints for r in split.records])
        found.append(keypoints[:, [body.index(name) for name in shared]])
    np.testing.assert_allclose(*found, atol=1e-3)


RSN = "system={name: rsn, size: [64, 64], depths: [1, 1, 1, 1], planes: 16, width: 8, branches: 2, decoder: 32}"
TRAINING = tuple(option for option in tiny.OPTIONS if not option.startswith("system."))
both = pytest.mark.parametrize("options", [tiny.OPTIONS, (RSN, *TRAINING)], ids=["ppnet", "rsn"])


def run_of(files, part, folder, *more):
    """The folder of a run of seconds on MPII's form: one epoch of a tiny network with 16 keypoints."""
    from tfpose.train import loop

    if not files.is_file():
        pytest.skip(f"real photographs are not at hand: no file {files}")
    images = files.parent if part == "five" else files.parent / "images"
    data = [f"data.{p}={{annotations: {files}, images: {images}}}" for p in ("train", "validation")]
    form = ("data.format=mpii", "data.skeleton=mpii16", "evaluate.metric=pckh", "train.epochs=1", "train.pictures=0")
    config = yaml_config.defaults((*more, *data, *form))
    return loop.train(config, folder / "run"), config


@both
@pytest.mark.slow
def test_the_real_photos_train_a_network_that_is_judged_by_their_heads(real_data, tmp_path, options):
    files = real_data / "mpii/test_mpii.json"
    run, config = run_of(files, "five", tmp_path, *options, "data.mpii={origin: 1, lowered: 15.0}", "train.batch=4")
    figures = jobs.evaluate(run / "network.keras", config)[jobs.ANNOTATED].figures
    assert figures["persons"] == 5 and figures["heads"]["segment"] == 5
    assert 0 <= figures["PCKh@0.1"] <= figures["AUC"] <= figures["PCKh"] <= 1


@both
@pytest.mark.slow
def test_people_whose_thorax_is_never_labelled_train_a_network(real_data, tmp_path, options):
    files = real_data / "lspet/lspet_mpii16_train.json.gz"
    run, config = run_of(files, "all", tmp_path, *options, "data.holdout={every: 300, remainder: 1}")
    figures = jobs.evaluate(run / "network.keras", config)[jobs.ANNOTATED].figures
    assert figures["keypoints"]["thorax"] is None and figures["persons"] > 20
