"""Configuration: YAML and back, and errors that say where, what was found and what may stand there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import yaml

from tfpose import yaml_config
from tfpose.config import Config
from tfpose.options import PPNet

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}/{p.stem}")


def write(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_is_the_defaults(tmp_path):
    assert yaml_config.load(write(tmp_path, "")) == Config() == yaml_config.defaults()


def test_a_file_needs_to_name_only_what_differs(tmp_path):
    config = yaml_config.load(
        write(tmp_path, "train: {epochs: 3, optimizer: {name: adam}}\nsystem: {name: ppnet, size: [384, 288]}")
    )
    assert (config.train.epochs, config.train.optimizer.name, config.system.size) == (3, "adam", (384, 288))
    assert config.train.batch == Config().train.batch and config.data == Config().data


def test_what_is_written_out_reads_back_equal(tmp_path):
    phases, images = "train.phases=[{start: 0, size: [96, 96], batch: 4}]", 'data.train.images="2017/ä: #"'
    config = yaml_config.defaults((phases, images, "system={name: ppnet, refine: dark}"))
    assert config != Config() and yaml_config.load(write(tmp_path, yaml_config.dump(config))) == config


def test_overrides_win_over_the_file_and_the_last_wins(tmp_path):
    path = write(tmp_path, "train: {batch: 8, epochs: 3}")
    config = yaml_config.load(path, ("train.batch=16", "train.optimizer.learning_rate=1e-3", "train.batch=24"))
    assert (config.train.batch, config.train.epochs, config.train.optimizer.learning_rate) == (24, 3, 1e-3)


def test_numbers_may_be_written_as_people_write_them():
    config = yaml_config.defaults(("train.optimizer.learning_rate=1e-3", "data.padding=1", "augment.rotation=30"))
    assert (config.train.optimizer.learning_rate, config.data.padding, config.augment.rotation) == (1e-3, 1.0, 30.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "train.batchsize=8",
            r"train\.batchsize: no such option; choose from epochs, batch, .* \(did you mean batch\?\)",
        ),
        ("trian.batch=8", r"trian: no such option; choose from system, data, .* \(did you mean train\?\)"),
        (
            "train.optimizer.name=adma",
            r"train\.optimizer\.name: found 'adma'; choose from rmsprop, .*did you mean adam\?",
        ),
        ("export.files=[saved_model, int9]", r"export\.files\[1\]: found 'int9'; choose from .*did you mean int8\?"),
        ("train.batch=many", r"train\.batch: found 'many'; expected a whole number"),
        ("train.batch=1.5", r"train\.batch: found 1\.5; expected a whole number"),
        ("train.batch=true", r"train\.batch: found True; expected a whole number"),
        ("data.padding=wide", r"data\.padding: found 'wide'; expected a number"),
        ("evaluate.flip=1", r"evaluate\.flip: found 1; choose from none, aligned, shifted"),
        ("data.train.images=2017", r"data\.train\.images: found 2017; expected text"),
        ("system={name: ppnet, size: 256}", r"system\.size: found 256; expected a list"),
        ("system={name: ppnet, size: [256]}", r"system\.size: found \[256\]; expected 2 values"),
        ("system={name: ppnet, size: [256, wide]}", r"system\.size\[1\]: found 'wide'; expected a whole number"),
        ("train.phases=[{start: 0, size: [96, 96]}]", r"train\.phases\[0\]\.batch: missing"),
        ("train=5", r"train: found 5; expected a section of options"),
        ("seed.start=5", r"seed: found {'start': 5}; expected a whole number"),
        ("train.batch", r"'train\.batch': an override reads section\.option=value"),
        ("train.batch=[1", r"train\.batch: not YAML: '\[1'"),
    ],
)
def test_an_error_names_the_path_and_what_may_stand_there(override, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        yaml_config.defaults((override,))


def test_an_option_of_a_value_is_refused():
    with pytest.raises(ValueError, match=r"train\.batch\.size: batch is a value, it has no options"):
        yaml_config.defaults(("train.batch=8", "train.batch.size=9"))


def test_a_missing_file_and_a_file_that_is_not_yaml_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.yaml: no such configuration"):
        yaml_config.load(tmp_path / "none.yaml")
    for text in ("a: [", "- a\n- b", "just words"):
        with pytest.raises(ValueError, match=r"config\.yaml: not YAML|configuration: found .*expected sections"):
            yaml_config.load(write(tmp_path, text), ("train.batch=8",))


@dataclass(frozen=True)
class Small:
    name: Literal["small"] = "small"
    width: int = 8


@dataclass(frozen=True)
class Large:
    name: Literal["large"] = "large"
    depth: int = 4


def test_a_union_is_told_apart_by_its_name():
    assert yaml_config._read(Small | Large, {"name": "large", "depth": 2}, "system") == Large(depth=2)
    assert yaml_config._read(Small | Large, {"name": "small"}, "system") == Small()
    with pytest.raises(ValueError, match=r"^system\.width: no such option; choose from name, depth"):
        yaml_config._read(Small | Large, {"name": "large", "width": 2}, "system")


@pytest.mark.parametrize(("value", "found"), [({"name": "lage"}, "'lage'"), ({"depth": 2}, "None"), (7, "None")])
def test_a_union_without_a_known_name_lists_the_names(value, found):
    with pytest.raises(ValueError, match=rf"^system\.name: found {found}; choose from small, large"):
        yaml_config._read(Small | Large, value, "system")


def differences(tree, default, path=""):
    """The paths of a YAML tree's values that are the default's."""
    if isinstance(tree, dict):
        below = [differences(v, getattr(default, k, None), f"{path}.{k}") for k, v in tree.items() if k != "name"]
        return [same for found in below for same in found]
    return [path] if yaml_config.to_tree(default) == tree else []


@every_config
def test_a_configuration_holds_what_differs_and_opens_with_its_command(path):
    text = path.read_text()
    default = Config(system=type(yaml_config.load(path).system)())
    assert differences(yaml.safe_load(text), default) == []
    assert text.splitlines()[0].startswith(f"# tfpose train {path.relative_to(ROOT)}")


@every_config
def test_the_name_of_a_configuration_file_agrees_with_its_content(path):
    config, words = yaml_config.load(path), path.stem.split("_")
    if path.parent.name == "tiny":
        assert words == [config.system.name, config.data.format]
        return
    if path.parent.name == config.system.name == "prn":  # sees no image, and has no size
        assert words[1:] == [config.data.format]
        return
    variant, size, _ = words
    assert path.parent.name == config.system.name and size == "{}x{}".format(*config.system.size)
    if isinstance(config.system, PPNet):
        assert variant.split("-")[:3] == [
            f"m{config.system.modules}",
            f"d{config.system.depth}",
            f"w{config.system.width}",
        ]
