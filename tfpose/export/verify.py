"""Verification of a bundle: every output of every file beside Keras, built-in operations only, and the cost in AP."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfpose import runners
from tfpose import spec as specs
from tfpose.decode import decoder, topdown
from tfpose.export import bundle
from tfpose.spec import PoseSpec

BATCH = 16
# A keypoint counts where Keras is this sure of it; the largest cell of an empty map lies anywhere.
SURE = 0.2
NEAR = 0.5  # cells


@dataclass(frozen=True)
class Limit:
    """What a file may differ by: errors as shares of the range of Keras's output, and the least share of peaks kept."""

    largest: float
    mean: float
    peaks: float


EXACT = Limit(1e-4, 1e-5, 0.999)
LIMITS = {"saved_model": EXACT, "float32": EXACT, "float16": Limit(1e-2, 1e-3, 0.97), "int8": Limit(0.3, 0.02, 0.8)}


@dataclass(frozen=True)
class Row:
    """One output of one file: its errors, the share of peaks within half a cell (None where no keypoint is sure)."""

    file: str
    kind: str
    size: int
    output: str
    largest: float
    mean: float
    peaks: float | None
    figure: float | None

    def failures(self, limit: Limit) -> list[str]:
        """A phrase for each limit that is exceeded."""
        place = f"{self.file}: {self.output}"
        errors = {"largest error": (self.largest, limit.largest), "mean error": (self.mean, limit.mean)}
        found = [
            f"{place}: {name} {v:.2g}, expected at most {most:g}" for name, (v, most) in errors.items() if v > most
        ]
        if self.peaks is not None and self.peaks < limit.peaks:
            found.append(f"{place}: peaks kept {self.peaks:.3f}, expected at least {limit.peaks:g}")
        return found


@dataclass(frozen=True)
class Report:
    """What was measured: `figure` is that of network.keras (AP or PCK, 0 to 1), None where nothing was evaluated."""

    rows: tuple[Row, ...]
    figure: float | None

    def table(self) -> str:
        """A line per file and output, for people: errors in per cent of the range, figures in per cent."""
        lines = [f"{'file':<16}{'MB':>7}  {'output':<12}{'largest %':>10}{'mean %':>9}{'peaks %':>9}{'score %':>9}"]
        lines.append(f"{bundle.KERAS:<16}{'':>7}  {'':<12}{'':>28}{_percent(self.figure):>9}")
        for r in self.rows:
            errors = f"{100 * r.largest:>10.3f}{100 * r.mean:>9.4f}{_percent(r.peaks):>9}{_percent(r.figure):>9}"
            lines.append(f"{r.file:<16}{r.size / 1e6:>7.2f}  {r.output:<12}{errors}")
        return "\n".join(lines)

    def failures(self, limits: dict[str, Limit], drop: float) -> list[str]:
        """A phrase for each limit that a file exceeds; `drop` is the most a file may lose of the figure."""
        found = [phrase for row in self.rows for phrase in row.failures(limits[row.kind])]
        for file, figure in {row.file: row.figure for row in self.rows if row.figure is not None}.items():
            if self.figure is not None and figure < self.figure - drop:
                found.append(f"{file}: score {figure:.4f}, expected at least {self.figure:.4f} - {drop:g}")
        return found


def verify(
    folder: Path | str,
    views: Iterable[np.ndarray],
    evaluate: Callable[[Path], float] | None = None,
    limits: dict[str, Limit] = LIMITS,
    drop: float = 0.01,
    show: Callable[[str], None] = lambda table: None,  # noqa: ARG005
) -> Report:
    """What `measure` finds, its table given to `show`, within the limits; ValueError says which file exceeds which."""
    report = measure(folder, views, evaluate)
    show(report.table())
    if failures := report.failures(limits, drop):
        raise ValueError(f"{folder}: {'; '.join(failures)}; do not ship it")
    return report


def measure(folder: Path | str, views: Iterable[np.ndarray], evaluate: Callable[[Path], float] | None = None) -> Report:
    """Every file of a bundle beside its network.keras, on views (each (H, W, 3) uint8), and by `evaluate` (0 to 1).

    ValueError where a file is not the one that pose.json describes, has operations that are not built in, or lacks an
    output.
    """
    folder = Path(folder)
    spec, views = specs.load(folder / bundle.SPEC), np.stack(list(views))
    files = {name: what for name, what in spec.files.items() if name != bundle.KERAS}
    for name, what in files.items():
        check(folder / name, what)
    truth = outputs(folder / bundle.KERAS, views)
    points = pointer(spec)
    rows = []
    for name, what in files.items():
        found, figure = outputs(folder / name, views), evaluate(folder / name) if evaluate else None
        if set(found) != set(truth):
            raise ValueError(f"{folder / name}: its outputs are {sorted(found)}, expected {sorted(truth)}")
        for output, maps in truth.items():
            errors = difference(maps, found[output])
            peaks = kept(points(truth), points(found)) if output == "heatmaps" else None
            rows.append(Row(name, what["kind"], what["bytes"], output, *errors, peaks, figure))
    return Report(tuple(rows), evaluate(folder / bundle.KERAS) if evaluate else None)


def pointer(spec: PoseSpec) -> Callable[[dict], np.ndarray]:
    """Outputs -> keypoints (N, K, 3) in cells: one person's, or in a whole image the surest of each type."""
    if spec.view == "person":
        return decoder(spec.decoder | {"stride": 1})
    count = spec.skeleton.count
    return lambda outputs: topdown.decode(outputs["heatmaps"][..., :count], 1, "parabola")


def check(path: Path, what: dict) -> None:
    """Raises ValueError where a file is not the one described in pose.json, or needs more than LiteRT has built in."""
    if not path.exists() or bundle.describe(path, what["kind"]) != what:
        raise ValueError(f"{path}: not the file that {bundle.SPEC} describes; export it again")
    if path.suffix == ".tflite" and (found := foreign(path)):
        raise ValueError(f"{path}: found operations {', '.join(found)}, expected built-in ones; use other layers")


def foreign(path: Path) -> list[str]:
    """The names of a .tflite file's operations that are not built in: custom ones, and TensorFlow's ("Flex...")."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    return sorted(code.CustomCode().decode() for code in codes if code.CustomCode())


def outputs(path: Path, views: np.ndarray) -> dict[str, np.ndarray]:
    """The named outputs of one file for all views, float32."""
    run = runners.load(path)[1]
    batches = [run(views[i : i + BATCH]) for i in range(0, len(views), BATCH)]
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def difference(truth: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """The largest and the mean absolute error, as shares of the range of `truth`."""
    errors = np.abs(truth - found) / max(float(np.ptp(truth)), 1e-12)
    return float(errors.max()), float(errors.mean())


def kept(truth: np.ndarray, found: np.ndarray) -> float | None:
    """The share of sure keypoints (N, K, 3), in cells, that are found within half a cell; None where none is sure."""
    sure = truth[..., 2] > SURE
    distances = np.linalg.norm(truth[..., :2] - found[..., :2], axis=-1)[sure]
    return float((distances <= NEAR).mean()) if len(distances) else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
