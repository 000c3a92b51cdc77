"""What came of the trials: a table sorted by what was looked for, for the terminal, sweep.csv and sweep.html."""

import csv
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from tfpose.sweep.choices import Trial, short
from tfpose.watch import accuracy, files, report, status
from tfpose.watch.page import Html, page, section, table
from tfpose.watch.svg import SPREAD, Line, curves

CSV, HTML = "sweep.csv", "sweep.html"


@dataclass(frozen=True)
class Outcome:
    """A trial with its figure (None before it is finished), of which epoch that is (0: of the end), and its state."""

    trial: Trial
    figure: float | None
    epoch: int
    said: str


@dataclass(frozen=True)
class Aim:
    """What is looked for: a column of log.csv at its best epoch, or a figure of `tfpose evaluate`, low or high."""

    metric: str
    highest: bool
    evaluated: bool

    def found(self, folder: Path) -> tuple[float | None, int]:
        """(the figure of a run folder, its epoch or 0); (None, 0) where there is none."""
        if self.evaluated:
            known = [r["figures"][self.metric] for r in accuracy.read(folder) if self.metric in r["figures"]]
            return (known[-1], 0) if known else (None, 0)
        known = [(row[self.metric], int(row["epoch"])) for row in report.log(folder / "log.csv") if self.metric in row]
        if not known:
            return None, 0
        return max(known) if self.highest else min(known)


def outcome(folder: Path, trial: Trial, aim: Aim) -> Outcome:
    """What is known of a trial now."""
    state = status.read(folder / trial.name)
    if state.get("state") != status.FINISHED:
        return Outcome(trial, None, 0, state.get("message", "not begun"))
    figure, epoch = aim.found(folder / trial.name)
    return Outcome(trial, figure, epoch, state["message"] if figure is not None else f"finished without {aim.metric}")


def ranked(outcomes: list[Outcome], aim: Aim) -> list[Outcome]:
    """The best first, and last those without a figure."""
    sign = -1 if aim.highest else 1
    return sorted(outcomes, key=lambda o: (o.figure is None, sign * (o.figure or 0.0)))


def rows(outcomes: list[Outcome], aim: Aim) -> tuple[list[str], list[list[str]]]:
    """A header, and for each trial how it stands, the figure, its epoch and the values."""
    options = list(outcomes[0].trial.values)
    lines = []
    for one in outcomes:
        figure = "" if one.figure is None else f"{one.figure:.5g}"
        lines.append([one.said, figure, str(one.epoch or ""), *(one.trial.values[o] for o in options)])
    return ["state", aim.metric, "epoch", *short(options)], lines


def text(outcomes: list[Outcome], aim: Aim) -> str:
    """The table for a terminal."""
    header, lines = rows(outcomes, aim)
    widths = [max(len(line[i]) for line in (header, *lines)) for i in range(len(header))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths)).rstrip() for line in (header, *lines))


def write(folder: Path, outcomes: list[Outcome], aim: Aim, *, done: bool) -> None:
    """Writes sweep.csv and sweep.html, which asks for itself anew until all is `done`."""
    header, lines = rows(outcomes, aim)
    names = [one.trial.name for one in outcomes]
    memory = io.StringIO()
    csv.writer(memory, lineterminator="\n").writerows([[*header, "folder"], *([*li, n] for li, n in zip(lines, names))])
    files.put(folder / CSV, memory.getvalue())
    linked = [[_linked(folder, one), *line[1:]] for line, one in zip(lines, outcomes)]
    ended = sum(one.said.split(":")[0] in (status.FINISHED, status.FAILED) for one in outcomes)
    top = f'<h1>{escape(folder.name)}</h1><p class="soft">{escape(str(folder))}</p>'
    top += f'<p>{ended} of {len(outcomes)} trials have ended</p><progress value="{ended}" max="{len(outcomes)}">'
    top += f'</progress><p class="soft">{escape(aim.metric)}, the {"highest" if aim.highest else "lowest"} first</p>'
    body = top + section("Trials", table(header, linked, best=0)) + section("By option", _points(outcomes, aim))
    files.put(folder / HTML, page(f"sweep {folder.name}", body, refresh=0 if done else report.AGAIN))


def _linked(folder: Path, one: Outcome) -> str:
    if not (folder / one.trial.name / report.FILE).is_file():
        return one.said
    return Html(f'<a href="{quote(one.trial.name)}/{report.FILE}">{escape(one.said)}</a>')


def _points(outcomes: list[Outcome], aim: Aim) -> str:
    """A figure for each option that is a number: what came of its values."""
    figures = []
    for option, name in zip(outcomes[0].trial.values, short(list(outcomes[0].trial.values))):
        points = sorted(
            (x, o.figure)
            for o in outcomes
            if (x := _number(o.trial.values[option])) is not None and o.figure is not None
        )
        if len({x for x, _ in points}) > 1:
            low, high = points[0][0], points[-1][0]
            line = Line(aim.metric, *zip(*points), joined=False)
            figures.append(curves([line], f"{aim.metric} by {name}", name, log_x=low > 0 and high / low > SPREAD / 4))
    return f'<div class="cards">{"".join(figures)}</div>' if figures else ""


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
