"""Maps -> poses, in NumPy; a decoder is data, {"name": ..., option: value}, and this turns it into a function."""

from dataclasses import fields

from tfpose.decode.inboxes import InBoxes
from tfpose.decode.owners import Owners
from tfpose.decode.pafs import Pafs
from tfpose.decode.topdown import TopDown
from tfpose.skeleton import Skeleton

DECODERS = {"topdown": TopDown, "pafs": Pafs, "boxes": InBoxes, "owners": Owners}


def decoder(data: dict, skeleton: Skeleton | None = None):
    """The decoder that `data` describes: {output name: maps (N, h, w, C)} -> poses in view pixels.

    One person a view: keypoints (N, K, 3). Everybody in it: N `Poses`; such a decoder needs the skeleton's limbs.
    That of labels alone, "owners", is no function: it has two ends, what the network sees and what its scores mean.
    ValueError names the choices where a name or an option is unknown.
    """
    options = dict(data)
    name = options.pop("name", None)
    if name not in DECODERS:
        raise ValueError(f"decoder: no name {name!r}; choose from {', '.join(DECODERS)}")
    choices = [f.name for f in fields(DECODERS[name]) if f.name != "skeleton"]
    assembles = any(f.name == "skeleton" for f in fields(DECODERS[name]))
    unknown = sorted(set(options) - set(choices))
    if unknown or choices[0] not in options:
        found = f"unknown options {unknown}" if unknown else f"no {choices[0]}"
        raise ValueError(f"decoder {name}: {found}; its options are {', '.join(choices)}, the first is required")
    if not assembles:
        return DECODERS[name](**options)
    if skeleton is None:
        raise ValueError(f"decoder {name}: assembles people by the limbs of a skeleton; give it one")
    return DECODERS[name](skeleton, **options)
