"""YAML <-> configuration: reads, overrides and checks; every error names the path, what was found and the choices."""

import dataclasses
import difflib
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from tfpose import paths
from tfpose.config import Config


def load(path: str | Path, overrides: tuple[str, ...] = ()) -> Config:
    """The configuration in a YAML file with `section.option=value` overrides applied.

    Raises ValueError for a missing file, an unknown option, a value of the wrong type or outside its choices.
    """
    path = paths.path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such configuration; `ls configs/*` shows those there are")
    try:
        tree = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    return _overridden(tree, overrides)


def defaults(overrides: tuple[str, ...] = ()) -> Config:
    """The configuration of no file at all."""
    return _overridden({}, overrides)


def _overridden(tree: dict, overrides: tuple[str, ...]) -> Config:
    if not isinstance(tree, dict):
        raise ValueError(f"configuration: found {tree!r:.40}; expected sections of options")
    for override in overrides:
        _put(tree, override)
    return from_tree(tree)


def changed(config: Config, overrides: tuple[str, ...]) -> Config:
    """The configuration with `section.option=value` overrides applied; ValueError as in `load`."""
    return _overridden(to_tree(config), overrides)


def from_tree(tree: dict) -> Config:
    """The configuration of nested dictionaries, as `yaml.safe_load` returns them."""
    return _read(Config, tree, "")


def to_tree(config) -> Any:
    """Nested dictionaries and lists of a configuration or any part of it; `from_tree` is the way back."""
    if dataclasses.is_dataclass(config):
        return {f.name: to_tree(getattr(config, f.name)) for f in dataclasses.fields(config)}
    return [to_tree(v) for v in config] if isinstance(config, tuple) else config


def dump(config: Config) -> str:
    """The whole configuration as YAML, defaults written out."""
    return yaml.safe_dump(to_tree(config), sort_keys=False, allow_unicode=True)


def _put(tree: dict, override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise ValueError(f"{override!r}: an override reads section.option=value, as in train.batch=16")
    *sections, option = path.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{path}: {section} is a value, it has no options")
    try:
        tree[option] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {text!r}") from error


def _read(kind, value, path: str):
    """`value` as an instance of the annotation `kind`; `path` is for the messages."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), value, path)
    if origin is Literal:
        return _read_choice(get_args(kind), value, path)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, path)
    if dataclasses.is_dataclass(kind):
        return _read_section(kind, value, path)
    return _read_plain(kind, value, path)


def _read_union(kinds, value, path: str):
    by_name = {get_args(get_type_hints(k)["name"])[0]: k for k in kinds}
    name = value.get("name") if isinstance(value, dict) else None
    if name not in by_name:
        raise ValueError(f"{path}.name: found {name!r}; choose from {', '.join(by_name)}")
    return _read_section(by_name[name], value, path)


def _read_choice(choices, value, path: str):
    if value not in choices:
        raise ValueError(f"{path}: found {value!r}; choose from {', '.join(map(str, choices))}{_hint(value, choices)}")
    return value


def _read_tuple(kinds, value, path: str):
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{path}: found {value!r}; expected a list")
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], v, f"{path}[{i}]") for i, v in enumerate(value))
    if len(value) != len(kinds):
        raise ValueError(f"{path}: found {list(value)}; expected {len(kinds)} values")
    return tuple(_read(k, v, f"{path}[{i}]") for i, (k, v) in enumerate(zip(kinds, value)))


def _read_section(kind, value, path: str):
    if not isinstance(value, dict):
        raise ValueError(f"{path or 'configuration'}: found {value!r}; expected a section of options")
    hints = get_type_hints(kind)
    prefix = f"{path}." if path else ""
    for option in value:
        if option not in hints:
            raise ValueError(f"{prefix}{option}: no such option; choose from {', '.join(hints)}{_hint(option, hints)}")
    missing = [f.name for f in dataclasses.fields(kind) if _required(f) and f.name not in value]
    if missing:
        raise ValueError(f"{prefix}{missing[0]}: missing")
    return kind(**{option: _read(hints[option], v, prefix + option) for option, v in value.items()})


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read_plain(kind, value, path: str):
    if kind is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-3 as a string
            return float(value)
        except ValueError:
            pass
    if type(value) is not kind:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        raise ValueError(f"{path}: found {value!r}; expected {names[kind]}")
    return value


def _hint(found, choices) -> str:
    near = difflib.get_close_matches(str(found), [str(c) for c in choices], n=1)
    return f" (did you mean {near[0]}?)" if near else ""
