"""A photo that cannot be decoded is found out in the middle of training: this names the file then."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from tfpose.data import records

SHOWN = 3
_ERRORS = records.BROKEN


@contextlib.contextmanager
def naming(seen) -> Iterator[None]:
    """Turns TensorFlow's error about a photo, which does not say which, into a ValueError that names the file."""
    try:
        yield
    except _ERRORS as error:
        if bad := undecodable(seen):
            more = f" (and {len(bad) - SHOWN} more)" if len(bad) > SHOWN else ""
            raise ValueError(f"cannot decode {', '.join(bad[:SHOWN])}{more}; mend or remove what is broken") from error
        raise


def undecodable(seen) -> list[str]:
    """The files of the records with people that TensorFlow cannot read or decode; it tries hundreds a second."""
    paths = [r.path for r in seen if len(r.boxes)]
    with ThreadPoolExecutor() as pool:
        return [records.named(path) for path, bad in zip(paths, pool.map(_fails, paths)) if bad]


def _fails(path: str) -> bool:
    try:
        tf.io.decode_image(records.content(tf.constant(path)), 3, expand_animations=False)
    except _ERRORS:
        return True
    return False
