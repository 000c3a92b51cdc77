"""What a part's shards are: a JSON file beside them, which is written anew whenever another shard is whole."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from tfpose import paths
from tfpose.data.reach import Reach
from tfpose.skeleton import Skeleton

FORMAT = 1
PHOTOS, CROPS = "photos", "crops"
CHUNK = 1 << 22


@dataclass(frozen=True)
class Shard:
    """One file: its records but for the labels, the people in them, its bytes and their SHA-256."""

    file: str
    records: int
    people: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A part's shards, "train" or "validation", and what they were made of.

    `kind` is "photos", whole and as they were, or "crops" of a `reach`, which `quality` has compressed. `origin` is the
    configuration's data section, `mark` the SHA-256 of all labels, `left_out` the photos that nobody is on.
    """

    part: str
    kind: str
    skeleton: str
    keypoints: tuple[str, ...]
    reach: Reach | None
    quality: int
    outlines: bool
    origin: dict
    mark: str
    photos: int
    people: int
    left_out: int
    shards: tuple[Shard, ...] = ()
    complete: bool = False

    def same_work(self, other: "Manifest") -> bool:
        """Whether another one is of the same shards, done or not."""
        nothing = {"shards": (), "complete": False}
        return dataclasses.replace(self, **nothing) == dataclasses.replace(other, **nothing)


def place(folder, part: str):
    """Where a part's manifest is in a folder of shards."""
    return paths.path(folder) / f"{part}.json"


def write(folder, manifest: Manifest) -> None:
    """Writes a manifest whole or not at all."""
    path = place(folder, manifest.part)
    scratch = path.with_name(f"part.{path.name}")
    scratch.write_text(json.dumps({"format": FORMAT} | dataclasses.asdict(manifest), indent=1) + "\n")
    scratch.replace(path)


def read(folder, part: str) -> Manifest:
    """A part's manifest; ValueError where it is missing, of another format, or no manifest."""
    path = place(folder, part)
    if not path.is_file():
        raise ValueError(f"{path}: no such manifest; `tfpose data shard CONFIG --out {folder}` writes shards and it")
    try:
        content = json.loads(path.read_text())
        found = content.pop("format")
        if found != FORMAT:
            raise ValueError(f"{path}: shards of format {found}, expected {FORMAT}; write them again")
        reach = content["reach"]
        if reach:
            content["reach"] = Reach(**reach | {"extension": tuple(reach["extension"])})
        content["shards"] = tuple(Shard(**shard) for shard in content["shards"])
        return Manifest(**content | {"keypoints": tuple(content["keypoints"])})
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a manifest of shards: {error!r}; write them again") from error


def fit(manifest: Manifest, skeleton: Skeleton, folder) -> None:
    """Raises ValueError where shards are not finished, or of another skeleton."""
    path = place(folder, manifest.part)
    if not manifest.complete:
        raise ValueError(
            f"{path}: only {len(manifest.shards)} shards are written; give the same `tfpose data shard` again"
        )
    if manifest.keypoints != skeleton.keypoints:
        raise ValueError(
            f"{path}: the shards have skeleton {manifest.skeleton}, expected {skeleton.name}; set data.skeleton to it"
        )


def checksum(file) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with paths.path(file).open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
