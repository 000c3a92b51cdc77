"""Two makers of integer files on one network: TensorFlow's converter and ai-edge-quantizer.

    python -m benchmarks.quantizers RUN [--photos 200] [--kinds int8 int16 dynamic]

RUN is a run folder with a bundle. Each maker gets its own calibration, and the ranges that `tfpose export` finds, on
the same views. A line says MB, milliseconds (processor time on one thread, the median), the score in per cent, and how
wrong the outputs are on unseen views: root mean square as a share of their deviation.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_quantizer import qtyping, quantizer, recipe_manager

from benchmarks.quantization import judge
from tfpose import jobs, runners, yaml_config
from tfpose import spec as specs
from tfpose.data.source import load_part
from tfpose.export import bundle, calibrate, cost, layers, quantize, ranges, saved_model, tables, tflite
from tfpose.predictions import fast_warp

HEAD = ["file", "MB", "ms", "score %", "outputs wrong by %"]
UNSEEN = 32
PERCENTILES = (99.999, 99.99)
SET = {"int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8}
SET["int16"] = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
OPERATION = qtyping.TFLOperationName


def main() -> None:
    """Prints a line per maker and kind."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument("--photos", type=int, default=0, help="to score on (default: the whole validation part)")
    p.add_argument("--kinds", nargs="+", default=["int8", "int16", "dynamic"], choices=["int8", "int16", "dynamic"])
    o = p.parse_args()
    views, unseen = (seen(o.run, part) for part in ("train", "validation"))
    network = keras.models.load_model(o.run / "bundle" / bundle.KERAS, compile=False)
    rows = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(o.run / "bundle" / bundle.SPEC, folder)
        score, truth = judge(o.run, o.photos)[0], runners.network(network)(unseen)
        for name, content in files(network, views, o.kinds):
            rows.append([name, *measured(Path(folder) / "file.tflite", content, score, truth, unseen)])
            print(tables.aligned([HEAD, rows[-1]]), flush=True)
    print(tables.markdown(rows))


def seen(run: Path, part: str) -> np.ndarray:
    """The views that `tfpose export` calibrates with, or some of the validation part."""
    config = yaml_config.load(run / "config.yaml")
    spec = specs.load(run / "bundle" / bundle.SPEC)
    count = config.export.calibration_views if part == "train" else UNSEEN
    records = load_part(config.data, jobs.annotated(spec, config), part).records
    return np.stack(list(calibrate.views(records, spec, count, config.seed, fast_warp())))


def files(network: keras.Model, views: np.ndarray, kinds: list[str]):
    """Yields (name, bytes) of every maker's files."""
    content = tflite.converted(network, "float32", "float32")
    found = ranges.find(content, views)
    if "int8" in kinds:
        yield "int8, converter", converter(network, "int8", views)
        yield "int8, converter, these ranges", quantize.int8(content, found)
        for percentile in PERCENTILES:
            cut = ranges.find(content, views, percentile)
            yield f"int8, converter, {percentile:g} % of the values", quantize.int8(content, cut)
        yield "int8, ai-edge", ai_edge(content, 8, views=views)
        yield "int8, ai-edge, these ranges", ai_edge(content, 8, found=found)
    if "dynamic" in kinds:
        yield "dynamic, converter", tflite.converted(network, "dynamic", "uint8")
        yield "dynamic, ai-edge", ai_edge(tflite.converted(network, "float32", "uint8"), 0)
    if "int16" in kinds:
        yield "int16, converter", converter(network, "int16", views)
        yield "int16, ai-edge, these ranges", quantize.int16(content, found)


def converter(network: keras.Model, kind: str, views: np.ndarray) -> bytes:
    """An integer file by TFLiteConverter alone, with its own calibration."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved_model.write(saved_model.frozen(network, batch=1, dtype="float32"), folder)
        work = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        work.optimizations = [tf.lite.Optimize.DEFAULT]
        work.target_spec.supported_ops = [SET[kind]]
        work.inference_input_type = tf.uint8 if kind == "int8" else tf.int16
        work.representative_dataset = lambda: ({saved_model.INPUT: v[None].astype(np.float32)} for v in views)
        return work.convert()


def ai_edge(content: bytes, bits: int, *, views: np.ndarray | None = None, found: quantize.Ranges | None = None):
    """A file by ai-edge-quantizer with values of so many bits, 0 for those that are rounded while it runs."""
    recipe = recipe_manager.RecipeManager()
    if bits:
        recipe.add_static_config(".*", OPERATION.ALL_SUPPORTED, activation_num_bits=bits, weight_num_bits=8)
        recipe.add_quantization_config(".*", OPERATION.OUTPUT, algorithm_key="no_quantize")
    else:
        recipe.add_dynamic_config(".*", OPERATION.ALL_SUPPORTED, num_bits=8)
    work = quantizer.Quantizer(content, recipe.get_quantization_recipe())
    if views is not None:
        samples = [{saved_model.INPUT: view[None].astype(np.float32)} for view in views]
        statistics = work.calibrate({"serving_default": samples}, num_threads=2)
    else:
        statistics = quantize.statistics(content, found) if found else None
    return bytes(work.quantize(statistics, enable_progress_report=False).quantized_model)


def measured(path: Path, content: bytes, score: Callable, truth: dict, unseen: np.ndarray) -> list[str]:
    """The cells of one file."""
    path.write_bytes(content)
    error = layers.error(truth, runners.litert(path)(unseen))
    numbers = [len(content) / 1e6, cost.measure(path).milliseconds, 100 * score(path), 100 * error]
    return [f"{number:.2f}" for number in numbers]


if __name__ == "__main__":
    main()
