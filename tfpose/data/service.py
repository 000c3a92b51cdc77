"""Batches made by other machines, the same ones in the same order as without them: TensorFlow's tf.data service.

A dispatcher gives every worker numbers of batches, each number to one worker, and a batch depends on its number alone.
They arrive as they are done, and are put in order here; one that does not come, since its worker has ended, is made
here. A worker needs TensorFlow and the photos or shards by the same names, and nothing of this package.
"""

import contextlib
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

from tfpose.data.epochs import LAST, Epochs

service = tf.data.experimental.service

AT_ONCE = 2  # batches that a worker makes side by side: one is read while another is encoded
LATE = 32  # batches that have come before one that has not is made here
SILENCE = 60.0  # seconds without a batch, after which a line says so
GONE_MS = 20_000  # without a sign of life, after which a worker or a trainer counts as ended
PATIENCE = 5.0  # seconds that a dispatcher has to answer


def distributed(epochs: Epochs, address: str, first: int) -> tf.data.Dataset:
    """The encoded parts of batch after batch from number `first` on, made by the workers of a dispatcher's address.

    Raises ValueError where no dispatcher answers, and for an encoding that Python computes, which cannot be sent.
    """
    numbers = tf.data.Dataset.range(first, LAST)
    parts = numbers.interleave(
        lambda number: epochs.one(number).enumerate(number * epochs.share.local),
        cycle_length=AT_ONCE,
        num_parallel_calls=AT_ONCE,
        deterministic=True,
    ).prefetch(AT_ONCE)
    refuse_python(parts)
    answering(address)
    far = parts.apply(service.distribute(service.ShardingPolicy.DYNAMIC, address))
    here = tf.function(lambda number: _part(epochs, number), autograph=False)

    def batches() -> Iterator:
        return in_order(heard(far, address), here, first * epochs.share.local)

    return tf.data.Dataset.from_generator(batches, output_signature=parts.element_spec[1])


def _part(epochs: Epochs, number):
    """Part `number` of all the parts of this share's batches."""
    local = epochs.share.local
    return epochs.one(number // local).skip(number % local).take(1).get_single_element()


def in_order(arriving: Iterator, made: Callable, first: int, late: int = LATE) -> Iterator:
    """The batches of pairs (number, batch) by their numbers, from `first` on.

    One that `late` others have come before is `made(number)`, and forgotten should it come after all.
    """
    waiting = {}
    for number, batch in arriving:
        if int(number) >= first:
            waiting[int(number)] = batch
        while first in waiting or len(waiting) > late:
            yield waiting.pop(first) if first in waiting else made(tf.constant(first, tf.int64))
            first += 1


def heard(far: tf.data.Dataset, address: str, silence: float = SILENCE) -> Iterator:
    """What comes of a service, with a line on stderr when nothing has for `silence` seconds; errors as they are."""
    arrived: queue.Queue = queue.Queue(AT_ONCE)
    ended = threading.Event()

    def put(item, error) -> None:
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                return arrived.put((item, error), timeout=0.1)

    def listen() -> None:
        try:
            for item in far:
                put(item, None)
                if ended.is_set():
                    return
            put(None, StopIteration())
        except Exception as error:  # raised again where it is read
            put(None, error)

    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            item, error = _next(arrived, address, silence)
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        ended.set()


def _next(arrived: queue.Queue, address: str, silence: float) -> tuple:
    while True:
        try:
            return arrived.get(timeout=silence)
        except queue.Empty:
            print(f"{address}: no batch for {silence:.0f} s; are there workers? waiting", file=sys.stderr, flush=True)


def refuse_python(data: tf.data.Dataset) -> None:
    """Raises ValueError where a pipeline calls Python, whose functions and state stay in this process."""
    serialised = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(data))
    graph = tf.compat.v1.GraphDef.FromString(serialised.numpy())
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    if calls := sorted({node.op for node in nodes} & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}):
        raise ValueError(
            f"data.service: the pipeline calls Python ({', '.join(calls)}), which cannot be sent to workers; "
            "compute it in TensorFlow operations"
        )


def answering(address: str) -> None:
    """Raises ValueError where nothing listens at grpc://HOST:PORT: TensorFlow itself would try for ever."""
    host, _, port = address.removeprefix("grpc://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError as error:
        raise ValueError(
            f"data.service: no dispatcher at {address} ({error}); start one: `tfpose data dispatcher`"
        ) from error


def dispatcher(port: int) -> None:
    """Runs a dispatcher at a port, until the process is ended."""
    limits = {"worker_timeout_ms": GONE_MS, "job_gc_timeout_ms": 3 * GONE_MS}
    server = service.DispatchServer(service.DispatcherConfig(port=port, **limits))
    print(f"dispatcher at {server.target}; stop it with Ctrl-C", flush=True)
    server.join()


def worker(address: str, host: str, port: int) -> None:
    """Runs a worker of the dispatcher at an address, which trainers reach as host:port, until the process is ended."""
    answering(address)
    reached = f"{host}:{port or '%port%'}"  # which TensorFlow replaces by one that is free
    server = service.WorkerServer(service.WorkerConfig(address.removeprefix("grpc://"), reached, port))
    print(f"worker at {host} of {address}; stop it with Ctrl-C", flush=True)
    server.join()
