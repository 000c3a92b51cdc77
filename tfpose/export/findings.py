"""What was measured of a bundle's files, as one table, and which of their limits they exceed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfpose.export import tables
from tfpose.export.bundle import KERAS
from tfpose.export.cost import Cost

HEAD = ["file", "MB", "output", "largest %", "mean %", "peaks %", "score %", "ms", "memory MB"]


@dataclass(frozen=True)
class Limit:
    """What a file may differ by: errors as shares of the range of Keras's output, and the least share of peaks kept."""

    largest: float
    mean: float
    peaks: float


@dataclass(frozen=True)
class Row:
    """One output of one file: its errors, the share of peaks within half a cell (None where no keypoint is sure).

    A file that decodes itself has one row, "people", without errors: it gives no maps.
    """

    file: str
    kind: str
    size: int
    output: str
    largest: float | None
    mean: float | None
    peaks: float | None
    figure: float | None

    def failures(self, limit: Limit) -> list[str]:
        """A phrase for each limit that is exceeded."""
        place = f"{self.file}: {self.output}"
        errors = {"largest error": (self.largest, limit.largest), "mean error": (self.mean, limit.mean)}
        found = [
            f"{place}: {name} {v:.2g}, expected at most {most:g}"
            for name, (v, most) in errors.items()
            if v is not None and v > most
        ]
        if self.peaks is not None and self.peaks < limit.peaks:
            found.append(f"{place}: peaks kept {self.peaks:.3f}, expected at least {limit.peaks:g}")
        return found


@dataclass(frozen=True)
class Report:
    """What was measured: `figure` is that of network.keras (AP or PCK, 0 to 1), None where nothing was evaluated.

    `costs` {file: time and memory on one thread} and `size`, network.keras in bytes, are there where they were asked
    for.
    """

    rows: tuple[Row, ...]
    figure: float | None
    costs: Mapping[str, Cost] = field(default_factory=dict)
    size: int = 0

    def cells(self) -> list[list[str]]:
        """A line per file and output, for people: errors in per cent of the range, figures in per cent."""
        lines, shown = [HEAD, self._line(KERAS, self.size, ["", "", "", ""], self.figure)], {KERAS}
        for r in self.rows:
            line = self._line(r.file, r.size, [r.output, *map(_percent, (r.largest, r.mean, r.peaks))], r.figure)
            # What is true of the whole file stands in its first line alone.
            lines.append(line if r.file not in shown else ["", "", *line[2:6], "", "", ""])
            shown.add(r.file)
        return lines if self.costs else [line[:7] for line in lines]

    def table(self) -> str:
        """The same, as text."""
        return tables.aligned(self.cells())

    def _line(self, file: str, size: int, errors: list[str], figure: float | None) -> list[str]:
        cost = self.costs.get(file)
        costs = [f"{cost.milliseconds:.1f}", f"{cost.memory:.0f}"] if cost else ["", ""]
        return [file, f"{size / 1e6:.2f}" if size else "", *errors, _percent(figure), *costs]

    def failures(self, limits: Mapping[str, Limit], drop: float) -> list[str]:
        """A phrase for each limit that a file exceeds; `drop` is the most a file may lose of the figure."""
        found = [p for row in self.rows if row.kind in limits for p in row.failures(limits[row.kind])]
        for file, figure in {row.file: row.figure for row in self.rows if row.figure is not None}.items():
            if self.figure is not None and figure < self.figure - drop:
                found.append(f"{file}: score {figure:.4f}, expected at least {self.figure:.4f} - {drop:g}")
        return found


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.{2 if share > 0.005 or not share else 4}f}"
