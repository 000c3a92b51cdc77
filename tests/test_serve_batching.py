"""Instances of many requests are run together, each gets its own row, and the queue has an end."""

import asyncio
import threading

import pytest

from tfpose.serving.batching import Batcher, Limits
from tfpose.serving.refused import Refused


class Network:
    """A run that remembers its batches; it waits for `go`, and fails where "bad" is among the instances."""

    def __init__(self):
        self.begun, self.batches, self.go = [], [], threading.Event()
        self.go.set()

    def __call__(self, signature, instances):
        self.begun.append(len(instances))
        assert self.go.wait(10)
        self.batches.append([i["x"] for i in instances])
        if "bad" in self.batches[-1]:
            raise ValueError("bad")
        return [{"y": (signature, i["x"])} for i in instances]


def run(limits, scene):
    """What a scene (batcher, network) does, and the network."""

    async def all_of_it():
        network = Network()
        batcher = Batcher(network, limits)
        try:
            return await asyncio.wait_for(scene(batcher, network), 10), network
        finally:
            network.go.set()
            await batcher.close()

    return asyncio.run(all_of_it())


async def ask(batcher, *xs, signature="s", pixels=1):
    rows = await batcher.rows(signature, [{"x": x} for x in xs], [pixels] * len(xs))
    return [row["y"] for row in rows]


def together(batcher, *requests, **options):
    return asyncio.gather(*(ask(batcher, *xs, **options) for xs in requests), return_exceptions=True)


def test_requests_that_come_together_are_one_batch_and_get_their_own_rows():
    rows, network = run(Limits(most=8, wait=0.2), lambda b, _: together(b, "a", "bc", "d"))
    assert rows == [[("s", "a")], [("s", "b"), ("s", "c")], [("s", "d")]]
    assert network.batches == [["a", "b", "c", "d"]]


def test_a_full_batch_does_not_wait():
    rows, network = run(Limits(most=2, wait=60), lambda b, _: together(b, "a", "b", "cd"))
    assert len(rows) == 3 and network.batches == [["a", "b"], ["c", "d"]]


def test_an_instance_alone_waits_no_longer_than_it_must():
    async def scene(batcher, _):
        begin = asyncio.get_running_loop().time()
        await ask(batcher, "a")
        return asyncio.get_running_loop().time() - begin

    assert 0.05 <= run(Limits(most=8, wait=0.05), scene)[0] < 2


def test_signatures_are_not_mixed():
    async def scene(batcher, _):
        return await asyncio.gather(*(ask(batcher, x, signature=s) for x, s in ("ap", "bq", "cp")))

    rows, network = run(Limits(most=8, wait=0.05), scene)
    assert rows == [[("p", "a")], [("q", "b")], [("p", "c")]] and network.batches == [["a", "c"], ["b"]]


def test_a_batch_has_no_more_pixels_than_one_photo_may_have():
    _, network = run(Limits(most=8, wait=0.05, pixels=10), lambda b, _: together(b, "a", "b", "c", pixels=5))
    assert network.batches == [["a", "b"], ["c"]]


def test_one_that_fails_costs_nobody_else_the_answer():
    rows, _ = run(Limits(most=8, wait=0.05), lambda b, _: together(b, ["a"], ["bad"], ["c"]))
    assert rows[0] == [("s", "a")] and rows[2] == [("s", "c")]
    assert isinstance(rows[1], Refused) and rows[1].status == 500


def test_what_does_not_fit_into_the_queue_is_refused_at_once_and_later_taken():
    async def scene(batcher, network):
        network.go.clear()
        first = asyncio.ensure_future(ask(batcher, "a"))
        await asyncio.sleep(0.1)  # it is with the network now
        waiting = asyncio.ensure_future(ask(batcher, "b", "c"))
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await ask(batcher, "d")
        assert (refused.value.status, refused.value.again, batcher.waiting) == (503, 1, 2)
        network.go.set()
        await asyncio.gather(first, waiting)
        return await ask(batcher, "d")

    assert run(Limits(most=2, wait=0.001, room=2, at_once=1), scene)[0] == [("s", "d")]


def test_a_batch_is_run_beside_another_and_no_more_than_that():
    async def scene(batcher, network):
        network.go.clear()
        asked = []
        for x in "abcd":
            asked.append(asyncio.ensure_future(ask(batcher, x)))
            await asyncio.sleep(0.05)
        with_the_network = len(network.begun)
        network.go.set()
        return with_the_network, await asyncio.gather(*asked)

    (begun, rows), network = run(Limits(most=8, wait=0.001, at_once=2), scene)
    assert begun == 2 and rows == [[("s", x)] for x in "abcd"]
    assert sorted(network.batches) == [["a"], ["b"], ["c", "d"]]
