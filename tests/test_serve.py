"""The server's contract: TensorFlow Serving's requests and answers, limits, and errors of one line."""

import base64
import json
import re

import numpy as np
import pytest
import served
from starlette.testclient import TestClient

from benchmarks.serving import malformed
from tfpose import spec as specs
from tfpose.serving import app
from tfpose.serving.app import Server
from tfpose.serving.batching import Limits
from tfpose.serving.model import Model

PREDICT = "/v1/models/pose:predict"
LIMITS = Limits(most=4, room=6, pixels=100_000)


@pytest.fixture(scope="module")
def model():
    return Model(served.person())


@pytest.fixture
def server(model):
    return Server(model, served.PERSON, "pose", LIMITS, body=400_000)


@pytest.fixture
def client(server):
    with TestClient(server.app(), raise_server_exceptions=False) as client:
        yield client


def photo(seed: int = 0) -> bytes:
    return served.encoded(served.photo((90, 70), seed))


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


def error(answer) -> str:
    """The message of an answer that is an error of one line."""
    assert answer.headers["content-type"] == "application/json" and set(answer.json()) == {"error"}
    assert "\n" not in answer.json()["error"]
    return answer.json()["error"]


def test_each_instance_gets_the_row_that_the_saved_model_gives(client, model):
    photos = [photo(seed) for seed in range(3)]
    answer = client.post(PREDICT, json={"instances": [b64(p) for p in photos]})
    rows = model("serving_default", [{"image_bytes": p} for p in photos])
    assert answer.status_code == 200 and set(answer.json()) == {"predictions"}
    for found, row in zip(answer.json()["predictions"], rows, strict=True):
        assert set(found) == {"keypoints", "scores", "count"} and found["count"] == 1
        assert np.array(found["keypoints"]) == pytest.approx(row["keypoints"], abs=1e-3)


@pytest.mark.parametrize("inputs", [lambda p: [p], lambda p: p, lambda p: {"image_bytes": [p]}])
def test_columns_are_answered_with_columns(client, inputs):
    answer = client.post(PREDICT, json={"inputs": inputs(b64(photo()))}).json()
    assert set(answer) == {"outputs"} and np.shape(answer["outputs"]["keypoints"]) == (1, 1, 17, 3)


def test_instances_may_name_their_input_and_the_path_the_version(client):
    instances = {"instances": [{"image_bytes": b64(photo())}]}
    named, plain = client.post(f"{PREDICT[:-8]}/versions/1:predict", json=instances), {"instances": [b64(photo())]}
    assert named.status_code == 200 and named.json() == client.post(PREDICT, json=plain).json()


def test_a_person_is_looked_for_in_a_box(client, model):
    instance = {"image_bytes": b64(photo()), "boxes": [5, 10, 40, 60]}
    answer = client.post(PREDICT, json={"signature_name": "boxes", "instances": [instance]}).json()
    box = np.array([5, 10, 40, 60], np.float32)
    (row,) = model("boxes", [{"image_bytes": photo(), "boxes": box}])
    assert np.array(answer["predictions"][0]["keypoints"]) == pytest.approx(row["keypoints"], abs=1e-3)


def test_pixels_are_taken_as_lists(client):
    images = np.zeros((2, 20, 30, 3), int).tolist()
    answer = client.post(PREDICT, json={"signature_name": "images", "instances": images})
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 2
    views = np.zeros((1, *served.SIZE, 3), int).tolist()
    (maps,) = client.post(PREDICT, json={"signature_name": "maps", "instances": views}).json()["predictions"]
    assert np.shape(maps) == (24, 16, 17)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"text", "not JSON"),
        (b"[1]", "expected {"),
        (b"{}", "expected {"),
        (b'{"instances": [], "inputs": []}', "expected {"),
        (b'{"instances": []}', "found []; expected a list of one or more"),
        (b'{"instances": {"b64": "aGk="}}', "expected a list"),
        (b'{"instances": ["photo"]}', 'instances[0].image_bytes: found "photo"; expected {"b64": "..."}'),
        (b'{"instances": [{"b64": "???"}]}', "not base64"),
        (b'{"instances": [{"b64": "aGVsbG8="}]}', "5 bytes that are no JPEG or PNG"),
        (b'{"signature_name": "pose", "instances": [1]}', "signature_name: found"),
        (b'{"signature_name": ["a"], "instances": [1]}', "signature_name: found"),
        (b'{"signature_name": "boxes", "inputs": {"image_bytes": []}}', "expected an object with boxes, image_bytes"),
        (b'{"signature_name": "images", "instances": [[[[1, 2]]]]}', "expected uint8 of any x any x 3"),
        (b'{"signature_name": "images", "instances": [[[[1, 2, 300]]]]}', "values that are not uint8"),
        (b'{"signature_name": "images", "instances": [[[[1, 2, 3]], [[1]]]]}', "not of one length"),
    ],
)
def test_a_body_that_is_wrong_is_400_and_says_what_was_expected(client, body, message):
    answer = client.post(PREDICT, content=body)
    assert answer.status_code == 400 and message in error(answer)


def test_malformed_bodies_are_client_errors_and_nothing_else(client):
    draw = np.random.default_rng(3)
    codes = {client.post(PREDICT, content=malformed(draw, number)).status_code for number in range(60)}
    assert codes == {400, 413}


def test_a_photo_that_cannot_be_decoded_costs_nobody_else_the_answer(client):
    cut = photo()[:700]
    assert client.post(PREDICT, json={"instances": [b64(photo())]}).status_code == 200
    answer = client.post(PREDICT, json={"instances": [b64(photo()), b64(cut)]})
    assert answer.status_code == 400 and "cannot be decoded" in error(answer)


def test_a_photo_of_too_many_pixels_is_413_before_it_is_decoded(client):
    large = served.encoded(served.photo((500, 500)))
    answer = client.post(PREDICT, json={"instances": [b64(large)]})
    assert answer.status_code == 413 and "500 x 500 pixels; expected at most 100000" in error(answer)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_413(client, chunked):
    body = b"x" * 500_000
    answer = client.post(PREDICT, content=iter([body[:300_000], body[300_000:]]) if chunked else body)
    assert answer.status_code == 413 and "400000" in error(answer)


def test_more_instances_than_may_wait_are_413(client):
    answer = client.post(PREDICT, json={"instances": [b64(photo())] * 7})
    assert answer.status_code == 413 and "found 7, expected at most 6" in error(answer)


def test_more_bodies_than_memory_is_meant_for_are_503_and_may_come_again(client, server):
    server.held = app.BODIES * server.body
    answer = client.post(PREDICT, json={"instances": [b64(photo())]})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1" and "come again" in error(answer)


@pytest.mark.parametrize("path", ["/v1/models/other", "/v1/models/pose/versions/7", "/v1/models/other/metadata"])
def test_another_model_is_404_in_the_words_of_tensorflow_serving(client, path):
    assert client.get(path).status_code == 404
    assert "Servable not found for request: " in error(client.get(path))


def test_a_path_or_method_that_is_not_known_is_an_error_of_one_line_too(client):
    assert error(client.get("/nowhere")) == "GET /nowhere: Not Found"
    assert client.post("/healthz").status_code == 405
    assert error(client.post("/healthz")) == "POST /healthz: Method Not Allowed"


def test_what_breaks_inside_is_500_and_says_nothing_of_it(client, server, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(server.batcher, "_run", broken)
    answer = client.post(PREDICT, json={"instances": [b64(photo())]})
    assert answer.status_code == 500 and "secret" not in error(answer)


@pytest.mark.parametrize("path", ["/v1/models/pose", "/v1/models/pose/versions/1"])
def test_the_status_says_that_the_version_is_there(client, path):
    (status,) = client.get(path).json()["model_version_status"]
    assert status == {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


def test_the_metadata_has_every_signature_with_types_and_shapes(client):
    found = client.get("/v1/models/pose/metadata").json()
    assert found["model_spec"] == {"name": "pose", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "images", "boxes", "maps"}
    photos = signatures["boxes"]["inputs"]["image_bytes"]
    assert photos["dtype"] == "DT_STRING" and [d["size"] for d in photos["tensor_shape"]["dim"]] == ["-1"]


def test_a_server_that_stops_says_so_to_probes_and_ends_connections(client, server):
    assert client.get("/healthz").json() == {"status": "ok"} and "connection" not in client.get("/healthz").headers
    server.draining = True
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.headers["connection"] == "close"
    assert client.post(PREDICT, json={"instances": [b64(photo())]}).headers["connection"] == "close"


def test_the_metrics_count_requests_and_photos(client):
    client.post(PREDICT, json={"instances": [b64(photo())] * 3})
    client.post(PREDICT, content=b"dirt")
    lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
    assert lines['tfpose_requests_total{code="200"}'] == lines['tfpose_requests_total{code="400"}'] == "1.0"
    assert lines["tfpose_batch_photos_sum"] == "3.0" and lines["tfpose_waiting_photos"] == "0.0"
    assert float(lines["tfpose_request_seconds_count"]) == 2 and float(lines["process_resident_memory_bytes"]) > 1e6


def test_the_page_asks_nobody_else_for_anything(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html") and not re.search(r"//\w|src=|@import", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    about = client.get("/model.json").json()
    assert about["skeleton"]["keypoints"][0] == "nose" and about["limits"] == {"body": 400_000, "pixels": 100_000}


def test_a_bundle_without_people_in_its_saved_model_is_refused(tmp_path):
    from tfpose.export import serving_signatures

    with pytest.raises(ValueError, match="no saved_model/1 in it"):
        Model(tmp_path)
    maps = {"heatmaps": np.zeros((32, 40, 19), np.float32)}
    spec = specs.load(served.boxes() / "pose.json")
    serving_signatures.save(served.same(maps), spec, tmp_path / "saved_model")
    with pytest.raises(ValueError, match="gives maps alone"):
        Model(tmp_path)


def test_json_of_answers_has_the_shortest_digits_of_float32(client):
    answer = client.post(PREDICT, json={"instances": [b64(photo())]}).content
    numbers = re.findall(rb"\d+\.\d+", answer)
    assert numbers and max(map(len, numbers)) <= 14
    assert json.loads(answer)
