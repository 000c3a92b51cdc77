"""One shard file: a TFRecord file whose first record holds the labels of all its photos, and each other one a photo.

The labels are a NumPy .npz, so that a part's labels are known after one small read a shard; a photo is the bytes of its
image file. A photo is read by its place alone, whichever was read before: it is named FILE#RECORD@OFFSET+LENGTH, and
TFRecord's own checksums are verified with each.
"""

import io
import re
import zipfile
from itertools import accumulate

import numpy as np
import tensorflow as tf
from PIL import Image

from tfpose.data.coco import Record
from tfpose.data.reach import Reach

FRAME = 16  # bytes that TFRecord puts around each record: its length and two checksums
HEAD = 12  # those before it
PLACE = r"^(.*\.tfrecord)#(\d+)@(\d+)\+(\d+)$"
TORN = (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile)
BROKEN = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.OutOfRangeError)


def content(place):
    """The bytes of a photo, a scalar string: of a file, or of a record of a shard, whose checksums are verified."""
    return tf.cond(tf.strings.regex_full_match(place, PLACE), lambda: _record(place), lambda: tf.io.read_file(place))


def _record(place):
    parts = [tf.strings.regex_replace(place, PLACE, rf"\{group}") for group in (1, 3, 4)]
    offset, length = (tf.strings.to_number(part, tf.int64) for part in parts[1:])
    kind = {"output_types": [tf.string], "output_shapes": [[]]}
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=parts[0][None], compression_type="", buffer_size=length + FRAME, byte_offsets=offset[None]
    )
    first = tf.raw_ops.TakeDataset(input_dataset=records, count=1, **kind)
    return tf.raw_ops.DatasetToSingleElement(dataset=first, **kind)[0]


def fetched(place: str) -> bytes:
    """The same at once, as Python's bytes; ValueError names what is broken."""
    try:
        return content(tf.constant(place)).numpy()
    except BROKEN as error:
        raise ValueError(f"{named(place)}: broken: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What is wrong in a few words; TensorFlow's own are about its operations."""
    if isinstance(error, tf.errors.NotFoundError):
        return "no such file"
    return "its checksum is wrong, or it is cut off" if isinstance(error, BROKEN) else str(error)


def named(place: str) -> str:
    """A photo's name for people: its file, or the shard and the number of its record."""
    found = re.match(PLACE, place)
    return f"{found[1]}: record {found[2]}" if found else place


def write(file: str, records: list[Record], photos: list[bytes], masks: list[tuple], mark: str) -> None:
    """Writes a shard of records with their photos, and an ignore and a person mask each, (height, width) bool or None.

    `mark` says which set of shards it is of. The labels stand first, so that all photos of a shard are in memory when
    it is written.
    """
    with tf.io.TFRecordWriter(file) as writer:
        writer.write(_packed(records, [len(p) for p in photos], masks, mark))
        for photo in photos:
            writer.write(photo)


def read(file: str, reach: Reach | None, mark: str) -> list[Record]:
    """The records of a shard, their photos' places as paths; ValueError for broken labels or those of another mark."""
    try:
        (packed,) = tf.data.TFRecordDataset(file, buffer_size=1 << 18).take(1).as_numpy_iterator()
        labels = dict(np.load(io.BytesIO(packed)))
        found = str(labels["mark"])
        rows = _unpacked(file, len(packed), labels, reach)
    except (*BROKEN, *TORN) as error:
        text = f"{file}: record 0, its labels, is broken ({_reason(error)}); write the shards again"
        raise ValueError(text) from error
    if found != mark:
        raise ValueError(f"{file}: a shard of other data than its manifest says; write the shards again")
    return rows


def _packed(records: list[Record], lengths: list[int], masks: list[tuple], mark: str) -> bytes:
    """The labels as the bytes of an .npz; rows of all photos stand one after the other, `people` and `others` each."""
    heads = [[h or (np.nan,) * 4 for h in r.heads] or np.full((len(r.boxes), 4), np.nan) for r in records]
    arrays = {
        "mark": np.array(mark),
        "lengths": np.array(lengths, np.int64),
        "ids": np.array([r.image_id for r in records], np.int64),
        "sizes": np.array([(r.height, r.width) for r in records], np.int32),
        "people": np.array([len(r.boxes) for r in records], np.int64),
        "others": np.array([len(r.unposed) for r in records], np.int64),
        "headed": np.array([len(r.heads) > 0 for r in records]),
        "keypoints": np.concatenate([r.keypoints for r in records]),
        "boxes": np.concatenate([r.boxes for r in records]),
        "areas": np.concatenate([r.areas for r in records]),
        "annotation_ids": np.concatenate([r.annotation_ids for r in records]),
        "heads": np.concatenate(heads),
        "unposed": np.concatenate([r.unposed for r in records]),
    }
    for name, some in zip(("ignore", "bodies"), zip(*masks)):
        pictures = [b"" if mask is None else _png(mask) for mask in some]
        arrays[f"{name}_lengths"] = np.array([len(p) for p in pictures], np.int64)
        arrays[name] = np.frombuffer(b"".join(pictures), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _png(mask: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG", optimize=True)
    return file.getvalue()


def _unpacked(file: str, packed: int, labels: dict, reach: Reach | None) -> list[Record]:
    starts = [packed + FRAME, *(labels["lengths"] + FRAME)]
    offsets = list(accumulate(starts))[:-1]
    people, others = (np.cumsum(labels[name])[:-1] for name in ("people", "others"))
    each = {name: np.split(labels[name], people) for name in ("keypoints", "boxes", "areas", "annotation_ids", "heads")}
    each |= {"unposed": np.split(labels["unposed"], others)}
    for name in ("ignore", "bodies"):
        ends = np.cumsum(labels[f"{name}_lengths"])[:-1]
        each[name] = [(png.tobytes(),) if png.size else () for png in np.split(labels[name], ends)]
    places = [f"{file}#{i}@{offset}+{length}" for i, (offset, length) in enumerate(zip(offsets, labels["lengths"]), 1)]
    sized = zip(labels["ids"].tolist(), places, labels["sizes"].tolist(), labels["headed"], zip(*each.values()))
    return [_one(dict(zip(each, rows)), *rest, reach) for *rest, rows in sized]


def _one(rows: dict, identity: int, place: str, size: list[int], headed: bool, reach: Reach | None) -> Record:
    heads = tuple(None if np.isnan(h).any() else tuple(h.tolist()) for h in rows.pop("heads"))
    rest = {"image_id": identity, "path": place, "height": size[0], "width": size[1], "reach": reach}
    return Record(**rows, **rest, heads=heads if headed else ())
