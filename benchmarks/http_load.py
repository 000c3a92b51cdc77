"""Connections that ask a server again and again, cheaply: blocking sockets, requests that are made once."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle


@dataclass
class Load:
    """What came back: seconds of each answer, by HTTP status; requests that got none though they were sent."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    lost: int = 0


def request(path: str, body: bytes, address: tuple[str, int]) -> bytes:
    """The bytes of a POST."""
    host = f"{address[0]}:{address[1]}"
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def run(address: tuple[str, int], requests: list[bytes], connections: int, *, seconds=None, count=None) -> Load:
    """Asks over so many connections for so many seconds, or so many times in all; each waits for its answer."""
    load, lock = Load(), threading.Lock()
    end = time.monotonic() + seconds if seconds else float("inf")
    left = iter(range(count)) if count else cycle([0])

    def turns(first: int) -> Iterator[bytes]:
        for content in cycle(requests[first:] + requests[:first]):
            with lock:
                if time.monotonic() > end or next(left, None) is None:
                    return
            yield content

    def client(number: int) -> None:
        _ask(address, turns(number % len(requests)), load, lock)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def _ask(address, contents: Iterator[bytes], load: Load, lock) -> None:
    connection = None
    for content in contents:
        if connection is None:
            try:
                connection = socket.create_connection(address, timeout=60)
            except OSError:
                return  # the server takes nobody any more: nothing was sent
        begin = time.monotonic()
        try:
            connection.sendall(content)
            status, last = answer(connection)
        except OSError:
            with lock:
                load.lost += 1
            return
        with lock:
            load.seconds.append(time.monotonic() - begin)
            load.statuses[status] = load.statuses.get(status, 0) + 1
        if last:
            connection.close()
            connection = None
    with suppress(AttributeError):
        connection.close()


def answer(connection: socket.socket) -> tuple[int, bool]:
    """The status of the answer that a connection gives, and whether it is its last; OSError where none comes."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(connection)
    head = data[:end].lower().decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:])
    missing = int(fields["content-length"]) - len(data) + end + 4
    while missing > 0:
        missing -= len(_some(connection))
    return int(head[0].split()[1]), fields.get("connection") == "close"


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionResetError("closed before its answer")
    return data
