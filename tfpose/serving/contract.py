"""TensorFlow Serving's REST contract: a body -> instances of a signature, and rows -> a body.

{"instances": [...]} is answered with {"predictions": [...]}, a row each; {"inputs": ...}, all of an input together,
with {"outputs": ...}. Bytes are {"b64": "..."}.
"""

import base64
import binascii
from dataclasses import dataclass

import numpy as np
import orjson

from tfpose.serving.model import SERVED, Input
from tfpose.serving.refused import Refused


@dataclass(frozen=True)
class Call:
    """What a body asks for: a signature of each instance; `columns` says that it gave inputs, and gets outputs."""

    signature: str
    instances: list[dict]
    columns: bool


def call(body: bytes, signatures: dict[str, dict[str, Input]]) -> Call:
    """The call of a JSON body; Refused (400) says what in it is wrong, and what was expected."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise Refused(400, 'expected {"instances": [...]} or {"inputs": ...}, as in {"instances": [{"b64": "..."}]}')
    name = request.get("signature_name") or SERVED
    if not isinstance(name, str) or name not in signatures:
        raise Refused(400, f"signature_name: found {_short(name)}; choose from {', '.join(sorted(signatures))}")
    inputs, columns = signatures[name], "inputs" in request
    rows = _rows(request["inputs"], inputs) if columns else request["instances"]
    if not isinstance(rows, list) or not rows:
        raise Refused(400, f"instances: found {_short(rows)}; expected a list of one or more")
    return Call(name, [_instance(row, inputs, f"instances[{i}]") for i, row in enumerate(rows)], columns)


def answer(rows: list[dict], *, columns: bool) -> bytes:
    """The JSON of rows of named arrays; an output that is alone goes without its name."""
    if not columns:
        return _json({"predictions": [_unnamed(row) for row in rows]})
    return _json({"outputs": _unnamed({name: [row[name] for row in rows] for name in rows[0]})})


def _unnamed(row: dict):
    return row if len(row) > 1 else next(iter(row.values()))


def _json(content) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _rows(columns, inputs: dict[str, Input]) -> list[dict]:
    # A single input may stand without its name.
    if len(inputs) == 1 and not (isinstance(columns, dict) and set(columns) == set(inputs)):
        columns = {next(iter(inputs)): columns}
    if not isinstance(columns, dict) or set(columns) != set(inputs):
        raise Refused(400, f"inputs: found {_short(columns)}; expected an object with {', '.join(inputs)}")
    values = [v if isinstance(v, list) else [v] for v in columns.values()]
    if len({len(v) for v in values}) != 1:
        raise Refused(400, f"inputs: found {', '.join(str(len(v)) for v in values)} values; expected as many of each")
    return [dict(zip(columns, row)) for row in zip(*values)]


def _instance(row, inputs: dict[str, Input], place: str) -> dict:
    if len(inputs) == 1 and not (isinstance(row, dict) and set(row) == set(inputs)):
        row = {next(iter(inputs)): row}
    if not isinstance(row, dict) or set(row) != set(inputs):
        raise Refused(400, f"{place}: found {_short(row)}; expected an object with {', '.join(inputs)}")
    return {name: _value(row[name], what, f"{place}.{name}") for name, what in inputs.items()}


def _value(value, what: Input, place: str):
    if what.dtype.kind == "O":
        return _bytes(value, place)
    try:
        found = np.array(value)
    except ValueError:
        raise Refused(400, f"{place}: its lists are not of one length") from None
    good = found.dtype.kind in ("iu" if what.dtype.kind in "iu" else "iuf") and found.size
    if (
        not good
        or len(found.shape) != len(what.shape)
        or any(n not in (m, None) for m, n in zip(found.shape, what.shape))
    ):
        shape = " x ".join("any" if n is None else str(n) for n in what.shape)
        raise Refused(400, f"{place}: found {found.dtype} {found.shape}; expected {what.dtype} of {shape}")
    limits = np.iinfo(what.dtype) if what.dtype.kind in "iu" else np.finfo(what.dtype)
    if not (limits.min <= found.min() and found.max() <= limits.max):
        raise Refused(400, f"{place}: found values that are not {what.dtype}")
    return found.astype(what.dtype)


def _bytes(value, place: str) -> bytes:
    if not isinstance(value, dict) or set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise Refused(400, f'{place}: found {_short(value)}; expected {{"b64": "..."}}')
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, f"{place}: not base64: {error}") from error


def _short(value) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}..."
