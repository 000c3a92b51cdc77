"""Reading a folder of shards: the records of a part, and what is damaged in it, by file and record."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from tfpose import paths
from tfpose.data import manifest, records
from tfpose.data.coco import Record, Split
from tfpose.data.manifest import Manifest, Shard
from tfpose.progress import progress
from tfpose.skeleton import Skeleton

TOGETHER = 8  # files that are read at once


def load(folder, part: str, skeleton: Skeleton, *, bodies: bool = False) -> Split:
    """The records of a part's shards, in the order of the files they were made from.

    Raises ValueError for a manifest that does not fit the files or the skeleton, for a shard that is missing or cut
    off, and where `bodies`, the persons' outlines, are wanted and are not in them.
    """
    about = manifest.read(folder, part)
    manifest.fit(about, skeleton, folder)
    if bodies and not about.outlines:
        raise ValueError(f"{folder}: {part} has no outlines of persons, which this system learns; write shards for it")
    with ThreadPoolExecutor(TOGETHER) as pool:
        each = list(pool.map(lambda shard: _loaded(folder, about, shard), about.shards))
    return Split(tuple(chain.from_iterable(each)))


def _loaded(folder, about: Manifest, shard: Shard) -> list[Record]:
    file = paths.path(folder) / shard.file
    where = manifest.place(folder, about.part)
    if not file.is_file():
        raise ValueError(f"{file}: missing, {where} has it; write the shards again, which keeps those that are whole")
    if (found := paths.size(file)) != shard.bytes:
        raise ValueError(
            f"{file}: {found} bytes, {where} says {shard.bytes}; write the shards again, which keeps those that are "
            f"whole ({_first_broken(file, about, shard)})"
        )
    rows = records.read(str(file), about.reach, about.mark)
    if len(rows) != shard.records:
        raise ValueError(f"{file}: labels of {len(rows)} photos, {where} says {shard.records}; write the shards again")
    return rows


def _first_broken(file, about: Manifest, shard: Shard) -> str:
    try:
        broken = next(iter(_broken(records.read(str(file), about.reach, about.mark))), None)
    except ValueError:
        return "record 0, its labels, is the first that is broken"
    return f"record {broken + 1} is the first that is broken" if broken is not None else f"{shard.records} records"


def _broken(rows: list[Record]):
    """The indices of the records whose photo cannot be read."""
    for index, row in enumerate(rows):
        try:
            records.fetched(row.path)
        except ValueError:
            yield index


def damaged(folder, part: str) -> list[str]:
    """A line for each shard of a part that is not what was written, and for each of its records that is broken."""
    about = manifest.read(folder, part)
    shards = progress(about.shards, len(about.shards), f"checksums of {part}")
    return [line for shard in shards for line in _damages(paths.path(folder) / shard.file, about, shard)]


def _damages(file, about: Manifest, shard: Shard) -> list[str]:
    if manifest.checksum(file) == shard.sha256:
        return []
    line = f"{file}: not the bytes that were written (SHA-256)"
    try:
        rows = records.read(str(file), about.reach, about.mark)
    except ValueError as error:
        return [line, str(error)]
    return [line, *(f"{records.named(rows[i].path)}, image {rows[i].image_id}: broken" for i in _broken(rows))]
