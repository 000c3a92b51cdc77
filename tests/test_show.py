"""What `show` prints is computed from the network that is built, and stands beside what the paper prints."""

from pathlib import Path

import pytest

from tfpose import show, yaml_config
from tfpose.models import count
from tfpose.systems.base import Counting

CONFIGS = sorted((Path(__file__).resolve().parent.parent / "configs").rglob("*.yaml"))
PUBLISHED = ("published.source=table X", "published.parameters=1.5", "published.gflops=2.25")
SMALL = ("system.name=ppnet", "system.size=[64, 48]", "system.depth=1", "system.width=8")


def lines(*overrides):
    return show.layers(yaml_config.defaults((*SMALL, *overrides))).splitlines()


def test_the_layers_add_up_to_the_totals():
    config = yaml_config.defaults(SMALL)
    found = show.totals(config)
    rows = [line.split() for line in show.layers(config).split("\n\n")[0].splitlines()[1:]]
    assert sum(int(row[-2].replace(",", "")) for row in rows) == found["trainable_parameters"]
    assert sum(float(row[-1]) for row in rows) * 1e6 == pytest.approx(found["macs"], rel=1e-3)


def test_the_published_figures_stand_under_the_computed_ones():
    assert lines(*PUBLISHED)[-1] == "published, table X: 1.5 M parameters, 2.25 GFLOPs"
    assert not any("published" in line for line in lines())


def test_what_a_paper_does_not_print_is_said():
    assert lines(*PUBLISHED[:2])[-1] == "published, table X: 1.5 M parameters, GFLOPs not printed"
    assert lines(PUBLISHED[0], PUBLISHED[2])[-1] == "published, table X: parameters not printed, 2.25 GFLOPs"


def test_the_papers_gflops_are_counted_in_its_unit(monkeypatch):
    method = show._method(yaml_config.defaults(SMALL))
    network = method.build()
    assert show.gflops(method, network) == pytest.approx(count.macs(network) / 2**30)
    monkeypatch.setattr(type(method), "counting", Counting(unit=10**9))
    assert show.gflops(method, network) == pytest.approx(count.macs(network) / 1e9)
