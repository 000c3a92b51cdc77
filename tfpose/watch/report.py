"""report.html: how a run is doing and what came of it, on one page made of the files in its folder alone."""

import csv
import math
import shlex
from html import escape
from pathlib import Path

from tfpose.progress import clock
from tfpose.watch import accuracy, files, samples, status
from tfpose.watch.page import Html, facts, folded, page, pre, section, table
from tfpose.watch.svg import Line, curves

FILE, ABOUT = "report.html", "about.json"
AGAIN = 30  # seconds after which a browser asks anew for the page of a run that is running
ROWS = 200  # epochs in the table of figures, the last ones
VALIDATION = "val_"


def write(folder: Path) -> None:
    """Writes the report of a run folder; what is not there is left out."""
    state, about, rows = status.read(folder), files.taken(folder / ABOUT) or {}, log(folder / "log.csv")
    title, photos = about.get("network", folder.name), files.taken(folder / samples.FILE) or {}
    body = [
        header(title, folder, state),
        section("What is trained", facts(about.get("facts", {}))),
        section("Its trainings", stages(folder, about.get("stages", []))),
        section("Accuracy", accuracy.content(folder)),
        section("Curves", learnt(rows, photos)),
        section("Best and worst", pictures(photos)),
        section("How to go on", pre(command(folder))),
        section("How it was made", made(folder)),
    ]
    again = AGAIN if state.get("state") == status.RUNNING else 0
    files.put(folder / FILE, page(f"{title}: {state.get('state', 'a run')}", "".join(body), refresh=again))


def log(path: Path) -> list[dict[str, float]]:
    """The rows of log.csv, without what is empty or not finite."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    return [{name: value for name, value in row.items() if math.isfinite(value)} for row in rows]


def header(title: str, folder: Path, state: dict) -> str:
    """The network, how the run is doing, and how far it is."""
    word, message = (escape(state.get(name, "")) for name in ("state", "message"))
    said = f'<p class="state {word}" role="status">{message}</p>' if word else ""
    if state.get("steps"):
        said += f'<progress value="{state["step"]}" max="{state["steps"]}" aria-label="steps done"></progress>'
    top = f'<h1>{escape(title)}</h1><p class="soft">{escape(str(folder))}</p>'
    return f"<header>{top}{said}{facts(progress(state))}</header>\n"


def progress(state: dict) -> dict[str, str]:
    """What a status line says, for people."""
    left = state.get("seconds_left") if state.get("state") == status.RUNNING else None
    rate = next((name for name in state if name.endswith("/s")), "")
    known = {
        "epoch": f"{state['epoch']:,} of {state['epochs']:,}" if state.get("epochs") else None,
        "step": f"{state['step']:,} of {state['steps']:,}" if state.get("steps") else None,
        rate.replace("/s", " a second"): f"{state[rate]:,.1f}" if rate else None,
        "loss": f"{state['loss']:.4g}" if state.get("loss") is not None else None,
        "time left": clock(left) if left else None,
        "as of": state["time"].replace("T", " ").replace("+00:00", " UTC") if "time" in state else None,
    }
    return {name: value for name, value in known.items() if value}


def stages(folder: Path, names: list[str]) -> str:
    """Several trainings in a row: how each is doing, with a link to its own report."""
    lines = []
    for name in names:
        state = status.read(folder / name)
        link = f'<a href="{escape(name)}/{FILE}">{escape(name)}</a>'
        there = Html(link) if (folder / name / FILE).is_file() else name
        lines.append([there, state.get("message", "not begun"), progress(state).get("epoch", "")])
    return table(["training", "state", "epoch"], lines, texts=2) if lines else ""


def learnt(rows: list[dict], photos: dict) -> str:
    """The loss, what it is the sum of, the learning rate and the photos' mean over epochs, and the log as a table."""
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "epoch"))
    bases = list(dict.fromkeys(name.removeprefix(VALIDATION) for name in names))
    order = ["loss", *(b for b in bases if b not in ("loss", "learning_rate")), "learning_rate"]
    figures = [_curve(rows, base) for base in order]
    if len(photos.get("history", [])) > 1:
        mean = Line(photos["measure"], *(tuple(column) for column in zip(*photos["history"])))
        figures.insert(1, curves([mean], f"{photos['measure']} of {photos['photos']} validation photos", "epoch"))
    last = rows[-ROWS:][::-1]
    cells = [[f"{row[n]:.4g}" if n in row else "" for n in names] for row in last]
    whole = table(["epoch", *names], [[f"{row['epoch']:.0f}", *c] for row, c in zip(last, cells)])
    return f'<div class="cards">{"".join(figures)}</div>{folded("the figures of every epoch", whole)}'


def _curve(rows: list[dict], base: str) -> str:
    lines = []
    for label, name in (("training", base), ("validation", VALIDATION + base)):
        known = [row for row in rows if name in row]
        lines.append(Line(label, tuple(r["epoch"] for r in known), tuple(r[name] for r in known)))
    return curves(lines, base.replace("_", " "), "epoch")


def pictures(content: dict) -> str:
    """The photos of samples.json, truth on the left, and the mean of all over epochs."""
    if not content:
        return ""
    measure = content["measure"]
    mean = f"{measure} of {content['photos']} validation photos after epoch {content['epoch']}: {content['mean']:.3f}."
    parts = [f'<p class="soft">{escape(mean)} On the left is the truth, on the right what the network finds.</p>']
    for name in ("best", "worst"):
        cards = "".join(_picture(one, measure) for one in content[name])
        parts.append(f'<h3>{name.capitalize()}</h3><div class="cards small">{cards}</div>' if cards else "")
    return "".join(parts)


def _picture(one: dict, measure: str) -> str:
    says = escape(f"{one['name']}: truth and what was found, {measure} {one['likeness']:.2f}")
    return (
        f"<figure><figcaption><span>{escape(one['name'])}</span><span>{one['likeness']:.2f}</span></figcaption>"
        f'<img alt="{says}" src="data:image/jpeg;base64,{one["jpeg"]}"></figure>'
    )


def command(folder: Path) -> str:
    """What continues the run, and what can be done with it."""
    place = shlex.quote(str(folder))
    file = folder / "config.yaml"
    again = f"tfpose train {shlex.quote(str(file)) if file.is_file() else 'CONFIG'} --workdir {place}"
    return f"{again}\ntfpose evaluate {place}\ntfpose export {place}"


def made(folder: Path) -> str:
    """The versions that it was made with, and the whole configuration."""
    versions = files.taken(folder / "versions.json") or {}
    config = folder / "config.yaml"
    shown = folded("the whole configuration", pre(config.read_text())) if config.is_file() else ""
    return facts({name: str(value) for name, value in versions.items()}) + shown
