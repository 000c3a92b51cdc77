"""What scaling costs on paper: the arithmetic of benchmarks/scaling.py, and the bytes that it counts."""

import math

import pytest
import tiny

from benchmarks import scaling
from tfpose import yaml_config


def test_one_replica_sends_nothing_and_many_send_twice_their_bytes():
    assert scaling.ring(100, 1, 10) == 0
    assert scaling.ring(100, 2, 10) == 10
    assert scaling.ring(100, 10**6, 10) == pytest.approx(20, rel=1e-5)


def test_a_step_of_nine_parts_computing_and_one_sending_keeps_nine_tenths():
    assert scaling.hidden(0.5) == pytest.approx(4.5) and scaling.kept(4.5, 0.5) == pytest.approx(0.9)


def test_failures_of_few_replicas_add_up_and_of_many_are_certain():
    assert scaling.broken(2, 1) == pytest.approx(2 * scaling.FAILURES, rel=1e-3)
    assert scaling.broken(0, 24) == 0 and scaling.broken(10**6, 24) == pytest.approx(1)
    assert 1 - scaling.broken(64, 24) == pytest.approx(math.prod([1 - scaling.broken(8, 24)] * 8))


def test_an_epoch_has_whole_batches_alone():
    assert [scaling.steps(26, batch) for batch in (8, 26, 27)] == [3, 1, 0]


def test_bytes_are_those_of_the_built_network_and_of_the_file_written(tmp_path):
    path = tmp_path / "ppnet.yaml"
    path.write_text(yaml_config.dump(tiny.config()))
    found = scaling.cost(path, tmp_path)
    assert found.gradients == 4 * found.weights and found.norms > 10
    numbers = 3 * found.weights + 2 * found.channels  # with Adam's two averages; batch norm's two statistics
    assert 4 * numbers < found.checkpoint < 4 * numbers + 500 * 4 * (found.norms + 20)
    assert found.statistics == 16 * found.channels
