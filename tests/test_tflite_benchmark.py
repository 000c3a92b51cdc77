"""`python -m tflite.benchmark`: what it says a file costs is what the file costs."""

import functools
import json
import os

import numpy as np
import pytest
import tiny

from tflite import benchmark, measure, memory, operations, peak
from tfpose.models import count


@functools.cache
def every_kind_of_layer():
    """A network of a transposed, a grouped and a depthwise convolution and a dense layer."""
    from keras import Input, Model, layers

    image = Input((6, 8, 3), batch_size=1)
    x = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(image)
    x = layers.Conv2D(6, 3, groups=2, padding="same")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    return Model(image, layers.Dense(5)(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """That network as a file, which takes float32 images."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("files") / "small.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(every_kind_of_layer()).convert())
    return path


def run(capsys, *arguments) -> dict:
    assert benchmark.main([str(tiny.bundle()), "--runs", "3", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_files_multiply_accumulates_are_those_of_its_network(small):
    assert operations.macs(small) == {"int8": 0, "float32": count.macs(every_kind_of_layer())}
    for kind, other in (("int8", "float32"), ("float32", "int8")):
        assert operations.macs(tiny.bundle() / f"{kind}.tflite") == {kind: count.macs(tiny.network()), other: 0}


def test_what_is_no_tflite_file_has_no_multiply_accumulates(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"x\.tflite: not a \.tflite file"):
        operations.macs(tmp_path / "x.tflite")


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_the_peak_is_that_of_a_convolution_of_this_kind(kind, tmp_path):
    (tmp_path / "peak.tflite").write_bytes(peak.file(kind))
    assert operations.macs(tmp_path / "peak.tflite")[kind] == peak.MACS
    weights, image, result = values(kind)
    expected = np.einsum("hwi,ohwi->o", image[0, 4:7, 9:12].astype(np.int64), weights.astype(np.int64))
    level = 10_000 if kind == "int8" else 1
    assert np.array_equal(result[0, 5, 10], np.rint(expected / level))


def values(kind: str) -> tuple:
    """The peak file's weights, image and what LiteRT makes of them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=peak.file(kind))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    image = np.random.default_rng(1).integers(-100, 100, taken["shape"]).astype(taken["dtype"])
    interpreter.set_tensor(taken["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(1), image, interpreter.get_tensor(given["index"])


def test_a_files_memory_is_not_that_of_who_asks():
    ballast = np.ones(50_000_000)  # 400 MB
    found = memory.peak(tiny.bundle() / "int8.tflite")
    assert 0 < found["file"] < found["process"] < 400 < memory.most()
    assert ballast.all()


def test_a_file_that_does_not_run_has_no_memory(tmp_path):
    with pytest.raises(ValueError, match=r"none\.tflite: its memory could not be measured: .*no such file"):
        memory.peak(tmp_path / "none.tflite")


def test_the_parts_take_turns():
    order = []
    times = measure.timed({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, runs=5)
    assert order == ["a", "b"] * (5 + measure.WARMUPS)
    assert [len(values) for values in times.values()] == [5, 5]


def test_the_warp_every_file_and_the_decoder_are_timed(capsys):
    result = run(capsys)
    names, times = {"int8.tflite", "float16.tflite", "float32.tflite"}, result["milliseconds"]
    assert names | {"decode"} < set(times) and any(name.startswith("warp") for name in times)
    assert result["int8/float32"] == times["int8.tflite"] / times["float32.tflite"]
    assert set(result["files"]) == names and set(result["peak"]) == {"int8", "float32"}


def test_a_files_share_is_its_rate_in_that_of_the_peak(capsys):
    result = run(capsys, "--kind", "int8")
    (costs,) = result["files"].values()
    assert costs["gmacs"] == count.macs(tiny.network()) / 1e9
    assert costs["share"] == pytest.approx(1000 * costs["gmacs"] / costs["fastest"] / result["peak"]["int8"])
    assert costs["megabytes"] == (tiny.bundle() / "int8.tflite").stat().st_size / 1e6


def test_a_peer_is_measured_beside_the_file_of_a_kind(capsys):
    result = run(capsys, "--kind", "int8", "--peer", tiny.bundle() / "int8.tflite")
    assert list(result["files"]) == ["int8.tflite", str(tiny.bundle() / "int8.tflite")]


def test_a_peer_that_takes_no_uint8_image_is_one_line(small, capsys):
    assert benchmark.main([str(tiny.bundle()), "--peer", str(small)]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tflite.")]
    assert f"{small}: does not take a uint8 image" in line


def test_the_report_has_a_line_for_each_part_and_file():
    costs = {"milliseconds": 2.0, "fastest": 1.0, "megabytes": 3.0, "gmacs": 0.25, "share": 0.5}
    costs["memory"] = {"process": 50.0, "file": 10.0}
    result = {"milliseconds": {"decode": 0.5, "a.tflite": 2.0}, "files": {"a.tflite": costs}, "peak": {"int8": 500.0}}
    lines = benchmark.report(result | {"threads": 1}).splitlines()
    assert [line.split() for line in lines if line.startswith(("a.", "decode", "peak"))] == [
        ["decode", "0.500", "ms"],
        ["a.tflite", "2.000", "1.000", "3.00", "10.0", "MB", "0.250", "50%"],
        ["peak", "int8", "500.0", "GMAC/s"],
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system holds no process on its cores")
def test_a_benchmark_stays_on_as_many_cores_as_it_has_threads():
    before = os.sched_getaffinity(0)
    with benchmark._on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_what_is_no_bundle_and_no_photo_is_one_line_and_exit_code_1(tmp_path, capsys):
    for arguments, says in (([tmp_path], "found no pose.json"), ([tiny.bundle(), tmp_path / "x.jpg"], "no such image")):
        assert benchmark.main([*map(str, arguments), "--runs", "1"]) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tflite.")]
        assert says in line
