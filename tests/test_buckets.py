"""Whole photos in views of a few sizes: each once an epoch, each batch of one size, decided by seed and epoch alone."""

import folders
import numpy as np
import pytest
import tiny

from tfpose import geometry
from tfpose.config import Augment
from tfpose.data import buckets, coco, pipeline
from tfpose.data.share import Share
from tfpose.skeleton import COCO17
from tfpose.train import loop
from tfpose.train.devices import strategy

SIZES = ((32, 64), (64, 32))  # lying, standing
PHOTOS = ((60, 120), (70, 130), (90, 90), (120, 60), (60, 110), (130, 70), (64, 128), (100, 96), (60, 118), (62, 120))
BATCH = 3
PLAIN = Augment(rotation=0.0, scale=(1.0, 1.0), mirror=0.0, half_body=0.0)
STRONG = Augment(rotation=20.0, mirror=0.5, half_body=0.0, brightness=0.2)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Ten photos of three shapes, the third without people."""
    folder = tmp_path_factory.mktemp("photos")
    photos = [folders.photo(folder, i, size, "png") for i, size in enumerate(PHOTOS, 1)]
    people = [folders.person(i, i, (10, 8, 30, 40)) for i in range(1, 11) if i != 3]
    return coco.load(folders.write(folder, photos, people), folder, COCO17, bodies=True).records


def options(**more) -> dict:
    common = {"size": (8, 8), "padding": 1.5, "skeleton": COCO17, "batch": BATCH, "view": "image", "stride": 4}
    return common | {"buckets": SIZES} | more


def encode(batch):
    assert tuple(batch["image"].shape[1:3]) in SIZES  # known where the graph is made
    return batch


def training(records, *, steps: int, augment=STRONG, **more) -> list[dict]:
    data = pipeline.training(records, encode, augment=augment, **options(**{"seed": 5} | more))
    return list(data.take(steps).as_numpy_iterator())


@pytest.fixture(scope="module")
def plain(records):
    """The batches of an epoch without chance, with all labels."""
    return training(records, steps=3, augment=PLAIN, labels=("boxes", "mask"))


@pytest.fixture(scope="module")
def seen(records):
    """The batches of five epochs, three each."""
    return training(records, steps=15)


def ids(batches) -> list[int]:
    return [int(i) for b in batches for i in b["image_id"]]


def same(first: list[dict], second: list[dict]) -> bool:
    return all(np.array_equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a)


def test_a_photo_is_shown_in_the_size_that_shows_it_largest_and_of_several_in_the_smallest():
    sizes = ((800, 1216), (800, 1088), (800, 800), (1088, 800))
    photos = ((427, 640), (480, 640), (640, 640), (640, 480), (640, 427), (300, 900))
    assert buckets.nearest(photos, sizes).tolist() == [0, 1, 2, 3, 3, 0]


def test_an_epoch_has_every_photo_with_people_once_in_batches_of_one_size(records, seen):
    assert pipeline.count(records, "image") == 9
    for i in range(0, 15, 3):
        assert sorted(ids(seen[i : i + 3])) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert all(b["image"].shape[1:3] in SIZES and len(b["image"]) == BATCH for b in seen)
    assert ids(seen[:3]) != ids(seen[3:6])


def test_but_the_usual_remainder_nothing_is_left_out(records):
    batches = training(records, steps=24, batch=4)
    assert all(len(set(ids(batches[i : i + 2]))) == 8 for i in range(0, 24, 2))
    assert len(set(ids(batches))) == 9  # and it is another one each time


def test_only_where_two_sizes_meet_a_photo_has_another_than_its_own(records, seen):
    own = {r.image_id: SIZES[i] for r, i in zip(records, buckets.nearest(PHOTOS, SIZES))}
    mixed = [{own[int(i)] for i in b["image_id"]} != {b["image"].shape[1:3]} for b in seen]
    assert all(sum(mixed[i : i + 3]) < len(SIZES) for i in range(0, 15, 3))


def test_what_a_run_sees_depends_on_seed_and_epoch_alone(records, seen):
    assert same(seen[:6], training(records, steps=6, workers=1))
    assert same(seen[4:7], training(records, steps=3, start_epoch=1, start_step=1))


def test_the_shares_of_a_batch_are_the_batch(records, seen):
    first, rest = training(records, steps=3, share=Share(3, 0, 1)), training(records, steps=6, share=Share(3, 1, 2))
    assert [ids([first[i], *rest[2 * i : 2 * i + 2]]) for i in range(3)] == [ids([b]) for b in seen[:3]]


def test_without_chance_a_view_is_the_whole_photo_with_all_its_labels(records, plain):
    known = {r.image_id: r for r in records}
    for batch in plain:
        size = batch["image"].shape[1:3]
        for image, keypoints, box, number in zip(batch["image"], batch["keypoints"], batch["boxes"], batch["image_id"]):
            record = known[int(number)]
            affine = geometry.letterbox((record.height, record.width), size)
            np.testing.assert_allclose(keypoints[0, :, :2], affine.apply(record.keypoints[0, :, :2]), atol=1e-3)
            corner = affine.apply(record.boxes[0, :2] - 0.5) + 0.5
            np.testing.assert_allclose(box[0, :2], corner, atol=1e-3)
            assert image.shape == (*size, 3) and batch["mask"].shape[1:] == (size[0] // 4, size[1] // 4)


def test_chance_moves_a_whole_photo_about_its_middle(records, plain):
    turned = training(records, steps=3, augment=Augment(**vars(PLAIN) | {"mirror": 1.0}))
    for a, b in zip(plain, turned):
        assert np.abs(a["image"][:, :, ::-1].astype(int) - b["image"]).max() <= 1


def test_validation_has_every_photo_once_each_in_its_own_size(records):
    data = pipeline.validation(records, encode, **options())
    batches = list(data.as_numpy_iterator())
    assert int(data.cardinality()) == len(batches) and sorted(ids(batches)) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    own = {r.image_id: SIZES[i] for r, i in zip(records, buckets.nearest(PHOTOS, SIZES))}
    assert all(own[int(i)] == b["image"].shape[1:3] for b in batches for i in b["image_id"])


def test_what_cannot_be_is_refused(tmp_path):
    sizes = "train.buckets=[[64, 96], [96, 64]]"
    with pytest.raises(
        ValueError, match=r"augment\.half_body: found 0\.3 with train\.buckets, which show whole photos"
    ):
        tiny.config(sizes)
    with pytest.raises(ValueError, match=r"train\.buckets: found with train\.phases"):
        tiny.config(sizes, "augment.half_body=0", "train.phases=[{start: 0, size: [64, 48], batch: 4}]")
    with pytest.raises(ValueError, match=r"train\.buckets: ppnet does not look at whole images"):
        loop.assemble(tiny.config(sizes, "augment.half_body=0"), tmp_path, strategy("cpu"))


DETECTOR = (
    "system={name: multiposenet, part: detector, size: [128, 128], crop: [128, 128], backbone: light, width: 16, "
    "head: 16, depth: 1, norm: true}",
    *("train.batch=4", "train.epochs=1", "train.pictures=2", "augment.half_body=0"),
)


def test_a_size_that_the_network_cannot_have_is_refused_at_once(tmp_path):
    config = tiny.config(*DETECTOR, "train.buckets=[[96, 128], [100, 96]]")
    with pytest.raises(ValueError, match=r"size is \(100, 96\), expected multiples of 32"):
        loop.assemble(config, tmp_path, strategy("cpu"))


@pytest.mark.slow
def test_a_detector_learns_from_whole_photos_of_several_sizes(tmp_path):
    config = tiny.config(*DETECTOR, "train.buckets=[[96, 128], [96, 96]]", "train.optimizer.learning_rate=1e-3")
    loop.train(config, tmp_path)
    rows = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert np.isfinite([float(rows["loss"]), float(rows["val_loss"])]).all()
