"""Who may import whom: each folder speaks one language, and the edge runs where TensorFlow and Keras do not exist."""

import ast
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NUMPY = {"numpy", "PIL", "yaml"}
TENSORFLOW = NUMPY | {"tensorflow", "cv2", "pycocotools"}
FRAME = {"paths", "skeleton", "geometry", "anchors", "poses", "spec"}
# module or folder -> (other packages it may import, parts of tfpose it may import); "" is `tfpose` itself: its version
ALLOWED = {
    "skeleton": (NUMPY, {"paths"}),
    "geometry": (NUMPY, set()),
    "anchors": (NUMPY, set()),
    "progress": (NUMPY, set()),
    "paths": ({"tensorflow"}, set()),  # where a name has a scheme
    "remote": (set(), {"paths"}),
    "poses": (NUMPY, {"geometry"}),
    "spec": (NUMPY, {"skeleton"}),
    "options": (NUMPY, set()),
    "config": (NUMPY, {"options"}),
    "yaml_config": (NUMPY, {"config", "paths"}),
    "draw": (NUMPY, FRAME),
    "decode": (NUMPY, FRAME),
    "metrics": (NUMPY, FRAME),
    "predict": (NUMPY, FRAME | {"decode"}),
    "predict_images": (NUMPY, FRAME | {"decode", "predict"}),
    "predict_labels": (NUMPY, FRAME | {"decode"}),
    "annotations": (NUMPY, {"skeleton", "predict"}),
    "litert": (NUMPY | {"ai_edge_litert"}, set()),
    "label_runners": (NUMPY | {"tensorflow", "keras", "ai_edge_litert"}, FRAME | {"decode"}),
    "runners": (NUMPY | {"tensorflow", "keras"}, FRAME | {"litert", "label_runners"}),
    "evaluate_parts": (NUMPY, FRAME | {"decode", "predict_images", "metrics"}),
    "evaluate": (
        NUMPY | {"pycocotools"},
        FRAME | {"predict", "predict_images", "evaluate_parts", "metrics", "progress"},
    ),
    "evaluate_labels": (NUMPY, FRAME | {"decode", "evaluate", "predict_labels", "progress"}),
    "data": (TENSORFLOW | {"scipy"}, FRAME | {"config", "draw", "progress"}),
    "encode": (TENSORFLOW, FRAME | {"decode"}),
    "models": ({"keras"}, {"paths", "remote"}),  # where weights are elsewhere
    "losses": ({"keras"}, set()),
    "systems": (set(), FRAME | {"options", "encode", "decode", "models", "losses"}),
    "precision": (NUMPY, {"evaluate"}),
    "watch": (NUMPY, FRAME | {"decode", "draw", "metrics", "predict", "progress"}),
    "sweep": (NUMPY, {"config", "yaml_config", "evaluate", "progress", "watch"}),
    "train": (
        TENSORFLOW | {"keras", "tensorboard"},
        FRAME
        | {"", "config", "yaml_config", "data", "systems", "models", "decode", "predict", "runners", "evaluate"}
        | {"draw", "progress", "watch", "precision", "evaluate_labels", "evaluate_parts"}
        | {"label_runners", "predict_images", "predict_labels", "remote"},
    ),
    "export": (
        NUMPY
        | {"tensorflow", "keras", "ai_edge_litert", "ai_edge_quantizer", "tf_keras", "tensorflow_model_optimization"},
        FRAME | {"", "predict", "decode", "litert", "runners", "systems", "progress"},
    ),
    "serving": (
        NUMPY | {"tensorflow", "google", "starlette", "uvicorn", "orjson", "prometheus_client"},
        FRAME | {"draw", "runners"},
    ),
}
# These put everything together, and leave every language to the parts.
FRONT = {
    **dict.fromkeys(("", "arguments", "cli", "fields", "kept", "protocol", "shard", "show", "targets"), NUMPY),
    **{"jobs": NUMPY | {"keras"}, "quantize": NUMPY | {"keras"}, "predictions": NUMPY | {"cv2"}},
}
FILES = sorted((ROOT / "tfpose").rglob("*.py"))
EDGE = sorted((ROOT / "tflite").glob("*.py"))
names = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))


def imports(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it: a.b for `import a.b`, and a.b for `from a import b`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def part(path: Path) -> str:
    """The module or folder of tfpose that a file belongs to; "" for tfpose/__init__.py."""
    first = path.relative_to(ROOT / "tfpose").parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def others(path: Path) -> set[str]:
    """The packages that a file imports which are neither Python's nor of this checkout."""
    tops = {name.partition(".")[0] for name in imports(path)}
    return tops - set(sys.stdlib_module_names) - {"tfpose", "tflite"}


def parts(path: Path) -> set[str]:
    """The modules and folders of tfpose that a file imports; "" for a name of `tfpose` itself."""
    known = {part(p) for p in FILES}
    found = {name.split(".")[1] for name in imports(path) if name.startswith("tfpose.")}
    return {name if name in known else "" for name in found}


@names
def test_every_file_has_its_place_in_the_table(path):
    assert part(path) in ALLOWED | FRONT


@names
def test_a_file_imports_only_the_packages_of_its_language(path):
    name = part(path)
    allowed = FRONT[name] if name in FRONT else ALLOWED[name][0]
    assert others(path) <= allowed


@names
def test_a_file_imports_only_the_parts_below_it(path):
    name = part(path)
    assert name in FRONT or parts(path) - {name} <= ALLOWED[name][1]


def test_nothing_imports_the_front_or_the_edge():
    for path in FILES:
        assert not any(name.startswith("tflite") for name in imports(path)), path
        assert part(path) in FRONT or not parts(path) & (set(FRONT) - {""}), path


def test_the_table_has_no_circle():
    graph = {name: below - {name} for name, (_, below) in ALLOWED.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", EDGE, ids=lambda p: p.name)
def test_the_edge_imports_numpy_pillow_and_opencv_alone(path):
    assert others(path) <= {"numpy", "PIL", "cv2", "ai_edge_litert", "flatbuffers"}
    assert parts(path) <= FRAME | {"annotations", "decode", "draw", "litert", "predict", "predict_images", "progress"}


def test_a_forbidden_import_inside_a_function_is_found(tmp_path):
    file = tmp_path / "lazy.py"
    file.write_text("def late():\n    from keras import layers\n    return layers\n")
    assert others(file) == {"keras"}


# An import of these raises from now on, as where they are not installed.
FORBIDDEN = "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'tf_keras', 'cv2', 'pycocotools')))\n"


def test_the_base_runs_where_tensorflow_and_keras_are_missing():
    run(
        """
import numpy as np
from tfpose.predict import Predictor
from tfpose.skeleton import COCO17
from tfpose.spec import PoseSpec
spec = PoseSpec("ppnet", "person", (64, 48), COCO17, {"name": "topdown", "stride": 4})
predictor = Predictor(spec, lambda views: {"heatmaps": np.ones((len(views), 16, 12, 17), np.float32)})
assert predictor(np.zeros((90, 80, 3), np.uint8)).keypoints.shape == (1, 17, 3)
"""
    )


def test_the_edge_runs_where_tensorflow_and_keras_are_missing():
    run(
        f"""
import numpy as np
from tflite import interpreter
predictor = interpreter.predictor({str(tiny.bundle())!r})
assert predictor.run.kind == "int8"
assert np.isfinite(predictor(np.zeros((90, 80, 3), np.uint8)).keypoints).all()
"""
    )


def test_the_command_line_predicts_where_tensorflow_and_keras_are_missing(tmp_path):
    Image.new("RGB", (80, 90)).save(tmp_path / "photo.png")
    arguments = ["predict", str(tiny.bundle() / "int8.tflite"), str(tmp_path), "--output", str(tmp_path / "out")]
    run(f"from tfpose import cli\nassert cli.main({arguments!r}) == 0")
    assert (tmp_path / "out" / "pictures" / "photo.png").is_file()


def run(program: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", FORBIDDEN + program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
