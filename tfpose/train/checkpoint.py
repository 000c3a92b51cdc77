"""A checkpoint: every number a run needs to go on, in one .npz written whole or not at all, and the one before it."""

import contextlib
import json
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

FILE = "checkpoint.npz"
TORN = (OSError, ValueError, KeyError, EOFError, NotImplementedError, SyntaxError)
TORN += (zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError)


def previous(path: Path) -> Path:
    """Where the checkpoint before the last one is kept."""
    return path.with_name(f"previous_{path.name}")


def exists(folder: Path) -> bool:
    """Whether a run's folder has a checkpoint, whole or torn."""
    return any(p.is_file() for p in (folder / FILE, previous(folder / FILE)))


def save(path: Path, trainee, state: dict) -> None:
    """Writes weights, optimizer variables and `state` (JSON values); the file that was there becomes the previous one.

    A kill at any moment leaves one of the two whole. OSError, where the disk is full for instance, leaves both.
    """
    arrays = {f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(trainee))}
    with whole(path) as scratch, scratch.open("wb") as file:
        np.savez(file, state=np.array(json.dumps(state)), **arrays)
        file.flush()
        os.fsync(file.fileno())
        if path.is_file():
            path.replace(previous(path))


@contextlib.contextmanager
def whole(path: Path):
    """A file to write in the place of `path`, which it takes when all went well; OSError says what is left."""
    scratch = path.with_name(f"part.{path.name}")
    try:
        yield scratch
        scratch.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise OSError(
            f"{path}: cannot be written ({error.strerror or error}); what was saved before is whole: make room and "
            "run the same command again"
        ) from error


def restore(path: Path, trainee) -> dict:
    """Puts a checkpoint's numbers into a compiled trainee and returns its `state`.

    Where the file is torn a line says so, and the previous one is taken. ValueError where that is torn too, or belongs
    to another network: nothing starts from scratch silently.
    """
    state, arrays = _read(path)
    variables = _variables(trainee)
    found, expected = [a.shape for a in arrays], [tuple(v.shape) for v in variables]
    if found != expected:
        raise ValueError(
            f"{path}: {len(found)} arrays of another network; this one has {len(expected)}: "
            "continue with the configuration that wrote it, or choose another --workdir"
        )
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    return state


def _read(path: Path) -> tuple[dict, list[np.ndarray]]:
    """The state and arrays of a checkpoint, or of the previous one."""
    try:
        return _parts(path)
    except TORN as error:
        if not previous(path).is_file():
            raise ValueError(f"{path}: not a whole checkpoint ({error}); delete it to start again") from error
        with contextlib.suppress(*TORN):
            state, arrays = _parts(previous(path))
            where = f"epoch {state['epoch']}"
            print(f"{path}: not a whole checkpoint; the previous one is, and continues after {where}", flush=True)
            return state, arrays
        raise ValueError(
            f"{path} and {previous(path).name}: not whole ({error}); delete both to start again"
        ) from error


def _parts(path: Path) -> tuple[dict, list[np.ndarray]]:
    with np.load(path) as file:
        return json.loads(str(file["state"])), [file[f"variable_{i}"] for i in range(len(file.files) - 1)]


def _variables(trainee) -> list:
    return [*trainee.network.variables, *trainee.optimizer.variables]
