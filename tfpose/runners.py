"""A path -> (specification, run): the same `run` whether Keras, a SavedModel or a LiteRT file is behind it.

`run` takes views (N, H, W, 3) uint8 and returns {output name: (N, h, w, C) float32}. Of outputs named by stages,
"heatmaps/0", "heatmaps/1" ..., the last comes back as "heatmaps". Networks of labels are for `label_runners`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfpose import label_runners
from tfpose import spec as specs
from tfpose.spec import PoseSpec

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
SIGNATURE = "maps"
# Of several .tflite files in a folder the smallest is run, as a device would.
SMALLEST_FIRST = ("int8", "dynamic", "float16", "float32", "int16")


def load(path: Path, threads: int | None = None) -> tuple[PoseSpec, Run]:
    """The network at a path: a run folder, a bundle, a SavedModel, a `.keras` or a `.tflite` beside its pose.json.

    `threads` is for LiteRT (all cores by default). ValueError where nothing can be run or a library is missing.
    """
    file, spec = network_file(Path(path)), specification(path)
    if spec.view == "labels":
        return spec, label_runners.load(file, spec.skeleton, last_stage, threads or os.cpu_count() or 1)
    if file.suffix == ".tflite":
        return spec, litert(file, threads)
    return spec, keras_file(file) if file.suffix == ".keras" else saved_model(file)


def specification(path: Path) -> PoseSpec:
    """What the pose.json beside a network says; ValueError where nothing can be run, or there is none."""
    path = Path(path)
    file = network_file(path)
    beside = [folder / "pose.json" for folder in (path, file, file.parent, file.parent.parent)]
    return specs.load(next((p for p in beside if p.is_file()), file.parent / "pose.json"))


def network_file(path: Path) -> Path:
    """What a path stands for: a folder for its network.keras, else its smallest `.tflite`, else its SavedModel."""
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if path.is_file():
        if path.suffix not in (".keras", ".tflite", ".npz"):
            raise ValueError(f"{path}: expected a .keras or .tflite file, or a folder")
        return path
    for name in ("network.keras", "best.keras"):  # a run that has not ended has its best network only
        if (path / name).is_file():
            return path / name
    if (path / "saved_model.pb").is_file():
        return path
    if found := newest(path):
        return found
    if files := sorted(path.glob("*.tflite"), key=_rank):
        return files[0]
    if found := newest(path / "saved_model"):
        return found
    raise ValueError(f"{path}: nothing to run; expected network.keras, a .tflite file or a SavedModel in it")


def newest(folder: Path) -> Path | None:
    """The SavedModel of the highest version in a folder with 1, 2 ... in it; None where there is none."""
    versions = [file.parent for file in folder.glob("*/saved_model.pb") if file.parent.name.isdigit()]
    return max(versions, key=lambda version: int(version.name), default=None)


def keras_file(path: Path) -> Run:
    """Runs a `.keras` file, compiled; views are filled up to a power of two, so that few graphs are traced."""
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise ValueError(f"{path}: needs Keras and TensorFlow: pip install 'tfpose[train]' ({error})") from error
    return network(keras.saving.load_model(path, compile=False), tf.function)


def network(model, compiled: Callable = lambda call: call) -> Run:
    """Runs a keras.Model that is in memory; `compiled` is what compiles a function, `tf.function` for instance."""
    call = compiled(lambda views: last_stage(model(views, training=False)))

    def run(views: np.ndarray) -> dict[str, np.ndarray]:
        size = 1 << (len(views) - 1).bit_length()
        filled = np.concatenate([views, np.zeros((size - len(views), *views.shape[1:]), views.dtype)])
        return {name: np.asarray(maps)[: len(views)].astype(np.float32) for name, maps in call(filled).items()}

    return run


def saved_model(path: Path) -> Run:
    """Runs the signature "maps" of a SavedModel folder: uint8 views in, named outputs out."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ValueError(f"{path}: needs TensorFlow: pip install 'tfpose[train]' ({error})") from error
    loaded = tf.saved_model.load(path)
    if SIGNATURE not in loaded.signatures:
        raise ValueError(f"{path}: no signature {SIGNATURE!r}; it has {', '.join(loaded.signatures)}")
    call = loaded.signatures[SIGNATURE]
    (argument,) = call.structured_input_signature[1]

    def run(views: np.ndarray) -> dict[str, np.ndarray]:
        assert loaded  # a signature lives no longer than the object it came from
        outputs = call(**{argument: tf.constant(views)})
        return {name: maps.numpy().astype(np.float32) for name, maps in last_stage(outputs).items()}

    return run


def litert(path: Path, threads: int | None = None) -> Run:
    """Runs a `.tflite` file, float or quantized, on `threads` threads (default: every core)."""
    from tfpose.litert import LiteRT

    file = LiteRT(path, threads or os.cpu_count() or 1)
    return lambda views: last_stage(file(views))


def last_stage(outputs: dict) -> dict:
    """{"heatmaps/0": a, "heatmaps/1": b} -> {"heatmaps": b}; names without a stage stay."""
    stages = {name: name.rpartition("/") for name in outputs}
    order = sorted(outputs, key=lambda name: int(stages[name][2]) if stages[name][1] else 0)
    return {stages[name][0] or name: outputs[name] for name in order}


def _rank(path: Path) -> tuple[bool, int, str]:
    ranks = [i for i, kind in enumerate(SMALLEST_FIRST) if kind in path.stem]
    return path.stem not in SMALLEST_FIRST, min(ranks, default=len(SMALLEST_FIRST)), path.name
