import shutil
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from tfpose import spec as specs
from tfpose.export import bundle, calibrate, saved_model, tflite, verify
from tfpose.litert import LiteRT
from tfpose.predict import Predictor

# Random weights make maps without peaks, which any rounding moves.
ANYWHERE = {kind: replace(limit, peaks=0.0) for kind, limit in verify.LIMITS.items()}


@pytest.fixture(scope="module")
def report():
    return verify.measure(tiny.bundle(), tiny.views())


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(tiny.bundle(), tmp_path / "bundle")


@pytest.fixture
def strange():
    """A network with an operation that LiteRT has not built in."""
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 256, name="scale")(image)
    return keras.Model(image, {"heatmaps": keras.ops.inv(x[..., 0])})


@pytest.mark.parametrize(("kind", "largest"), [("saved_model", 1e-4), ("float32", 1e-4), ("float16", 1e-2)])
def test_a_float_file_agrees_with_keras(report, kind, largest):
    (row,) = [row for row in report.rows if row.kind == kind]
    assert row.largest < largest


def test_an_int8_file_is_near_keras(report):
    (row,) = [row for row in report.rows if row.kind == "int8"]
    assert row.largest < 0.15 and row.mean < 0.02


def test_an_int8_file_is_a_third_of_a_float32_file_and_float16_two_thirds(report):
    sizes = {row.kind: row.size for row in report.rows}
    assert sizes["int8"] < sizes["float32"] / 3 and sizes["float16"] < sizes["float32"] * 2 / 3


def test_all_kinds_are_read_alike():
    for kind in ("float32", "float16", "int8"):
        file = LiteRT(tiny.bundle() / f"{kind}.tflite")
        maps = file(tiny.views(2))
        assert (file.kind, file.size) == (kind, tiny.SIZE)
        assert {name: (m.shape, m.dtype) for name, m in maps.items()} == {"heatmaps": ((2, 16, 12, 17), np.float32)}


def test_an_int8_file_is_integer_between_its_ends():
    names = operations(tiny.bundle() / "int8.tflite")
    assert names.count("QUANTIZE") <= 1 and names.count("DEQUANTIZE") == 1 and "CAST" not in names


def test_upsampling_is_one_operation_and_batch_norm_is_none():
    names = operations(tiny.bundle() / "float32.tflite")
    assert set(names) == {"CAST", "MUL", "ADD", "CONV_2D", "PAD", "RESIZE_NEAREST_NEIGHBOR"}
    assert names.count("RESIZE_NEAREST_NEIGHBOR") == sum("_up" in layer.name for layer in tiny.network().layers)
    assert names.count("MUL") == 1  # the normalisation of the photo


def operations(path) -> list[str]:
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    found = [graph.Operators(i).OpcodeIndex() for i in range(graph.OperatorsLength())]
    return [names[model.OperatorCodes(i).BuiltinCode()] for i in found]


@pytest.mark.slow
def test_grey_levels_are_quantized_when_calibration_has_not_seen_them_all():
    dim = tiny.views() // 2
    file = LiteRT(tflite.convert(tiny.network(), "int8", dim))
    truth = np.asarray(tiny.network()(dim, training=False)["heatmaps"])
    assert verify.difference(truth, file(dim)["heatmaps"])[1] < 0.02


def test_a_network_in_bfloat16_is_exported_in_float32():
    layers = keras.Sequential([keras.layers.Conv2D(2, 1, dtype="mixed_bfloat16")])
    image = keras.Input((4, 4, 3), dtype="uint8")
    network = keras.Model(image, {"heatmaps": layers.layers[0](keras.layers.Rescaling(1 / 255)(image))})
    assert {w.dtype for w in saved_model.frozen(network, batch=1, dtype="uint8").outputs} == {"float32"}


def test_exporting_leaves_the_network_as_it_was():
    before = [len(layer._inbound_nodes) for layer in tiny.network().layers]
    saved_model.frozen(tiny.network(), batch=1, dtype="uint8")
    assert [len(layer._inbound_nodes) for layer in tiny.network().layers] == before


def test_an_operation_that_is_not_built_in_is_refused_by_name(strange):
    with pytest.raises(ValueError, match=r"tf\.MatrixInverse in \w+/MatrixInverse"):
        tflite.convert(strange, "float32")


def test_a_file_with_a_flex_operation_is_refused(strange, copy, tmp_path):
    saved_model.write(saved_model.frozen(strange, batch=1, dtype="uint8"), tmp_path / "strange")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "strange"))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    path = copy / "float32.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(ValueError, match="FlexMatrixInverse"):
        verify.check(path, bundle.describe(path, "float32"))


def test_a_file_of_another_export_is_refused(copy):
    shutil.copy(copy / "float16.tflite", copy / "float32.tflite")
    with pytest.raises(ValueError, match=r"float32\.tflite: not the file"):
        verify.verify(copy, tiny.views())


def test_the_bundle_says_what_its_files_are():
    spec = specs.load(tiny.bundle() / "pose.json")
    assert set(spec.files) == {bundle.FILES[kind] for kind in ("keras", "saved_model", "float32", "float16", "int8")}
    assert all(bundle.describe(tiny.bundle() / name, what["kind"]) == what for name, what in spec.files.items())
    assert spec.calibration == {"source": "patches", "views": 8, "percentile": 100.0, "keep_float": []}
    assert set(spec.versions) == {"tfpose", "tensorflow", "keras", "ai-edge-litert", "numpy"}
    assert replace(spec, files={}, versions={}, calibration={}) == tiny.spec()


def test_a_file_made_elsewhere_is_put_into_a_bundle_and_described(copy):
    path = bundle.add(copy, "aware", (copy / "int8.tflite").read_bytes())
    spec = specs.load(copy / "pose.json")
    assert path.name == "aware.tflite" and spec.files["aware.tflite"] == bundle.describe(path, "aware")
    assert set(spec.files) == {"aware.tflite", *specs.load(tiny.bundle() / "pose.json").files}


def test_a_file_of_no_known_kind_cannot_be_put_into_a_bundle(copy):
    with pytest.raises(ValueError, match=r"no such kind of file 'int4'.*aware"):
        bundle.add(copy, "int4", b"")


def test_a_bundle_within_its_limits_passes_and_prints_its_scores():
    scores = {"network.keras": 0.9, "int8.tflite": 0.8951}
    report = verify.verify(tiny.bundle(), tiny.views(), lambda path: scores.get(path.name, 0.9), ANYWHERE)
    assert "89.51" in report.table() and "90.00" in report.table()


def test_a_file_that_loses_too_much_is_named():
    with pytest.raises(ValueError, match=r"int8\.tflite: score 0\.8000, expected at least 0\.9"):
        verify.verify(tiny.bundle(), tiny.views(), lambda path: 0.8 if "int8" in path.name else 0.9, ANYWHERE)


def test_an_output_that_differs_too_much_is_named():
    limits = ANYWHERE | {"int8": verify.EXACT}
    with pytest.raises(ValueError, match=r"int8\.tflite: heatmaps: largest error"):
        verify.verify(tiny.bundle(), tiny.views(), limits=limits)


def test_peaks_within_half_a_cell_are_kept_and_unsure_ones_do_not_count():
    truth = np.array([[[3, 3, 0.9], [5, 5, 0.8], [1, 1, 0.1]]])
    found = np.array([[[3.4, 3.3, 0.9], [5.4, 5.4, 0.8], [9, 9, 0.1]]])[:, None]
    assert verify.kept(truth, found) == 0.5
    assert verify.kept(truth * [1, 1, 0], found) is None


def test_a_peak_is_kept_where_anybody_of_several_people_has_it():
    truth = np.array([[[3, 3, 0.9], [5, 5, 0.8]]])
    people = np.array([[[[3, 3], [9, 9]], [[0, 0], [5, 5]]]])
    assert verify.kept(truth, people) == 1 and verify.kept(truth, people[:, :1]) == 0.5


def test_int8_without_views_says_so():
    with pytest.raises(ValueError, match="int8 without views"):
        tflite.convert(tiny.network(), "int8")


def test_an_unknown_kind_says_which_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"int4.*int8"):
        bundle.write(tiny.network(), tiny.spec(), tmp_path, ["int4"])


@pytest.fixture
def record(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(tmp_path / "a.png")
    return SimpleNamespace(path=str(tmp_path / "a.png"), boxes=np.array([[5, 6, 40, 70], [60, 2, 30, 50]], np.float32))


def test_calibration_sees_what_the_predictor_sees(record):
    seen = []
    predictor = Predictor(tiny.spec(), lambda views: (seen.extend(views), {"heatmaps": np.ones((2, 16, 12, 17))})[1])
    predictor(np.asarray(Image.open(record.path)), record.boxes)
    assert np.array_equal(list(calibrate.views([record], tiny.spec(), 5, seed=0)), seen)


def test_calibration_draws_the_same_people_for_the_same_seed(record):
    first, second = (np.array(list(calibrate.views([record] * 9, tiny.spec(), 4, seed=2))) for _ in range(2))
    assert first.shape == (4, *tiny.SIZE, 3) and np.array_equal(first, second)


def test_calibration_without_people_says_so(record):
    record.boxes = np.zeros((0, 4), np.float32)
    with pytest.raises(ValueError, match="1 images with nobody"):
        calibrate.views([record], tiny.spec(), 4, seed=0)
