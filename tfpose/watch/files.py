"""A small file that others read while it is written: it is there whole or as it was before, and may be missing."""

import contextlib
import json
import math
import os
from pathlib import Path


def put(path: Path, text: str) -> None:
    """Writes a text in the place of a file, at once for whoever reads it; OSError where that cannot be."""
    scratch = path.with_name(f"part.{os.getpid()}.{path.name}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def dumped(content: dict) -> str:
    """A dictionary as one line of JSON, in which a number that is not finite is null: strict readers take it."""
    return json.dumps(_strict(content)) + "\n"


def _strict(value):
    if isinstance(value, dict):
        return {name: _strict(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def taken(path: Path):
    """What a JSON file says; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
