"""Writing shards: a part's records, cut and packed by several processes; what an earlier call finished is kept."""

import dataclasses
import hashlib
import io
import json
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tfpose import paths
from tfpose.data import crops, manifest, records
from tfpose.data.coco import Record
from tfpose.data.manifest import CROPS, PHOTOS, Manifest, Shard
from tfpose.data.reach import Reach
from tfpose.progress import progress
from tfpose.skeleton import Skeleton


@dataclass(frozen=True)
class Work:
    """What one process does at a time: a shard's file, and the records that it is made of."""

    file: str
    records: tuple[Record, ...]
    reach: Reach | None
    keypoints: tuple[str, ...]
    quality: int
    outlines: bool
    mark: str


@dataclass(frozen=True)
class How:
    """How shards are written: photos in each, JPEG `quality` of crops of a `reach` (None: whole photos), processes.

    `outlines` puts the mask of all persons in.
    """

    reach: Reach | None = None
    per_shard: int = 512
    quality: int = 95
    processes: int = 1
    outlines: bool = False

    def __post_init__(self):
        for name in ("per_shard", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')}: found {getattr(self, name)}; expected at least 1")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"--quality: found {self.quality}; expected 1 to 100")


def write(found, folder, part: str, skeleton: Skeleton, origin: dict, how: How) -> Manifest:
    """Writes a part's records as shards with their manifest, and returns it; a shard that is there and whole is kept.

    Photos without a person with keypoints are left out. Raises ValueError where the folder has shards of another
    configuration or of other data, where nobody is in the records, and for a photo that cannot be cut.
    """
    folder = paths.path(folder)
    kept = [r for r in found if len(r.boxes)]
    if not kept:
        raise ValueError(f"data.{part}: no image has a person with keypoints; look at it with `tfpose check-data`")
    about = _about(kept, part, skeleton, origin, how, len(found) - len(kept))
    folder.mkdir(parents=True, exist_ok=True)
    whole = _whole(folder, about)
    work = list(_work(kept, folder, about, how))
    missing = [w for w in work if paths.path(w.file).name not in whole]
    if len(missing) < len(work):
        print(f"{part}: {len(work) - len(missing)} of {len(work)} shards are there already")
    if missing:
        for shard in progress(_done(missing, how.processes), len(missing), f"shards of {part}"):
            whole[shard.file] = shard
            manifest.write(folder, dataclasses.replace(about, shards=tuple(whole[name] for name in sorted(whole))))
    done = dataclasses.replace(about, shards=tuple(whole[paths.path(w.file).name] for w in work), complete=True)
    manifest.write(folder, done)
    return done


def _about(kept: list, part: str, skeleton: Skeleton, origin: dict, how: How, left_out: int) -> Manifest:
    return Manifest(
        part=part,
        kind=CROPS if how.reach else PHOTOS,
        skeleton=skeleton.name,
        keypoints=skeleton.keypoints,
        reach=how.reach,
        quality=how.quality if how.reach else 0,
        outlines=how.outlines,
        origin=origin | {"per_shard": how.per_shard},
        mark=_mark(kept, part, origin),
        photos=len(kept),
        people=sum(len(r.boxes) for r in kept),
        left_out=left_out,
    )


def _mark(kept: list, part: str, origin: dict) -> str:
    """The SHA-256 of what records say of their people and where they come from."""
    digest = hashlib.sha256(json.dumps([part, origin], sort_keys=True).encode())
    for record in kept:
        for values in (record.keypoints, record.boxes, record.areas, record.annotation_ids, record.unposed):
            digest.update(np.ascontiguousarray(values).tobytes())
        digest.update(f"{record.image_id} {record.height} {record.width} {record.path} {record.heads}".encode())
    return digest.hexdigest()


def _whole(folder, about: Manifest) -> dict[str, Shard]:
    """{file: shard} of those that an earlier call finished and that are what it wrote.

    ValueError where the folder's shards of this part are others.
    """
    if not manifest.place(folder, about.part).is_file():
        return {}
    before = manifest.read(folder, about.part)
    if not before.same_work(about):
        raise ValueError(
            f"{manifest.place(folder, about.part)}: shards of another configuration or other data; choose another "
            "--out, or delete them to write them again"
        )
    there = [s for s in before.shards if (folder / s.file).is_file()]
    return {s.file: s for s in there if manifest.checksum(folder / s.file) == s.sha256}


def _work(kept: list[Record], folder, about: Manifest, how: How) -> Iterator[Work]:
    """The shards' work: photos in the order of the file, people of one photo in one shard."""
    chunks, filled = [[]], 0
    for record in kept:
        chunks[-1].append(record)
        filled += len(record.boxes) if how.reach else 1
        if filled >= how.per_shard and record is not kept[-1]:
            chunks.append([])
            filled = 0
    for number, chunk in enumerate(chunks):
        name = f"{about.part}-{number:05d}-of-{len(chunks):05d}.tfrecord"
        common = (how.reach, about.keypoints, how.quality, how.outlines, about.mark)
        yield Work(str(folder / name), tuple(chunk), *common)


def _done(work: list[Work], processes: int) -> Iterable[Shard]:
    """The shards of this work, each when it is whole, by new processes or, where one is enough, by this one."""
    if min(processes, len(work)) <= 1:
        yield from map(made, work)
        return
    # A forked process would hang in TensorFlow's locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(work)), mp_context=context) as pool:
        try:
            yield from pool.map(made, work)
        finally:
            pool.shutdown(cancel_futures=True)


def made(work: Work) -> Shard:
    """A shard, written whole or not at all; ValueError names a photo that cannot be read."""
    rows, contents, masks = zip(*(part for record in work.records for part in _parts(record, work)))
    path = paths.path(work.file)
    scratch = path.with_name(f"part.{path.name}")
    records.write(str(scratch), list(rows), list(contents), list(masks), work.mark)
    people, size = sum(len(r.boxes) for r in rows), paths.size(scratch)
    shard = Shard(path.name, len(rows), people, size, manifest.checksum(scratch))
    scratch.replace(path)
    return shard


def _parts(record: Record, work: Work) -> Iterator[tuple]:
    """(record, image file, masks) of a photo as a whole, or of each of its people."""
    content = paths.path(record.path).read_bytes()
    if work.reach is None:
        ignored = record.ignore_mask() if record.ignore else None
        yield record, content, (ignored, record.person_mask() if work.outlines else None)
        return
    try:
        with Image.open(io.BytesIO(content)) as photo:
            photo.load()
            for person in range(len(record.boxes)):
                cut = crops.cut(record, person, photo, content, work.reach, work.keypoints, work.quality)
                yield (*cut, (None, None))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{record.path}: cannot be read as an image ({error}); mend or remove it") from error
