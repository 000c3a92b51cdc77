"""python -m tflite.pack: a bundle and all that runs it as one folder or .zip, to be copied to a device."""

import argparse
import ast
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tflite import interpreter

ROOT = Path(__file__).resolve().parent.parent
# What is run on a device; what these import goes along.
PROGRAMS = ("predict", "benchmark", "minimal")
REQUIREMENTS = "numpy>=2\npillow>=10\nai-edge-litert>=2.0\n"
TEACHES = """\
  python -m tflite.pack runs/mine/bundle --output edge.zip --kind int8
  scp edge.zip pi:

and there, with nothing of tfpose installed:

  unzip edge.zip && cd edge
  python3 -m venv .venv && . .venv/bin/activate
  pip install -r requirements.txt
  python -m tflite.predict bundle photo.jpg
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 1 after an error that is printed in one line; 2 for wrong usage is argparse's."""
    options = _parser().parse_args(arguments)
    try:
        pack(options.bundle, options.output, options.kind)
    except (ValueError, OSError) as error:
        print(f"tflite.pack: {error}", file=sys.stderr)
        return 1
    output = options.output
    size = sum(file.stat().st_size for file in ([output] if output.is_file() else output.rglob("*")) if file.is_file())
    print(f"{options.output}: {size / 1e6:.1f} MB")
    return 0


def pack(bundle: Path, output: Path, kinds: Sequence[str] = ()) -> None:
    """Writes `output`, a folder, or a .zip of a folder of its name: bundle/, tflite/, tfpose/, requirements.txt.

    The bundle has pose.json and its .tflite files, or those of the `kinds` alone. ValueError where it is no bundle, has
    no such file, or the folder is there and not empty.
    """
    chosen = [interpreter.choose(bundle, kind) for kind in kinds] or interpreter.files(bundle)
    if output.suffix == ".zip":
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder) / output.stem, chosen)
            shutil.make_archive(str(output.with_suffix("")), "zip", folder)
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"{output}: is there and not empty; remove it or name another --output")
    else:
        _fill(output, chosen)


def modules(names: list[str]) -> list[Path]:
    """The files of this checkout that modules ("tflite.predict") need, they themselves among them, sorted."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += _imports(path)
        if "." in name:  # the folder's own file runs first
            waiting.append(name.rpartition(".")[0])
    return sorted(found)


def _fill(folder: Path, files: list[Path]) -> None:
    for path in modules([f"tflite.{program}" for program in PROGRAMS]):
        _copy(path, folder / path.relative_to(ROOT))
    # Beside the networks of a bundle there may be what its decoder needs.
    for path in (files[0].parent / interpreter.SPEC, *files, *files[0].parent.glob("*.npz")):
        _copy(path, folder / "bundle" / path.name)
    _copy(ROOT / "LICENSE", folder / "LICENSE")
    (folder / "requirements.txt").write_text(REQUIREMENTS)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _imports(path: Path) -> list[str]:
    """All modules that a file may import: of `from a import b` both a and a.b, since b may be a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tflite.pack",
        description="Puts a bundle and the files of tfpose that run it into one folder or .zip.",
        epilog=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder that `tfpose export` wrote, or one of its .tflite files")
    parser.add_argument("--output", type=Path, required=True, help="folder that is made, or a .zip")
    parser.add_argument("--kind", nargs="+", default=[], help="int8, float32, ... or file names (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
