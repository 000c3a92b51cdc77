"""The bundle: a folder with the network in every form it ships in, and pose.json, which says what each file is.

pose.json  network.keras  saved_model/  float32.tflite  float16.tflite  int8.tflite
"""

import hashlib
import importlib.metadata
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tfpose import __version__
from tfpose.export import saved_model, tflite
from tfpose.progress import progress
from tfpose.spec import PoseSpec

SPEC = "pose.json"
KERAS = "network.keras"
FILES = {"keras": KERAS, "saved_model": "saved_model"} | {kind: f"{kind}.tflite" for kind in tflite.KINDS}


def write(
    network: keras.Model,
    spec: PoseSpec,
    folder: Path | str,
    kinds: Iterable[str],
    views: Iterable[np.ndarray] = (),
    calibration: dict | None = None,
) -> Path:
    """The folder, with the deployed network as `network.keras` and in the given kinds, and its pose.json.

    `kinds` are of saved_model, float32, float16, int8; `views` (each (H, W, 3) uint8) calibrate int8, and `calibration`
    says where they came from. Files of an earlier bundle in the folder are replaced. ValueError for an unknown kind.
    """
    folder, views, kinds = Path(folder), list(views), ["keras", *kinds]
    if unknown := sorted(set(kinds) - set(FILES)):
        raise ValueError(f"export.files: no such kind {unknown[0]!r}; choose from {', '.join(FILES)}")
    _clear(folder)
    for kind in progress(kinds, len(kinds), "export"):
        _write(network, kind, folder / FILES[kind], views)
    files = {FILES[kind]: describe(folder / FILES[kind], kind) for kind in kinds}
    found = (calibration or {}) | {"views": len(views)} if "int8" in kinds else {}
    replace(spec, files=files, versions=versions(), calibration=found).save(folder / SPEC)
    return folder


def describe(path: Path, kind: str) -> dict:
    """What pose.json says of a file or a folder: {"kind", "sha256", "bytes"}, of a folder over all it contains."""
    digest, size = hashlib.sha256(), 0
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        content = part.read_bytes()
        # The names belong to a folder's digest: a file that is moved is another folder.
        digest.update(str(part.relative_to(path)).encode() if path.is_dir() else b"")
        digest.update(content)
        size += len(content)
    return {"kind": kind, "sha256": digest.hexdigest(), "bytes": size}


def versions() -> dict[str, str]:
    """The releases of what wrote a bundle."""
    return {"tfpose": __version__} | {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")}


def _clear(folder: Path) -> None:
    if (folder / "checkpoint.npz").exists():
        raise ValueError(f"{folder}: is a run folder; its network.keras would be replaced: name another --output")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SPEC, *FILES.values()):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _write(network: keras.Model, kind: str, path: Path, views: list[np.ndarray]) -> None:
    if kind == "keras":
        network.save(path)
    elif kind == "saved_model":
        saved_model.save(network, path)
    else:
        path.write_bytes(tflite.convert(network, kind, views or None))
