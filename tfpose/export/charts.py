"""Two plain charts, drawn by Pillow: bars with their names, and named points in two panels."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, PAPER, GRID, BAR = (40, 44, 52), (255, 255, 255), (222, 226, 232), (24, 120, 200)
COLOURS = [(24, 120, 200), (235, 110, 30), (40, 160, 90), (190, 50, 120), (120, 90, 200), (150, 120, 40), (90, 90, 90)]
COLOURS += [(0, 170, 190), (230, 190, 20), (140, 20, 30)]
SIZE, ROW, EDGE = 15, 22, 24
LONGEST = 60  # rows of bars: the rest is smaller, and in the table


def bars(values: list[tuple[str, float]], title: str) -> Image.Image:
    """A picture with a row for each (name, value of 0 or more), in the order given, at most `LONGEST` of them."""
    shown, font = values[:LONGEST], ImageFont.load_default(SIZE)
    left = EDGE + max((font.getlength(name) for name, _ in shown), default=0) + 10
    width, most = int(left) + 520, max([value for _, value in shown] + [1e-9])
    picture = Image.new("RGB", (width, 2 * EDGE + ROW * (len(shown) + 2)), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((EDGE, EDGE), title, INK, font)
    for i, (name, value) in enumerate(shown):
        y = EDGE + ROW * (i + 2)
        pen.text((left - 10, y + ROW / 2), name, INK, font, anchor="rm")
        end = left + 400 * value / most
        pen.rectangle((left, y + 4, max(end, left + 1), y + ROW - 4), BAR)
        pen.text((end + 8, y + ROW / 2), f"{value:.3g}", INK, font, anchor="lm")
    return picture


def points(panels: dict[str, list[tuple[str, float, float]]], title: str) -> Image.Image:
    """A picture with a panel for each {what x is: [(name, x, y)]}, side by side; x is logarithmic, y alike in all.

    All have the same names in the same order: beside them stands which colour is whose.
    """
    side, gap, font = 420, 90, ImageFont.load_default(SIZE)
    names = [name for name, _, _ in next(iter(panels.values()))]
    width = 80 + len(panels) * (side + gap)
    picture = Image.new("RGB", (width + int(max(map(font.getlength, names))) + EDGE, side + 120), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((EDGE, EDGE), title, INK, font)
    values = [y for found in panels.values() for _, _, y in found]
    ends = _around(min(values), max(values), 1.0)
    for i, (label, found) in enumerate(panels.items()):
        _panel(pen, font, (80 + i * (side + gap), 60, side), label, found, ends)
    for i, (name, colour) in enumerate(zip(names, COLOURS * len(names))):
        y = 60 + ROW * (i + 0.5)
        _dot(pen, (width - gap / 2, y), colour)
        pen.text((width - gap / 2 + 14, y), name, INK, font, anchor="lm")
    return picture


def _panel(pen, font, place: tuple[int, int, int], label: str, found: list, ends: tuple[float, float]) -> None:
    left, above, side = place
    logs = [np.log10(max(x, 1e-6)) for _, x, _ in found]
    low, high = _around(min(logs), max(logs), 0.3)
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + share * side, above + (1 - share) * side
        pen.line((x, above, x, above + side), GRID)
        pen.line((left, y, left + side, y), GRID)
        pen.text((x, above + side + 6), f"{10 ** (low + share * (high - low)):.3g}", INK, font, anchor="ma")
        pen.text((left - 6, y), f"{ends[0] + share * (ends[1] - ends[0]):.1f}", INK, font, anchor="rm")
    pen.text((left + side / 2, above + side + 28), label, INK, font, anchor="ma")
    for (_, _, y), log, colour in zip(found, logs, COLOURS * len(found)):
        _dot(
            pen, (left + (log - low) / (high - low) * side, above + (ends[1] - y) / (ends[1] - ends[0]) * side), colour
        )


def _dot(pen, at: tuple[float, float], colour: tuple[int, int, int]) -> None:
    pen.ellipse((at[0] - 6, at[1] - 6, at[0] + 6, at[1] + 6), colour, PAPER)


def _around(low: float, high: float, least: float) -> tuple[float, float]:
    """Ends with room for the outermost, at least so far apart."""
    middle, half = (low + high) / 2, max((high - low) * 0.6, least / 2)
    return middle - half, middle + half
