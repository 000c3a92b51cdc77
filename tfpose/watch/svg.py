"""Curves as SVG, drawn here: nothing is loaded, colours follow the page, every point says its numbers."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, ABOVE, BELOW = 60, 24, 12, 42
DOTS = 120  # more points than these are a line alone
CLASSES = ("a", "b")  # the colours of the page, in this order
SPREAD = 20  # a quotient of largest and smallest from which on an axis is logarithmic
STYLE = """
svg text { font: 13px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .a { stroke: var(--first); } svg .b { stroke: var(--second); }
svg circle.a { fill: var(--first); } svg circle.b { fill: var(--second); }
svg circle { stroke: none; r: 3px; } svg circle:hover { r: 6px; }
svg .mark { stroke: var(--ink); stroke-dasharray: 4 4; }
"""


@dataclass(frozen=True)
class Line:
    """A named curve through points, or the points alone: x and y of each, both finite."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    joined: bool = True


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, both shown, logarithmic or not, with numbers at `ticks`."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end, 1 at the high one."""
        low, high, value = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        return (value - low) / (high - low)


def curves(
    lines: list[Line],
    title: str,
    across: str,
    *,
    log_x: bool = False,
    mark: float | None = None,
    shares: bool = False,
) -> str:
    """A figure of one or two lines with axes, a legend where there are two, and a `mark` at an x; "" of no points.

    Of `shares` both axes go from 0 to 1.
    """
    known = [(line, name) for line, name in zip(lines, CLASSES) if line.x]
    if not known:
        return ""
    lines = [line for line, _ in known]
    ends = [0.0, 1.0] if shares else []
    x = axis([*ends, *(v for line in lines for v in line.x)], log=log_x, whole=across == "epoch")
    heights = [*ends, *(v for line in lines for v in line.y)]
    y = axis(heights, log=min(heights) > 0 and max(heights) / min(heights) > SPREAD)
    drawn = "".join(_line(line, name, x, y, across) for line, name in known)
    if mark is not None:
        at = _x(x, mark)
        drawn += f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{ABOVE}" y2="{HEIGHT - BELOW}"/>'
    legend = "".join(
        f'<span><i class="{name}"></i>{escape(line.name)}</span>' for line, name in known if len(lines) > 1
    )
    said = "; ".join(f"{line.name}: {line.y[0]:.3g} to {line.y[-1]:.3g}" for line in lines)
    return (
        f'<figure><figcaption>{escape(title)}<span class="legend">{legend}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}. {said}")}">'
        f"{_grid(x, y, across)}{drawn}</svg></figure>"
    )


def axis(values: list[float], *, log: bool = False, whole: bool = False) -> Axis:
    """The axis of some values, with three to seven numbers; of `whole` ones these are whole too."""
    low, high = min(values), max(values)
    if log:
        return _logarithmic(low, high)
    if low == high:
        reach = 0.5 if whole else abs(low) * 0.1 or 1.0
        low, high = low - reach, high + reach
    step = _step((high - low) / 5)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, False, tuple(i * step for i in range(first, last + 1)))


def _logarithmic(low: float, high: float) -> Axis:
    if low == high:
        low, high = low / 2, high * 2
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = math.ceil((last - first) / 7)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [f * 10.0**p for p in range(first, last + 1, every) for f in factors]
    return Axis(low, high, True, tuple(t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)))


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10 ... that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BELOW - axis.share(value) * (HEIGHT - ABOVE - BELOW)


def _line(line: Line, name: str, x: Axis, y: Axis, across: str) -> str:
    points = [(_x(x, a), _y(y, b)) for a, b in zip(line.x, line.y)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    drawn = f'<polyline class="line {name}" points="{path}"/>' if line.joined else ""
    if len(points) > DOTS and line.joined:
        return drawn
    for (a, b), value, height in zip(points, line.x, line.y):
        says = escape(f"{line.name}, {across} {value:.4g}: {height:.4g}")
        drawn += f'<circle class="{name}" cx="{a:.1f}" cy="{b:.1f}"><title>{says}</title></circle>'
    return drawn


def _grid(x: Axis, y: Axis, across: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BELOW
    rows = [
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{_y(y, t):.1f}" y2="{_y(y, t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{_y(y, t) + 4:.1f}" text-anchor="end">{_number(t)}</text>'
        for t in y.ticks
    ]
    columns = [f'<text x="{_x(x, t):.1f}" y="{bottom + 18}" text-anchor="middle">{_number(t)}</text>' for t in x.ticks]
    name = f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(across)}</text>'
    return "".join((*rows, *columns, name))


def _number(value: float) -> str:
    return f"{value:.10g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
