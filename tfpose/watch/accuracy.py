"""evaluation.json: what `tfpose evaluate` found of a run, a row for each way in which it was asked, and its curves."""

from datetime import UTC, datetime
from pathlib import Path

from tfpose.watch import files
from tfpose.watch.page import table
from tfpose.watch.svg import Line, curves

FILE = "evaluation.json"
WAY = ("what", "network", "data", "options")  # evaluations that have these in common replace one another


def add(folder: Path, rows: list[dict]) -> None:
    """Adds rows {"what", "network", "data", "options", "figures", "curve" or None}, each in the place of its like."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = [row | {"time": time} for row in rows]
    ways = [_way(row) for row in fresh]
    files.put(folder / FILE, files.dumped({"rows": [r for r in read(folder) if _way(r) not in ways] + fresh}))


def read(folder: Path) -> list[dict]:
    """The rows of a run folder, the newest last."""
    return (files.taken(folder / FILE) or {}).get("rows", [])


def _way(row: dict) -> tuple:
    return tuple(str(row.get(name)) for name in WAY)


def content(folder: Path) -> str:
    """The tables, one for each set of figures, and the newest precision and recall; "" where nothing was evaluated."""
    rows = read(folder)
    headers = dict.fromkeys(tuple(row["figures"]) for row in rows)
    tables = [_table([row for row in rows if tuple(row["figures"]) == names], names) for names in headers]
    curved = [row for row in rows if row.get("curve")]
    return "".join(tables) + (f'<div class="cards">{_curve(curved[-1])}</div>' if curved else "")


def _table(rows: list[dict], names: tuple[str, ...]) -> str:
    lines = []
    for row in rows:
        way = [row["network"], row["options"] or "as configured", row["data"].rpartition("/")[2], row["time"][:10]]
        lines.append([row["what"], ", ".join(way), *(_per_cent(row["figures"][name]) for name in names)])
    return table(["measured with", "how", *names], lines, texts=2)


def _per_cent(value: float | None) -> str:
    return "–" if value is None or value < 0 else f"{100 * value:.1f}"


def _curve(row: dict) -> str:
    lines = [Line(f"OKS {oks}", tuple(c["recall"]), tuple(c["precision"])) for oks, c in row["curve"].items()]
    return curves(lines, f"Precision by recall, {row['what']}", "recall", shares=True)
