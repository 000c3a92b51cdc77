"""What is trained from shards is what would be trained from the files, and nothing broken passes in silence."""

import itertools
import json
from pathlib import Path

import folders
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose import cli, yaml_config
from tfpose.config import Augment
from tfpose.data import augment as chance
from tfpose.data import check, coco, crops, manifest, pipeline, records, sharding, shards, undecodable, views
from tfpose.data.sharding import How
from tfpose.data.share import WHOLE, Share
from tfpose.data.source import load_part, locate
from tfpose.skeleton import COCO17, MPII16

SIZE, PADDING, BATCH = (64, 48), 1.25, 4
STRONG = Augment(shift=0.1, extension=(0.2, 0.1), brightness=0.2, half_body=0.5)
REACH = crops.reach(SIZE, PADDING, STRONG, detail=1.5)  # no person of these photos is made smaller
PEOPLE = (1, 3, 0, 2, 1, 1, 2, 1)  # on each photo


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Eight photos, one a PNG and one without people, with a crowd to be ignored on the first."""
    folder = tmp_path_factory.mktemp("people")
    images = [folders.photo(folder, i, suffix="png" if i == 2 else "jpg") for i, _ in enumerate(PEOPLE, 1)]
    ids = itertools.count(1)
    people = [folders.person(next(ids), i, (10 * j + 5, 8, 30, 60)) for i, p in enumerate(PEOPLE, 1) for j in range(p)]
    crowd = folders.person(90, 1, iscrowd=1, segmentation=[[60, 5, 100, 9, 90, 70]])
    bare = folders.person(91, 1, keypoints=[], num_keypoints=0, segmentation=[[5, 70, 20, 70, 20, 80]])
    return coco.load(folders.write(folder, images, [*people, crowd, bare]), folder, COCO17, bodies=True).records


@pytest.fixture(scope="module")
def whole(found, tmp_path_factory):
    """A folder of three shards of whole photos."""
    return written(found, tmp_path_factory.mktemp("whole"), How(per_shard=3, outlines=True))


@pytest.fixture
def spoilt(found, tmp_path):
    """Another one, to be spoilt."""
    return written(found, tmp_path / "spoilt", How(per_shard=3))


def written(found, folder, how):
    sharding.write(found, folder, "train", COCO17, {"data": "these"}, how)
    return folder


def loaded(folder, **options):
    return shards.load(folder, "train", COCO17, **options).records


def training(found, steps, *, view="person", share=WHOLE, warp="auto", augment=STRONG, batch=BATCH):
    common = {"size": SIZE, "padding": PADDING, "skeleton": COCO17, "augment": augment, "batch": batch, "seed": 5}
    labels = ("mask", "boxes") if view == "image" else ()
    more = {"view": view, "stride": 4, "labels": labels, "share": share, "warp": warp, "workers": 2}
    return list(pipeline.training(found, lambda b: b, **common, **more).take(steps).as_numpy_iterator())


def same(one, other):
    assert len(one) == len(other) > 0
    return all(np.array_equal(a[name], b[name]) for a, b in zip(one, other) for name in a)


@pytest.mark.parametrize(("view", "warp"), [("person", "opencv"), ("person", "graph"), ("image", "auto")])
def test_samples_of_whole_photos_are_those_of_the_files_bit_for_bit(found, whole, view, warp):
    options = {"view": view, "warp": warp, "augment": Augment(half_body=0.3 if view == "person" else 0.0)}
    assert same(training(loaded(whole, bodies=True), 4, **options), training(found, 4, **options))


def test_photos_are_kept_byte_for_byte_and_those_without_people_left_out(found, whole):
    kept = [r for r in found if len(r.boxes)]
    assert manifest.read(whole, "train").left_out == 1
    for one, other in zip(kept, loaded(whole), strict=True):
        assert records.fetched(other.path) == Path(one.path).read_bytes()


def test_masks_and_labels_are_those_of_the_files(found, whole):
    for one, other in zip((r for r in found if len(r.boxes)), loaded(whole, bodies=True), strict=True):
        assert np.array_equal(one.ignore_mask(), other.ignore_mask())
        assert np.array_equal(one.person_mask(), other.person_mask())
        for name in ("keypoints", "boxes", "areas", "annotation_ids", "unposed"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_samples_of_crops_are_those_of_the_files_but_for_what_a_jpeg_loses(found, tmp_path):
    alone = [r for r in found if len(r.boxes) == 1]  # so that chance meets the same people in the same order
    cut = loaded(written(alone, tmp_path, How(REACH)))
    for one, other in zip(training(alone, 6), training(cut, 6), strict=True):
        assert np.array_equal(one["annotation_id"], other["annotation_id"])
        np.testing.assert_allclose(one["keypoints"], other["keypoints"], atol=1e-3)
        difference = np.abs(one["image"].astype(int) - other["image"])
        assert difference.mean() < 0.5 and difference.max() <= 8  # of 255


def test_a_crop_that_is_made_smaller_keeps_its_keypoints_where_they_are(tmp_path):
    image = folders.photo(tmp_path, 1, size=(900, 1200))
    entry = folders.person(1, 1, box=(300, 200, 400, 600))
    found = coco.load(folders.write(tmp_path, [image], [entry]), tmp_path, COCO17).records
    plain = Augment(rotation_chance=0, scale=(1, 1), mirror=0, half_body=0)
    files = training(found, 1, batch=1, augment=plain)[0]
    for detail in (1.0, 1.5):
        reach = crops.reach(SIZE, PADDING, STRONG, detail=detail)
        (cut,) = loaded(written(found, tmp_path / f"shards{detail}", How(reach)))
        assert cut.boxes[0, 3] == pytest.approx(detail * 64 / PADDING, abs=1e-3)
        other = training([cut], 1, batch=1, augment=plain)[0]
        np.testing.assert_allclose(files["keypoints"], other["keypoints"], atol=1e-3)
        assert np.abs(files["image"].astype(int) - other["image"]).mean() < 2  # of 255


def test_a_crop_has_all_that_chance_lets_a_view_look_at(found):
    person = found[1]
    keypoints, boxes = tf.constant(person.keypoints), tf.constant(person.boxes)
    regions = [crops.region(b, k, REACH, COCO17.keypoints, (90, 120)) for b, k in zip(person.boxes, person.keypoints)]
    corners = tf.constant([[[0, 0, 1], [47, 0, 1], [0, 63, 1], [47, 63, 1]]], tf.float32)
    for seed in range(40):
        draws = chance.draw(STRONG, keypoints, boxes, PADDING, COCO17, tf.constant([seed, 0]))
        points = tf.matmul(corners, views.inverse(views.affines(draws, SIZE)), transpose_b=True).numpy()
        for region, view in zip(np.array(regions), points):
            inside = np.clip(view, 0, (119, 89))
            assert (inside >= region[:2]).all() and (inside <= region[2:] - 1).all()


def test_a_margin_cuts_so_many_times_the_box(found, tmp_path):
    cut = loaded(written(found[4:5], tmp_path, How(crops.reach(SIZE, PADDING, STRONG, margin=1.0))))
    assert cut[0].width < 30 + 2 * crops.EDGE + crops.BLOCK + 1 and cut[0].reach.margin == 1.0


def test_workers_read_their_shares_and_together_everybody_once(whole):
    found = loaded(whole)
    kept = training(found, 2)
    parts = [[b["annotation_id"].tolist() for b in training(found, 2, share=Share(2, i))] for i in range(2)]
    assert [a + b for a, b in zip(*parts)] == [b["annotation_id"].tolist() for b in kept]
    seen = [i for part in parts for ids in part for i in ids]
    assert len(set(seen)) == len(seen) == 2 * BATCH


def test_a_stopped_call_goes_on_where_it_was_and_the_bytes_are_the_same(found, whole, tmp_path, monkeypatch):
    made, calls = sharding.made, []

    def stopping(work):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(work.file)
        return made(work)

    how = How(per_shard=3, outlines=True)
    monkeypatch.setattr(sharding, "made", stopping)
    with pytest.raises(KeyboardInterrupt):
        written(found, tmp_path, how)
    with pytest.raises(ValueError, match="only 2 shards are written"):
        loaded(tmp_path)
    calls.clear()
    written(found, tmp_path, how)
    assert [c[-23:] for c in calls] == ["00002-of-00003.tfrecord"]
    checksums = [[s.sha256 for s in manifest.read(f, "train").shards] for f in (tmp_path, whole)]
    assert checksums[0] == checksums[1]


@pytest.mark.slow
def test_several_processes_write_the_same_bytes_as_one(found, whole, tmp_path):
    written(found, tmp_path, How(per_shard=3, outlines=True, processes=2))
    assert manifest.read(tmp_path, "train") == manifest.read(whole, "train")


def test_a_folder_of_other_shards_is_not_written_over(found, spoilt):
    for how, some in ((How(per_shard=2), found), (How(per_shard=3), found[1:])):
        with pytest.raises(ValueError, match=r"train\.json: shards of another configuration or other data"):
            written(some, spoilt, how)


def shard_file(folder, number=1):
    return folder / f"train-{number:05d}-of-00003.tfrecord"


def flipped(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_a_missing_shard_is_named(spoilt):
    shard_file(spoilt).unlink()
    with pytest.raises(ValueError, match=r"train-00001-of-00003\.tfrecord: missing"):
        loaded(spoilt)


def test_a_shard_that_is_cut_off_is_named_with_its_first_broken_record(spoilt):
    content = shard_file(spoilt).read_bytes()
    shard_file(spoilt).write_bytes(content[:-100])
    with pytest.raises(ValueError, match=r"train-00001-of-00003\.tfrecord: .* bytes, .* \(record 3 is the first"):
        loaded(spoilt)


@pytest.mark.parametrize("warp", ["graph", "opencv"])
def test_a_flipped_byte_stops_training_and_is_named_with_its_record(spoilt, warp):
    flipped(shard_file(spoilt), -50)
    found = loaded(spoilt)
    with pytest.raises(ValueError, match=r"train-00001-of-00003\.tfrecord: record 3"), undecodable.naming(found):
        training(found, 4, warp=warp)


def test_a_flipped_byte_in_the_labels_is_named(spoilt):
    flipped(shard_file(spoilt), 40)
    with pytest.raises(ValueError, match=r"train-00001-of-00003\.tfrecord: record 0, its labels, is broken"):
        loaded(spoilt)


def test_check_data_names_the_flipped_byte(spoilt, tmp_path, capsys):
    flipped(shard_file(spoilt), -50)
    where = ["data.format=shards", f"data.folder={spoilt}"]
    assert cli.main(["check-data", *where, "--picture", str(tmp_path / "data.png")]) == 0
    out = capsys.readouterr().out
    assert "train-00001-of-00003.tfrecord: not the bytes that were written (SHA-256)" in out
    assert "train-00001-of-00003.tfrecord: record 3, image 7: broken" in out and "problems: 2" in out


def test_whole_shards_have_no_problems_and_a_picture(whole, tmp_path):
    assert shards.damaged(whole, "train") == []
    check.contact_sheet(shards.load(whole, "train", COCO17), COCO17, tmp_path / "sheet.png")


def test_a_shard_of_other_data_is_not_taken_for_the_manifests(found, spoilt, tmp_path):
    other = written([r for r in found if r.image_id != 6], tmp_path / "other", How(per_shard=3))
    rows = manifest.read(other, "train")
    content = json.loads((spoilt / "train.json").read_text())
    content["shards"][0] = json.loads((other / "train.json").read_text())["shards"][0]
    (spoilt / "train.json").write_text(json.dumps(content))
    (spoilt / content["shards"][0]["file"]).write_bytes((other / rows.shards[0].file).read_bytes())
    with pytest.raises(ValueError, match=r"tfrecord: a shard of other data than its manifest says"):
        loaded(spoilt)


@pytest.mark.parametrize(
    ("change", "said"), [({"format": 7}, "shards of format 7"), ({"shards": 3}, "not a manifest of shards")]
)
def test_a_wrong_manifest_is_named(spoilt, change, said):
    path = spoilt / "train.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=rf"train\.json: {said}"):
        loaded(spoilt)


def test_shards_of_another_skeleton_or_without_outlines_are_refused(whole, spoilt):
    with pytest.raises(ValueError, match=r"the shards have skeleton coco17, expected mpii16"):
        shards.load(whole, "train", MPII16)
    with pytest.raises(ValueError, match="has no outlines of persons"):
        loaded(spoilt, bodies=True)


def test_crops_are_refused_where_more_is_looked_at_than_they_have(found, tmp_path):
    cut = loaded(written(found, tmp_path, How(REACH)))
    with pytest.raises(ValueError, match="write shards with --whole"):
        training(cut, 1, view="image", augment=Augment(half_body=0))
    with pytest.raises(ValueError, match="crops for other views than are asked for"):
        training(cut, 1, augment=Augment(scale=(0.5, 2)))
    assert training(cut, 1, augment=Augment(scale=(0.9, 1.1)))


def test_shards_are_written_to_and_read_from_a_file_system_that_is_not_this_machines(found, whole):
    far = written(found, "ram://bucket/shards", How(per_shard=3, outlines=True))
    assert loaded(far)[0].path.startswith("ram://bucket/shards/train-00000")
    assert [records.fetched(r.path) for r in loaded(far)] == [records.fetched(r.path) for r in loaded(whole)]


def test_a_run_trains_from_shards_and_evaluation_of_them_is_refused_with_what_to_give(tmp_path, capsys):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml_config.dump(tiny.config()))
    assert cli.main(["data", "shard", str(file), "--out", str(tmp_path / "shards"), "--processes", "1"]) == 0
    assert "train: 26 people of 15 photos as crops, 1 photos without anybody" in capsys.readouterr().out
    where = yaml_config.changed(tiny.config(), ("data.format=shards", f"data.folder={tmp_path}/shards")).data
    cut = load_part(where, COCO17, "validation").records
    assert all(len(r.boxes) == 1 and r.reach for r in cut)
    with pytest.raises(ValueError, match=r"data\.format: shards are trained on; to evaluate or export give the files"):
        locate(where, "validation")


@pytest.mark.parametrize("option", ["--per-shard", "--processes", "--quality", "--detail"])
def test_what_cannot_be_written_is_refused(tmp_path, capsys, option):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml_config.dump(tiny.config()))
    assert cli.main(["data", "shard", str(file), "--out", str(tmp_path / "x"), option, "0"]) == 1
    assert f"tfpose data shard: {option}: found 0" in capsys.readouterr().err
