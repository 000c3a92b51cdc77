"""Maps -> poses, in NumPy; a decoder is data, {"name": ..., option: value}, and this turns it into a function."""

from dataclasses import fields

from tfpose.decode.topdown import TopDown
from tfpose.skeleton import Skeleton

DECODERS = {"topdown": TopDown}


def decoder(data: dict, skeleton: Skeleton | None = None):  # noqa: ARG001 (decoders that assemble people read its limbs)
    """The decoder that `data` describes, {output name: maps (N, h, w, C)} -> keypoints (N, K, 3) in view pixels.

    ValueError names the choices where a name or an option is unknown.
    """
    options = dict(data)
    name = options.pop("name", None)
    if name not in DECODERS:
        raise ValueError(f"decoder: no name {name!r}; choose from {', '.join(DECODERS)}")
    choices = [f.name for f in fields(DECODERS[name])]
    unknown = sorted(set(options) - set(choices))
    if unknown or "stride" not in options:
        found = f"unknown options {unknown}" if unknown else "no stride"
        raise ValueError(f"decoder {name}: {found}; its options are {', '.join(choices)}, the first is required")
    return DECODERS[name](**options)
