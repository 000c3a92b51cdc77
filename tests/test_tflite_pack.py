"""A packed bundle runs where there is nothing but Python, NumPy, Pillow and LiteRT: no checkout, no TensorFlow."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tiny
from PIL import Image

from tflite import pack

# An import of these raises from now on, as where they are not installed.
MISSING = "tensorflow", "keras", "tf_keras", "cv2", "yaml", "scipy", "pycocotools"
FORBIDDEN = f"import sys; sys.modules.update(dict.fromkeys({MISSING}))\n"


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """The tiny bundle, packed as a folder; no test writes to it."""
    folder = tmp_path_factory.mktemp("packed") / "edge"
    assert pack.main([str(tiny.bundle()), "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (90, 120), (200, 30, 40)).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def isolated(folder: Path, program: str, *arguments, python=sys.executable) -> str:
    """What a program prints in a packed folder, from which alone modules come, beside those that are installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-c", f"{FORBIDDEN}import runpy\nsys.path.insert(0, '.')\n{program}", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def module(name: str) -> str:
    return f"runpy.run_module('{name}', run_name='__main__')"


def test_a_packed_folder_predicts_without_the_checkout(packed, photo, tmp_path):
    out = isolated(packed, module("tflite.predict"), "bundle", photo, "--output", tmp_path / "out")
    assert out.splitlines()[-1].startswith("1 picture, 1 people: ")
    assert len(json.loads((tmp_path / "out" / "poses.json").read_text())["annotations"]) == 1
    where = isolated(packed, "import tfpose, tflite; print(tfpose.__file__, tflite.__file__)")
    assert where.count(str(packed.resolve())) == 2


def test_a_packed_folder_benchmarks_without_the_checkout(packed):
    out = isolated(packed, module("tflite.benchmark"), "bundle", "--runs", "2", "--json")
    assert set(json.loads(out)["files"]) == {"int8.tflite", "float16.tflite", "float32.tflite"}


def test_a_zip_holds_one_folder_of_its_name_with_the_kinds_that_were_asked_for(tmp_path):
    assert pack.main([str(tiny.bundle()), "--output", str(tmp_path / "pi.zip"), "--kind", "int8"]) == 0
    names = zipfile.ZipFile(tmp_path / "pi.zip").namelist()
    assert {"pi/requirements.txt", "pi/tflite/predict.py", "pi/bundle/pose.json", "pi/LICENSE"} < set(names)
    assert [name for name in names if name.endswith(".tflite")] == ["pi/bundle/int8.tflite"]
    assert all(name.startswith("pi/") for name in names)


def test_only_what_is_run_is_packed(packed):
    names = {path.relative_to(packed).as_posix() for path in packed.rglob("*.py")}
    assert {"tfpose/decode/topdown.py", "tfpose/__init__.py", "tflite/memory.py", "tflite/minimal.py"} < names
    assert not any(name.startswith(("tfpose/train", "tfpose/models", "tfpose/data", "tflite/pack")) for name in names)


def test_a_device_needs_what_the_package_needs_without_pyyaml():
    setup = (pack.ROOT / "setup.py").read_text()
    packages = pack.REQUIREMENTS.split()
    assert len(packages) == 3 and all(f'"{package}"' in setup for package in packages)


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "mine.txt").touch()
    assert pack.main([str(tiny.bundle()), "--output", str(tmp_path)]) == 1
    assert "is there and not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_new_environment_with_three_packages_runs_it(packed, photo, tmp_path):
    folder = shutil.copytree(packed, tmp_path / "edge")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-r", folder / "requirements.txt"]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the package registry could not be reached: {done.stderr.strip().splitlines()[-1]}")
    isolated(folder, module("tflite.predict"), "bundle", photo, "--output", tmp_path / "out", python=python)
    assert len(json.loads((tmp_path / "out" / "poses.json").read_text())["annotations"]) == 1
    assert "int8.tflite" in isolated(folder, module("tflite.benchmark"), "bundle", "--runs", "2", python=python)
