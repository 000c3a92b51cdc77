"""A checkpoint: every number a run needs to go on, in one .npz written whole or not at all."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np


def save(path: Path, trainee, state: dict) -> None:
    """Writes weights, optimizer variables and `state` (JSON values); a kill at any moment leaves the old file."""
    arrays = {f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(trainee))}
    scratch = path.with_suffix(".part")
    with scratch.open("wb") as file:
        np.savez(file, state=np.array(json.dumps(state)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def restore(path: Path, trainee) -> dict:
    """Puts a checkpoint's numbers into a compiled trainee and returns its `state`.

    ValueError where the file is torn or belongs to another network: nothing starts from scratch silently.
    """
    try:
        with np.load(path) as file:
            state = json.loads(str(file["state"]))
            arrays = [file[f"variable_{i}"] for i in range(len(file.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a whole checkpoint ({error}); delete it to start again") from error
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


def _variables(trainee) -> list:
    return [*trainee.network.variables, *trainee.optimizer.variables]
