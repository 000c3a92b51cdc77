"""Verification of a bundle: every output of every file beside Keras, built-in operations only, and the cost in AP."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfpose import geometry, runners
from tfpose import spec as specs
from tfpose.decode import decoder, topdown
from tfpose.export import bundle
from tfpose.export.cost import Cost
from tfpose.export.findings import Limit, Report, Row
from tfpose.spec import PoseSpec

BATCH = 16
# A keypoint counts where Keras is this sure of it; the largest cell of an empty map lies anywhere.
SURE = 0.2
NEAR = 0.5  # cells
EXACT = Limit(1e-4, 1e-5, 0.999)
ROUNDED, FINER = Limit(0.3, 0.02, 0.8), Limit(0.15, 0.01, 0.9)
# A network that was trained on for its file gives other maps: its score says what they are worth.
LIMITS = {
    "saved_model": EXACT,
    "float32": EXACT,
    "float16": Limit(1e-2, 1e-3, 0.97),
    "dynamic": FINER,
    "int8": ROUNDED,
    "int16": FINER,
}


def verify(
    folder: Path | str,
    views: Iterable[np.ndarray],
    evaluate: Callable[[Path], float] | None = None,
    limits: dict[str, Limit] = LIMITS,
    drop: float = 0.01,
    show: Callable[[Report], None] = lambda report: None,  # noqa: ARG005
    cost: Callable[[Path], Cost] | None = None,
) -> Report:
    """What `measure` finds, given to `show`, within the limits; ValueError says which file exceeds which."""
    report = measure(folder, views, evaluate, cost)
    show(report)
    if failures := report.failures(limits, drop):
        raise ValueError(f"{folder}: {'; '.join(failures)}; do not ship it")
    return report


def measure(
    folder: Path | str,
    views: Iterable[np.ndarray],
    evaluate: Callable[[Path], float] | None = None,
    cost: Callable[[Path], Cost] | None = None,
) -> Report:
    """Every file of a bundle beside its network.keras, on views (each (H, W, 3) uint8), and by `evaluate` (0 to 1).

    Of a file that decodes itself the people are compared, and its score is that of the network in it. `cost` gives a
    file's time and memory. ValueError where a file is not the one that pose.json describes, has operations that are
    not built in, or lacks an output.
    """
    folder = Path(folder)
    spec, views = specs.load(folder / bundle.SPEC), np.stack(list(views))
    files = {name: what for name, what in spec.files.items() if name != bundle.KERAS}
    for name, what in files.items():
        check(folder / name, what)
    files = {name: what for name, what in files.items() if what["kind"] != bundle.ASSIGN}  # sees no view
    truth, rows = outputs(folder / bundle.KERAS, views), []
    for name, what in files.items():
        errors = compared(spec, truth, outputs(folder / name, views), folder / name)
        score = evaluate(folder / name) if evaluate and not what["kind"].startswith(bundle.DECODED) else None
        rows += [Row(name, what["kind"], what["bytes"], *row, score) for row in errors]
    figure = evaluate(folder / bundle.KERAS) if evaluate else None
    costs = {name: cost(folder / name) for name in (bundle.KERAS, *files)} if cost else {}
    return Report(tuple(rows), figure, costs, (folder / bundle.KERAS).stat().st_size)


def compared(spec: PoseSpec, truth: dict, found: dict, path: Path) -> list[tuple]:
    """(output, largest error, mean error, share of peaks kept) of each of a file's outputs beside Keras's.

    Where they are people, ("people", None, None, share of peaks that somebody has).
    """
    points = pointer(spec)
    if "keypoints" in found:
        cells = geometry.stride(spec.decoder["stride"]).apply(found["keypoints"][..., :2])  # (N, P, K, 2)
        return [("people", None, None, kept(points(truth), cells))]
    if set(found) != set(truth):
        raise ValueError(f"{path}: its outputs are {sorted(found)}, expected {sorted(truth)}")
    rows = []
    for output, maps in truth.items():
        peaks = kept(points(truth), points(found)[:, None]) if output == "heatmaps" else None
        rows.append((output, *difference(maps, found[output]), peaks))
    return rows


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
    """The share of sure keypoints (N, K, 3), in cells, that somebody found (N, P, K, 2 or 3) has within half a cell.

    None where none is sure.
    """
    sure = truth[..., 2] > SURE
    distances = np.linalg.norm(truth[:, None, :, :2] - found[..., :2], axis=-1).min(axis=1)[sure]
    return float((distances <= NEAR).mean()) if len(distances) else None
