"""The frame of a page: one HTML file with its style and pictures in it, which loads nothing and runs nothing."""

from html import escape

from tfpose.watch import svg

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1c1f23; --soft: #59606a; --rule: #e3e5e8;
  --first: #1f6fd1; --second: #c2560c; --good: #1b7f4b; --bad: #b3261e; --pause: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --card: #1d2025; --ink: #eceef1; --soft: #a5adb8;
  --rule: #343941; --first: #6aaef9; --second: #ff9a5c; --good: #5ed39a; --bad: #ff8a80; --pause: #f2c063; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
p { margin: .25rem 0; } .soft, figcaption, dt { color: var(--soft); font-size: .875rem; }
.state { font-weight: 600; } .state::before { content: "●"; margin-right: .4em; }
.running { color: var(--first); } .finished { color: var(--good); } .failed { color: var(--bad); }
.stopped { color: var(--pause); }
progress { width: 100%; height: .5rem; accent-color: var(--first); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem 1.5rem; margin: .75rem 0; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem;
  align-items: start; margin: 1rem 0; } .alone { max-width: 46rem; }
.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); }
h3 { font-size: 1rem; margin: 1rem 0 .5rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; padding: .75rem; }
figure img, figure svg { display: block; width: 100%; height: auto; }
figure img { border-radius: .25rem; }
figcaption { display: flex; justify-content: space-between; gap: 1rem; margin-bottom: .5rem; overflow-wrap: anywhere; }
.legend span { margin-left: .75rem; white-space: nowrap; } .legend i { display: inline-block; width: .9em; height: .2em;
  margin-right: .35em; vertical-align: middle; } .legend .a { background: var(--first); }
.legend .b { background: var(--second); }
.wide { overflow-x: auto; } table { border-collapse: collapse; min-width: 50%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: .875rem; }
th.text, td.text { text-align: left; } td.text { white-space: normal; min-width: 8rem; max-width: 24rem; }
tr.best td { font-weight: 600; } a { color: var(--first); }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; padding: .75rem; overflow-x: auto;
  font-size: .8125rem; } summary { cursor: pointer; color: var(--soft); }
"""
STANDS_OUT = ' class="best"'


class Html(str):
    """A text that is HTML already; every other one is shown as it stands."""


def shown(text: str) -> str:
    """A text as a page shows it."""
    return text if isinstance(text, Html) else escape(text)


def page(title: str, body: str, *, refresh: int = 0) -> str:
    """The HTML of a whole page, which its reader's browser loads anew every `refresh` seconds, 0 never."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'{again}<title>{escape(title)}</title><link rel="icon" href="data:,">'
        f"<style>{STYLE}{svg.STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def section(title: str, content: str) -> str:
    """A part of a page with its heading; "" of nothing."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n" if content else ""


def facts(values: dict[str, str]) -> str:
    """Names with what they are, side by side; "" of none."""
    if not values:
        return ""
    return f"<dl>{''.join(f'<div><dt>{escape(k)}</dt><dd>{shown(v)}</dd></div>' for k, v in values.items())}</dl>"


def table(header: list[str], rows: list[list[str]], *, texts: int = 1, best: int | None = None) -> str:
    """A table whose first `texts` columns are words and the others figures; the row `best` stands out."""
    kinds = [' class="text"' if i < texts else "" for i in range(len(header))]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(header, kinds))
    lines = []
    for number, row in enumerate(rows):
        cells = (f"<td{kind}>{shown(c)}</td>" for c, kind in zip(row, kinds, strict=True))
        lines.append(f"<tr{STANDS_OUT if number == best else ''}>{''.join(cells)}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def folded(title: str, content: str) -> str:
    """What is shown when its title is pressed."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def pre(text: str) -> str:
    """A text as it stands."""
    return f"<pre>{escape(text)}</pre>"
