"""The requests that warm a SavedModel up: TensorFlow Serving sends them to itself before it takes any other.

A TFRecord file of PredictionLog messages (tensorflow_serving/apis/prediction_log.proto). The few fields that they need
are encoded here: their classes are in a package that is as large as a server.
"""

from pathlib import Path

import tensorflow as tf

from tfpose.spec import PoseSpec

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
# Field numbers: PredictionLog.predict_log, PredictLog.request, PredictRequest.model_spec and .inputs, the key and the
# value of its entries, ModelSpec.signature_name.
PREDICT_LOG, REQUEST, MODEL, INPUTS, KEY, VALUE, SIGNATURE = 6, 1, 1, 2, 1, 2, 3
BATCHES = (1, 4)


def write(folder: Path, spec: PoseSpec) -> None:
    """Writes into a SavedModel's folder a request of one grey photo, and one of four, for every signature of photos."""
    photo = tf.io.encode_jpeg(tf.fill([*spec.size, 3], tf.constant(127, tf.uint8))).numpy()
    box = [0.0, 0.0, float(spec.size[1]), float(spec.size[0])]
    (folder / FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / FILE)) as file:
        for count in BATCHES:
            photos = tf.make_tensor_proto([photo] * count)
            file.write(record("serving_default", {"image_bytes": photos}))
            if spec.view == "person":
                boxes = tf.make_tensor_proto([box] * count, tf.float32)
                file.write(record("boxes", {"image_bytes": photos, "boxes": boxes}))


def record(signature: str, inputs: dict) -> bytes:
    """A PredictionLog of a request to a signature with {name: TensorProto}, of whatever name the server gives it."""
    entries = [_field(KEY, name.encode()) + _field(VALUE, t.SerializeToString()) for name, t in inputs.items()]
    request = _field(MODEL, _field(SIGNATURE, signature.encode())) + b"".join(_field(INPUTS, e) for e in entries)
    return _field(PREDICT_LOG, _field(REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    # A length-delimited field (wire type 2): its tag, its length as a base-128 number, its content.
    length, digits = len(content), []
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *digits, length]) + content
