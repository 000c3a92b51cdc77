"""What a bundle's files are worth, for people: report.md and report.png, size and time against the score."""

from pathlib import Path

from tfpose.export import charts, tables
from tfpose.export.bundle import KERAS
from tfpose.export.findings import Report

FILES = ("report.md", "report.png")


def write(report: Report, folder: Path, metric: str) -> None:
    """Writes the table of a report, and where it has scores and costs its picture; `metric` is what a score is."""
    text = [
        "# What the files are worth",
        "",
        f"Score is {metric} on the validation part, in per cent. Errors are of an output beside network.keras, in per",
        "cent of its range, on views of that part; peaks are sure keypoints found within half a cell of where",
        "network.keras finds them. ms is the processor's time for one view on one thread, the median; memory is what",
        "loading and running a file adds to a process that has the libraries loaded. A file that decodes itself gives",
        "the people that its network and the decoder give.",
        "",
        tables.markdown(report.cells()),
    ]
    (folder / FILES[0]).write_text("\n".join(text) + "\n")
    scores = scored(report)
    if scores and report.costs:
        sizes = {row.file: row.size / 1e6 for row in report.rows} | {KERAS: report.size / 1e6}
        panels = {
            "MB": [(file, sizes[file], score) for file, score in scores.items()],
            "ms of a view, one thread": [(f, report.costs[f].milliseconds, score) for f, score in scores.items()],
        }
        charts.points(panels, f"{metric}, %").save(folder / FILES[1])


def scored(report: Report) -> dict[str, float]:
    """{file: score in per cent} of those that have one."""
    found = {KERAS: report.figure} | {row.file: row.figure for row in report.rows}
    return {file: 100 * figure for file, figure in found.items() if figure is not None}
