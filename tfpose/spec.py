"""PoseSpec: everything a network's user must know, kept beside it as `pose.json`."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tfpose.skeleton import Skeleton, from_dict

FORMAT = 1


@dataclass(frozen=True)
class PoseSpec:
    """How to feed a network and read its outputs.

    `view` is "person" (a crop per box) or "image"; `size` (height, width) of the view in pixels; `padding` the
    enlargement of a person's box; `decoder` the decoder as data, {"name": ..., options}; `files` file name -> what it
    holds ({"kind", "sha256", ...}); `versions` package -> version; `calibration` how int8 ranges were found.
    """

    system: str
    view: str
    size: tuple[int, int]
    skeleton: Skeleton
    decoder: dict
    padding: float = 1.25
    files: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    calibration: dict = field(default_factory=dict)

    def beside(self, folder: Path) -> "PoseSpec":
        """The same where the file that the decoder reads, if any, lies in a folder."""
        if not self.decoder.get("assign"):
            return self
        return replace(self, decoder=self.decoder | {"assign": str(folder / Path(self.decoder["assign"]).name)})

    def save(self, path: Path) -> None:
        """Writes the specification as JSON; a file that the decoder reads is named as lying beside it."""
        fields = asdict(self.beside(Path())) | {"skeleton": self.skeleton.as_dict(), "format": FORMAT}
        Path(path).write_text(json.dumps(fields, indent=1) + "\n")


def load(path: Path) -> PoseSpec:
    """The specification in a `pose.json`; ValueError says which field is missing, unknown or of another format."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; a bundle written by `tfpose export` has its pose.json there")
    try:
        fields = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); write it again with `tfpose export`") from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: not a pose.json of format {FORMAT}")
    try:
        fields["skeleton"] = from_dict(fields["skeleton"])
        fields["size"] = tuple(fields["size"])
        return PoseSpec(**fields).beside(path.parent)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}; write it again with `tfpose export`") from error
