"""The bundle: a folder with the network in every form it ships in, and pose.json, which says what each file is.

pose.json  network.keras  saved_model/  float32.tflite  float16.tflite  int8.tflite ...
"""

import hashlib
import importlib.metadata
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tfpose import __version__
from tfpose import spec as specs
from tfpose.decode import owners
from tfpose.export import serving_signatures, tflite
from tfpose.progress import progress
from tfpose.spec import PoseSpec

SPEC = "pose.json"
KERAS = "network.keras"
WRITERS = ("tensorflow", "keras", "ai-edge-litert", "numpy")
ASSIGN = "assign"  # the network that the decoder asks whose keypoint is whose
CARD = "README.md"
# What is said about the files, and would be wrong of others.
REPORTS = (CARD, "report.md", "report.png", "layers.md", "layers.png")
DECODED = "decoded_"
PHOTO = "photo"  # a folder of files that take photos
# Made elsewhere and put in by `add`: trained with rounded weights; a network whose decoder is in the file.
ADDED = ("aware", f"{DECODED}float32", f"{DECODED}int8")
FILES = {"keras": KERAS, "saved_model": "saved_model"} | {kind: f"{kind}.tflite" for kind in (*tflite.KINDS, *ADDED)}


def write(
    network: keras.Model,
    spec: PoseSpec,
    folder: Path | str,
    kinds: Iterable[str],
    views: Iterable[np.ndarray] = (),
    calibration: dict | None = None,
    *,
    percentile: float = 100.0,
    keep_float: Sequence[str] = (),
) -> Path:
    """The folder, with the deployed network as `network.keras` and in the given kinds, and its pose.json.

    `kinds` are of saved_model and `tflite.KINDS`; `views` (each (H, W, 3) uint8) calibrate the integers, `calibration`
    says where they came from, and the rest is that of `tflite.convert`. Files of an earlier bundle in the folder are
    replaced. ValueError for an unknown kind.
    """
    folder, views, kinds = Path(folder), list(views), ["keras", *kinds]
    written = {kind: name for kind, name in FILES.items() if kind not in ADDED}
    if unknown := sorted(set(kinds) - set(written)):
        raise ValueError(f"export.files: no such kind {unknown[0]!r}; choose from {', '.join(written)}")
    clear(folder)
    for kind in progress(kinds, len(kinds), "export"):
        path = folder / FILES[kind]
        if kind == "keras":
            network.save(path)
        elif kind == "saved_model":
            serving_signatures.save(network, spec, path)
        else:
            path.write_bytes(tflite.convert(network, kind, views or None, percentile=percentile, keep_float=keep_float))
    files = {FILES[kind]: describe(folder / FILES[kind], kind) for kind in kinds}
    if source := spec.decoder.get("assign"):
        shutil.copyfile(source, folder / owners.FILE)
        files[owners.FILE] = describe(folder / owners.FILE, ASSIGN)
    how = {"views": len(views), "percentile": percentile, "keep_float": list(keep_float)}
    found = (calibration or {}) | how if set(kinds) & set(tflite.INTEGER) else {}
    replace(spec, files=files, versions=versions(), calibration=found).save(folder / SPEC)
    return folder


def add(folder: Path | str, kind: str, content: bytes) -> Path:
    """The path of a .tflite file that is put into a bundle, in place of one of its kind, and described in pose.json.

    ValueError where the folder is no bundle, or no file of this kind can be added.
    """
    path, added = Path(folder), [kind for kind, name in FILES.items() if name.endswith(".tflite")]
    if kind not in added:
        raise ValueError(f"{path}: no such kind of file {kind!r}; choose from {', '.join(added)}")
    spec = specs.load(path / SPEC)
    file = path / FILES[kind]
    file.write_bytes(content)
    replace(spec, files=spec.files | {file.name: describe(file, kind)}).save(path / SPEC)
    return file


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
    return {"tfpose": __version__} | {name: importlib.metadata.version(name) for name in WRITERS}


def clear(folder: Path) -> None:
    """Makes the folder, without the files of an earlier bundle; ValueError where it is another's."""
    if (folder / "checkpoint.npz").exists():
        raise ValueError(f"{folder}: is a run folder; its network.keras would be replaced: name another --output")
    if (folder / CARD).exists() and not (folder / SPEC).exists():
        raise ValueError(f"{folder}: has a {CARD} and no {SPEC}, so it is no bundle: name another --output")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SPEC, owners.FILE, *FILES.values(), *REPORTS, PHOTO):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
