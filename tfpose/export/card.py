"""The model card: README.md of a bundle, for whoever is handed the folder alone."""

from dataclasses import dataclass
from pathlib import Path

from tfpose.export import bundle, tables
from tfpose.export.findings import Report
from tfpose.spec import PoseSpec


@dataclass(frozen=True)
class Origin:
    """Where a network comes from, in words: what it was trained and judged on, by which metric; drawn or on photos."""

    trained: str
    judged: str
    metric: str
    drawn: bool = False


def write(spec: PoseSpec, origin: Origin, report: Report, folder: Path) -> None:
    """Writes the card of a bundle."""
    (folder / bundle.CARD).write_text(text(spec, origin, report, folder.name))


def text(spec: PoseSpec, origin: Origin, report: Report, name: str) -> str:
    """The card's markdown; `name` is the folder's in its commands."""
    height, width = spec.size
    facts = [
        ["", ""],
        ["method", spec.system],
        ["sees", view(spec)],
        ["finds", f"{spec.skeleton.count} keypoints ({spec.skeleton.name}): {', '.join(spec.skeleton.keypoints)}"],
        ["decoder", ", ".join(f"{k} {v}" for k, v in spec.decoder.items())],
        ["trained on", origin.trained],
        ["judged on", origin.judged],
        ["8-bit ranges", calibration(spec)],
        ["written by", ", ".join(f"{package} {version}" for package, version in spec.versions.items())],
    ]
    return f"""# {spec.system}, {height}x{width}: people's keypoints

{tables.markdown(facts)}

pose.json says the same for programs, with each file's checksum.

## Figures

{origin.metric} is in per cent, on what it was judged on; report.md explains the rest.

{tables.markdown(report.cells())}

## On a device

From a checkout of tfpose:

```bash
pip install numpy pillow ai-edge-litert
python -m tflite.predict {name} photo.jpg
python -m tflite.benchmark {name}
```

## Licence

tfpose's code is under Apache-2.0. {licence(origin)}
"""


def view(spec: PoseSpec) -> str:
    """In words what the network is given."""
    height, width = spec.size
    if spec.view == "person":
        return f"one person: the box, {spec.padding:g} times as large, on {height}x{width} pixels (RGB, uint8)"
    return f"a whole image, fitted into {height}x{width} pixels (RGB, uint8)"


def calibration(spec: PoseSpec) -> str:
    """In words how the ranges of 8-bit values were found."""
    found = spec.calibration
    if not found:
        return "none: no file in integers"
    kept = f"; in float32: {', '.join(found['keep_float'])}" if found["keep_float"] else ""
    share = "all values" if found["percentile"] == 100 else f"{found['percentile']:g} % of the values"
    return f"{found['views']} views, {share}{kept}"


def licence(origin: Origin) -> str:
    """What holds for the weights."""
    if origin.drawn:
        return "The network has seen drawn people alone, of which nobody else has rights."
    return (
        f"The weights were learnt from {origin.trained}: what its photos and annotations may be used for holds for\n"
        "them too. Look that up before you ship them."
    )
