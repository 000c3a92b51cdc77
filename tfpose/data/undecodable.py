"""A photo that cannot be decoded is found out in the middle of training: this names the file then."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

SHOWN = 3
_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.NotFoundError)


@contextlib.contextmanager
def naming(records) -> Iterator[None]:
    """Turns TensorFlow's error about a photo, which does not say which, into a ValueError that names the file."""
    try:
        yield
    except _ERRORS as error:
        if bad := undecodable(records):
            more = f" (and {len(bad) - SHOWN} more)" if len(bad) > SHOWN else ""
            raise ValueError(f"cannot decode {', '.join(bad[:SHOWN])}{more}; mend or remove what is broken") from error
        raise


def undecodable(records) -> list[str]:
    """The files of the records with people that TensorFlow cannot read or decode; it tries hundreds a second."""
    paths = [r.path for r in records if len(r.boxes)]
    with ThreadPoolExecutor() as pool:
        return [path for path, bad in zip(paths, pool.map(_fails, paths)) if bad]


def _fails(path: str) -> bool:
    try:
        tf.io.decode_image(tf.io.read_file(path), 3, expand_animations=False)
    except _ERRORS:
        return True
    return False
