"""A table of words, for a terminal and as markdown; the first row is its head, the first column names the rows."""

import re


def aligned(cells: list[list[str]]) -> str:
    """Columns side by side, the first and those of words to the left, numbers to the right."""
    columns = list(zip(*cells))
    widths = [max(map(len, column)) for column in columns]
    left = [i == 0 or not any(_number(cell) for cell in column[1:]) for i, column in enumerate(columns)]
    lines = [[c.ljust(w) if at else c.rjust(w) for c, w, at in zip(row, widths, left)] for row in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def markdown(cells: list[list[str]]) -> str:
    """The same as a markdown table."""
    columns = list(zip(*cells))
    left = [i == 0 or not any(_number(cell) for cell in column[1:]) for i, column in enumerate(columns)]
    rule = ["---" if at else "---:" for at in left]
    return "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], rule, *cells[1:]])


def _number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.]+%?", cell) is not None
