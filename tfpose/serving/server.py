"""`tfpose serve`: from a bundle to a server on a port, and to its end, which loses no request that it took."""

import asyncio
import signal
import socket
import time
from pathlib import Path

import tensorflow as tf
import uvicorn

from tfpose import spec as specs
from tfpose.serving.app import Server
from tfpose.serving.batching import Limits
from tfpose.serving.model import SERVED, Model

DRAIN = 2  # seconds in which a connection that is kept open is told with its next answer that it ends
FINISH = 60  # seconds in which what was taken must be done
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(bundle: Path, *, host: str, port: int, name: str, threads: int, limits: Limits, body: int) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what was taken; port 0 is one that is free, and is printed.

    `threads` compute, shared out among the batches that run at once: batches side by side need less of a processor
    than one batch of which every operation is cut up. ValueError where there is nothing to serve or the port is taken.
    """
    spec = specs.load(bundle / "pose.json")
    with _bound(host, port) as listener:
        tf.config.threading.set_intra_op_parallelism_threads(max(1, threads // limits.at_once))
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        server = Server(Model(bundle), spec, name, limits, body)
        for count in (1, limits.most):
            server.model(SERVED, [{"image_bytes": _grey(spec.size)}] * count)
        running = Running(server, log_level="warning", access_log=False, server_header=False, backlog=2048)
        running.run_until_told(listener)


class Running(uvicorn.Server):
    """uvicorn with another end: first no new connections, then the open ones are asked to go, then it stops."""

    def __init__(self, server: Server, **options):
        super().__init__(uvicorn.Config(server.app(), timeout_graceful_shutdown=FINISH, **options))
        self._server = server

    def run_until_told(self, listener: socket.socket) -> None:
        """Runs until a signal; returns when all is done."""
        # uvicorn raises the signal again when it has ended, which would end the process by it.
        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        try:
            self.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins, and says where."""
        await super().startup(sockets)
        host, port = sockets[0].getsockname()[:2]
        place = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        name, version = self._server.name, self._server.model.version
        print(f"{name} version {version}: {place}/v1/models/{name}:predict, a page for photos: {place}/", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends in the order above."""
        self._server.draining = True
        for server in self.servers:
            server.close()
        end = time.monotonic() + DRAIN
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ValueError(f"{host}:{port}: {error.strerror}; give another --host or --port") from error
    return listener


def _grey(size: tuple[int, int]) -> bytes:
    return tf.io.encode_jpeg(tf.fill([*size, 3], tf.constant(127, tf.uint8))).numpy()
