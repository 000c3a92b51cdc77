"""Batches made by other machines are those that one machine makes, each once, in the same order, whatever fails."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfpose import yaml_config
from tfpose.config import Augment
from tfpose.data import coco, pipeline, service
from tfpose.data.share import WHOLE, Share
from tfpose.skeleton import COCO17

ROOT = Path(__file__).resolve().parent.parent
BATCH = 4


@pytest.fixture(scope="module")
def records():
    folder = tiny.people()
    return coco.load(folder / "annotations" / "person_keypoints_train.json", folder / "train", COCO17).records


RUNNING = []  # they end with the process: to be stopped they would first finish what nobody asks for any more


@pytest.fixture(scope="module")
def servers():
    """The address of a dispatcher with two workers, all in this process."""
    servers = tf.data.experimental.service
    dispatcher = servers.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    workers = [servers.WorkerServer(servers.WorkerConfig(address, heartbeat_interval_ms=100)) for _ in range(2)]
    RUNNING.extend((dispatcher, *workers))
    return dispatcher.target


def plain(batch):
    return {"image": batch["image"], "annotation_id": batch["annotation_id"]}, batch["keypoints"]


def training(records, count, *, view="person", share=WHOLE, step=0, address=""):
    options = {"size": (64, 48), "padding": 1.25, "skeleton": COCO17, "augment": Augment(), "batch": BATCH, "seed": 3}
    where = {"view": view, "stride": 4, "share": share, "start_step": step, "service": address, "warp": "graph"}
    return list(itertools.islice(pipeline.training(records, plain, **options, **where).as_numpy_iterator(), count))


def same(one, other):
    """The same people in the same order and the same keypoints; pixels but for their rounding."""
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a[0]["annotation_id"], b[0]["annotation_id"]) and np.array_equal(a[1], b[1])
        assert np.abs(a[0]["image"].astype(int) - b[0]["image"]).max() <= 1


def ids(batches):
    return [i for batch in batches for i in batch[0]["annotation_id"].tolist()]


@pytest.mark.parametrize("view", [pytest.param("person", marks=pytest.mark.slow), "image"])
def test_two_workers_make_the_batches_of_two_epochs_as_one_machine_would(records, servers, view):
    steps = pipeline.count(records, view) // BATCH
    found = training(records, 2 * steps, view=view, address=servers)
    same(found, training(records, 2 * steps, view=view))
    for epoch in (found[:steps], found[steps:]):
        assert len(set(ids(epoch))) == len(ids(epoch)) == steps * BATCH


@pytest.mark.slow
def test_a_trainer_of_several_gets_its_share_from_the_step_where_it_stopped(records, servers):
    options = {"share": Share(4, 2, 2), "step": 3}
    same(training(records, 10, **options, address=servers), training(records, 10, **options))


def test_batches_come_in_order_however_they_arrive():
    numbers = np.random.default_rng(0).permutation(20)
    found = list(service.in_order(((i, f"batch {i}") for i in numbers), made=None, first=0))
    assert found == [f"batch {i}" for i in range(20)]


def test_a_batch_that_is_lost_is_made_here_and_forgotten_should_it_come_after_all():
    arriving = [(i, i) for i in (0, 1, 3, 4, 5, 2, 6, 7)]
    found = list(service.in_order(arriving, made=lambda number: f"made {int(number)}", first=0, late=2))
    assert found == [0, 1, "made 2", 3, 4, 5, 6, 7]


def test_a_silent_service_is_waited_for_with_a_line(capsys):
    def slow():
        time.sleep(0.5)
        yield 1

    assert list(service.heard(slow(), "grpc://data:1", silence=0.2)) == [1]
    assert "grpc://data:1: no batch for 0 s; are there workers? waiting" in capsys.readouterr().err


def test_an_error_of_the_service_is_raised_where_its_batches_are_read():
    def broken():
        yield 1
        raise tf.errors.UnavailableError(None, None, "gone")

    with pytest.raises(tf.errors.UnavailableError, match="gone"):
        list(service.heard(broken(), "grpc://data:1"))


def test_an_encoding_in_python_is_refused_with_its_operation():
    data = tf.data.Dataset.range(3).map(lambda x: tf.numpy_function(lambda y: y, [x], tf.int64))
    with pytest.raises(ValueError, match=r"data\.service: the pipeline calls Python \(PyFunc\)"):
        service.refuse_python(data)


def test_a_dispatcher_that_does_not_answer_is_named(records):
    with pytest.raises(ValueError, match="no dispatcher at grpc://localhost:9"):
        training(records, 1, address="grpc://localhost:9")


@pytest.mark.parametrize(
    ("option", "said"), [("service=data:5050", "expected grpc://HOST:PORT"), ("warp=opencv", "OpenCV's warp is Python")]
)
def test_what_a_service_cannot_be_is_refused(option, said):
    with pytest.raises(ValueError, match=said):
        yaml_config.defaults(("data.service=grpc://data:5050", f"data.{option}"))


def test_labels_and_buckets_are_refused(records):
    common = {"size": (64, 48), "padding": 1.25, "skeleton": COCO17, "augment": Augment(), "batch": 2, "seed": 0}
    for more in ({"view": "labels", "labels": ("person",)}, {"view": "image", "buckets": ((64, 64),)}):
        with pytest.raises(ValueError, match=r"data\.service: found with"):
            pipeline.training(records, plain, **common, **more, service="grpc://data:5050")


def started(*arguments) -> tuple[subprocess.Popen, str]:
    """A process of `tfpose data ...` and its first line, which it prints when it is ready."""
    command = [sys.executable, "-u", "-c", "import sys; from tfpose import cli; sys.exit(cli.main())", "data"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([*command, *map(str, arguments)], env=environment, **pipes)
    return process, process.stdout.readline()


@pytest.mark.slow
@pytest.mark.slow
def test_a_worker_process_that_is_killed_costs_no_sample_and_no_order(records):
    dispatcher, line = started("dispatcher", "--port", 0)
    address = line.split()[2].rstrip(";")
    workers = [started("worker", address, "--host", "127.0.0.1")[0] for _ in range(2)]
    try:
        steps = 8 * (pipeline.count(records) // BATCH)
        data = iter(training_slowly(records, address))
        found = [next(data) for _ in range(10)]
        workers[0].send_signal(signal.SIGKILL)
        found += [next(data) for _ in range(steps - 10)]
        same(found, training(records, steps))
    finally:
        for process in (*workers, dispatcher):
            process.kill()
            process.wait()


def training_slowly(records, address):
    options = {"size": (64, 48), "padding": 1.25, "skeleton": COCO17, "augment": Augment(), "batch": BATCH, "seed": 3}
    return pipeline.training(records, plain, **options, service=address).as_numpy_iterator()
