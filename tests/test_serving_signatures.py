"""The SavedModel finds in encoded photos the people that `tfpose predict` finds, and needs nothing of this package."""

import functools
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import served
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from PIL import Image, ImageOps
from tensorflow.core.framework import tensor_pb2

from tfpose import geometry, runners
from tfpose import spec as specs
from tfpose.export import in_graph_views, serving_signatures, warmup
from tfpose.predict import Predictor, read_image
from tfpose.predict_images import ImagePredictor
from tfpose.predictions import load_predictor

SIZES = [(96, 64), (240, 180), (100, 300), (61, 47)]
TURNS = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270")


@functools.cache
def loaded(bundle):
    return tf.saved_model.load(str(bundle / "saved_model" / "1"))


@pytest.fixture
def model():
    return loaded(served.person())


def found(model, photos: list[bytes], **more) -> dict:
    call = model.signatures["boxes" if more else "serving_default"]
    return {name: v.numpy() for name, v in call(image_bytes=tf.constant(photos), **more).items()}


@functools.cache
def predictor(bundle, kind=Predictor):
    return kind(*runners.load(bundle / "saved_model"))


def pixels(photo: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGB"))


def distance(keypoints, expected) -> float:
    return float(np.linalg.norm(keypoints[..., :2] - expected[..., :2], axis=-1).max())


def turned(number: int) -> bytes:
    """A photo that is stored so that orientation `number` of its EXIF data turns it upright."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", number
    image = served.photo((120, 90), 7)
    if number > 1:
        image = image.transpose(Image.Transpose[TURNS[number - 2]])
    return served.encoded(image, exif=exif)


def test_a_batch_of_photos_of_different_sizes_gives_the_poses_that_the_predictor_finds(model):
    photos = [served.encoded(served.photo(size, i), quality=90) for i, size in enumerate(SIZES)]
    people, truth = found(model, photos), predictor(served.person()).many([(pixels(p), None, None) for p in photos])
    assert people["keypoints"].shape == (4, 1, 17, 3) and people["count"].tolist() == [1] * 4
    for keypoints, scores, expected in zip(people["keypoints"], people["scores"], truth):
        assert distance(keypoints, expected.keypoints) < 0.2
        assert np.abs(keypoints[..., 2] - expected.keypoints[..., 2]).max() < 1e-2
        assert scores == pytest.approx(expected.scores, abs=1e-2)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_a_png_of_any_kind_is_read_as_pillow_reads_it(model, mode):
    photo = served.encoded(served.photo((150, 110)).convert(mode), "PNG")
    assert distance(found(model, [photo])["keypoints"][0], predictor(served.person())(pixels(photo)).keypoints) < 0.2


@pytest.mark.parametrize("number", range(1, 9))
def test_a_photo_of_a_phone_stands_upright(model, number):
    photo = turned(number)
    assert pixels(photo).shape == (120, 90, 3)
    assert distance(found(model, [photo])["keypoints"][0], predictor(served.person())(pixels(photo)).keypoints) < 0.2


@pytest.mark.parametrize("size", [0, 3, 40, 200])
def test_exif_data_that_is_cut_off_turns_nothing(size):
    photo = turned(6)
    start = photo.index(b"Exif") + size
    assert in_graph_views.exif.orientation(tf.constant(photo[:start] + b"\0" * 8)).numpy() in (1, 6)
    assert in_graph_views.exif.orientation(tf.constant(photo[: start - size])).numpy() == 1


def test_a_person_is_found_in_the_box(model):
    photo, boxes = turned(8), np.array([[10, 20, 50, 70], [-5, 30, 120, 40]], np.float32)
    people = found(model, [photo] * 2, boxes=tf.constant(boxes))
    truth = predictor(served.person())(pixels(photo), boxes).keypoints
    assert distance(people["keypoints"][:, 0], truth) < 0.2


def test_photos_that_are_decoded_already_give_the_same(model):
    images = np.stack([np.asarray(served.photo((90, 130), seed)) for seed in range(3)])
    people = model.signatures["images"](images=tf.constant(images))
    truth = found(model, [served.encoded(Image.fromarray(image), "PNG") for image in images])
    assert all(np.abs(people[name].numpy() - truth[name]).max() < 1e-3 for name in truth)


def test_a_photo_alone_gives_what_it_gives_in_a_batch(model):
    photos = [served.encoded(served.photo(size)) for size in SIZES]
    alone = [found(model, [photo])["keypoints"][0] for photo in photos]
    assert np.abs(found(model, photos)["keypoints"] - alone).max() < 1e-3


@pytest.mark.parametrize("size", [(128, 160), (300, 200), (77, 400)], ids=str)
def test_people_of_whole_images_are_those_that_the_predictor_finds(size):
    photo = served.encoded(served.photo(size))
    people = found(loaded(served.fields()), [photo] * 2)
    truth = predictor(served.fields(), ImagePredictor)(pixels(photo))
    assert people["count"].tolist() == [3, 3] and people["keypoints"].shape == (2, 20, 18, 3)
    assert distance(people["keypoints"][1, :3], truth.keypoints) < 0.05
    assert people["scores"][0, :3] == pytest.approx(truth.scores, abs=1e-3)
    assert not people["keypoints"][:, 3:].any()


def test_the_boxes_that_a_network_finds_lie_in_the_photo():
    photo = served.encoded(served.photo((300, 200)))
    people = found(loaded(served.boxes()), [photo])
    truth = predictor(served.boxes(), ImagePredictor)(pixels(photo))
    assert people["count"] == [2] and "mask" not in people
    assert np.abs(people["boxes"][0, :2] - truth.boxes).max() < 0.05 and not people["boxes"][0, 2:].any()
    assert distance(people["keypoints"][0, :2], truth.keypoints) < 0.05


@pytest.mark.parametrize("source", [(96, 64), (40, 30), (500, 375), (30, 900)], ids=str)
@pytest.mark.parametrize("view", ["person", "image"])
def test_the_warp_agrees_with_the_reference(source, view):
    image = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    spec, upright = replace(served.PERSON, view=view), tf.constant(1)
    start, step = in_graph_views.seen(in_graph_views.extent(image, upright), spec)
    whole = (0, 0, source[1], source[0])
    affine = geometry.letterbox(source, spec.size) if view == "image" else geometry.crop(whole, spec.size)
    warped = in_graph_views.cut(tf.constant(image), upright, start, step, spec.size).numpy()
    assert np.abs(warped.astype(int) - geometry.warp(image, affine, spec.size)).max() <= 1


def test_real_photos_give_the_poses_that_predict_finds(model, real_data):
    files = sorted((real_data / "coco" / "val2017").iterdir())[:12]
    people = found(model, [file.read_bytes() for file in files])["keypoints"]
    whole = predictor(served.person())
    for file, keypoints in zip(files, people):
        assert distance(keypoints, whole(read_image(file, upright=True)).keypoints) < 0.5, file


def test_the_command_predict_takes_the_newest_version_of_the_saved_model(tmp_path):
    for number in ("1", "2", "10"):
        (tmp_path / "saved_model" / number).mkdir(parents=True)
        (tmp_path / "saved_model" / number / "saved_model.pb").touch()
    assert runners.network_file(tmp_path / "saved_model") == tmp_path / "saved_model" / "10"
    assert load_predictor(served.person() / "saved_model").spec.size == served.SIZE


FOREIGN = """
import sys
sys.modules.update(dict.fromkeys(("tfpose", "keras", "tf_keras", "PIL", "cv2")))
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
people = model.signatures["serving_default"](image_bytes=tf.constant([open(sys.argv[2], "rb").read()]))
assert people["keypoints"].shape == (1, 1, 17, 3) and people["count"].numpy().tolist() == [1]
"""


def test_it_runs_where_there_is_tensorflow_and_nothing_of_ours(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(served.encoded(served.photo((90, 80))))
    command = [sys.executable, "-c", FOREIGN, str(served.person() / "saved_model" / "1"), "photo.jpg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def message():
    """The class of PredictionLog, made of what TensorFlow Serving's .proto files say of the fields used here."""
    bytes_, text, message, one, many = 12, 9, 11, 1, 3
    file = descriptor_pb2.FileDescriptorProto(name="logs.proto", package="logs", syntax="proto3")
    for name, fields in {
        "ModelSpec": [("name", 1, text, one, ""), ("signature_name", 3, text, one, "")],
        "Entry": [("key", 1, text, one, ""), ("value", 2, bytes_, one, "")],
        "PredictRequest": [("model_spec", 1, message, one, "ModelSpec"), ("inputs", 2, message, many, "Entry")],
        "PredictLog": [("request", 1, message, one, "PredictRequest")],
        "PredictionLog": [("predict_log", 6, message, one, "PredictLog")],
    }.items():
        kind = file.message_type.add(name=name)
        for field, number, type_, label, other in fields:
            of = {"type_name": f".logs.{other}"} if other else {}
            kind.field.add(name=field, number=number, type=type_, label=label, **of)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("logs.PredictionLog"))


def test_the_requests_that_warm_it_up_can_be_parsed_and_answered(model):
    records = tf.data.TFRecordDataset(str(served.person() / "saved_model" / "1" / warmup.FILE))
    requests = [message().FromString(record).predict_log.request for record in records.as_numpy_iterator()]
    assert [r.model_spec.signature_name for r in requests] == ["serving_default", "boxes"] * 2
    for request in requests:
        tensors = {entry.key: tensor_pb2.TensorProto.FromString(entry.value) for entry in request.inputs}
        call = model.signatures[request.model_spec.signature_name]
        answer = call(**{name: tf.constant(tf.make_ndarray(value)) for name, value in tensors.items()})
        assert np.isfinite(answer["keypoints"]).all()


def test_a_network_that_finds_nobody_by_itself_is_written_with_its_maps_alone(tmp_path):
    maps = {"heatmaps": np.zeros((32, 40, 19), np.float32)}
    spec = specs.load(served.boxes() / "pose.json")
    serving_signatures.save(served.same(maps), spec, tmp_path)
    model = tf.saved_model.load(str(tmp_path / "1"))
    assert set(model.signatures) == {"maps", "serving_default"} and not (tmp_path / "1" / warmup.FILE).exists()
