"""Throughput of `tfpose serve` beside calling its SavedModel directly, and what it does with load, dirt and a stop.

    python -m benchmarks.serving BUNDLE

The server is a process of its own on loopback, the load 16 connections of this process, in turn with direct calls in
batches. Then come 1,000 malformed bodies, 10,000 requests whose memory is measured, and a stop under load.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import base64
import functools
import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.http_load import Load, request, run
from tfpose.serving.model import SERVED, Model

PREDICT = "/v1/models/pose:predict"
ROUNDS = 3  # of direct calls and load in turn: the machine may be another's too


def main() -> None:
    """Prints a line for each of the five."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bundle", type=Path)
    p.add_argument("--photos", type=Path, help="a folder of JPEGs (default: 32 of 640 x 480, drawn)")
    p.add_argument("--seconds", type=float, default=60, help="of direct calls and load, half of each")
    p.add_argument("--connections", type=int, default=16)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--at-once", type=int, default=0, help="batches that share the threads (default: one a thread)")
    p.add_argument("--requests", type=int, default=10_000, help="whose memory is measured")
    o = p.parse_args()
    photos = read(o.photos) if o.photos else drawn(32)
    model = Model(o.bundle)
    with serving(o.bundle, o.batch, o.at_once) as (process, address):
        asked = [request(PREDICT, body(photo), address) for photo in photos]
        throughput(model, photos, asked, address, process.pid, o)
        print(dirt(address, 1000, o.connections))
        before = memory(process.pid)
        load = run(address, asked, o.connections, count=o.requests)
        print(f"{len(load.seconds)} requests: {load.statuses}, memory {memory(process.pid) - before:+.1f} MB")
        print(stop(process, address, asked, o.connections))


def throughput(model: Model, photos: list[bytes], asked: list[bytes], address, pid: int, o) -> None:
    """Prints photos a second, directly and over HTTP, their processor time, and how long a request takes."""
    direct(model, photos, o.batch, 1.0)
    run(address, asked, o.connections, seconds=1.0)
    share, ours, served, times = o.seconds / ROUNDS / 2, [], [], []
    for _ in range(ROUNDS):
        ours.append(direct(model, photos, o.batch, share))
        begin, used = time.monotonic(), processor(pid)
        load = run(address, asked, o.connections, seconds=share)
        count = len(load.seconds)
        served.append((count / (time.monotonic() - begin), 1e3 * (processor(pid) - used) / count))
        times += load.seconds
        assert set(load.statuses) == {200}, load.statuses
    (direct_rate, direct_used), (rate, used) = np.mean(ours, axis=0), np.mean(served, axis=0)
    rounds = " ".join(f"{s[0] / d[0]:.2f}" for s, d in zip(served, ours))
    print(f"direct, batches of {o.batch}: {direct_rate:.1f} photos/s, {direct_used:.1f} ms of processor a photo")
    print(f"{o.connections} connections: {rate:.1f} photos/s, {used:.1f} ms; ratio {rate / direct_rate:.2f} ({rounds})")
    print(f"a request: p50 {1e3 * np.median(times):.0f} ms, p99 {1e3 * np.quantile(times, 0.99):.0f} ms")


def direct(model: Model, photos: list[bytes], batch: int, seconds: float) -> tuple[float, float]:
    """Photos a second of the SavedModel called in batches, and the processor's milliseconds of each."""
    batches = [[{"image_bytes": photos[(i + k) % len(photos)]} for k in range(batch)] for i in range(len(photos))]
    begin, used, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() < begin + seconds:
        model(SERVED, batches[count % len(batches)])
        count += 1
    photos_run = count * batch
    return photos_run / (time.monotonic() - begin), 1e3 * (time.process_time() - used) / photos_run


def dirt(address, count: int, connections: int) -> str:
    """What bodies that are wrong in many ways are answered with."""
    draw = np.random.default_rng(0)
    load = run(address, [request(PREDICT, malformed(draw, i), address) for i in range(count)], connections, count=count)
    others = sum(number for status, number in load.statuses.items() if not 400 <= status < 500) + load.lost
    return f"{count} malformed bodies: {dict(sorted(load.statuses.items()))}, {others} others"


def malformed(draw: np.random.Generator, number: int) -> bytes:
    """A body with one of ten things wrong."""
    photo, noise = drawn(1)[0], draw.bytes(int(draw.integers(1, 3000)))
    cut = photo[: int(draw.integers(3, len(photo) // 2))]
    header = b"IHDR\0\x01\0\0\0\x01\0\0\x08\x02\0\0\0"  # 65,536 x 65,536 pixels
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + zlib.crc32(header).to_bytes(4, "big") + b"\0\0\0\1IDAT\0"
    good = body(photo)
    return [
        lambda: noise,
        lambda: good[: int(draw.integers(0, len(good) - 1))],
        lambda: body(noise),
        lambda: body(b"a text, and no photo"),
        lambda: body(cut),
        lambda: body(b"\xff\xd8\xff" + noise),
        lambda: body(b"\x89PNG\r\n\x1a\n" + noise),
        lambda: body(bomb),
        lambda: json.dumps({"instances": [[1, 2], {"b64": 3}, None, {"b64": "%%"}, "text"][number // 10 % 5]}).encode(),
        lambda: b"[" * int(draw.integers(1, 100_000)),
    ][number % 10]()


def stop(process: subprocess.Popen, address, asked: list[bytes], connections: int) -> str:
    """What becomes of requests when the server is told to stop under load."""
    found: list[Load] = []
    load = threading.Thread(target=lambda: found.append(run(address, asked, connections, seconds=30)))
    load.start()
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    begin, code = time.monotonic(), process.wait(60)
    seconds = time.monotonic() - begin
    load.join()
    return f"a stop under load: exit code {code} after {seconds:.1f} s; {found[0].statuses}, {found[0].lost} lost"


@contextmanager
def serving(bundle: Path, batch: int, at_once: int):
    """The process of a server of the bundle, and its address."""
    program = "import sys; from tfpose.cli import main; sys.exit(main())"
    options = ["--port", "0", "--batch", str(batch), "--at-once", str(at_once)]
    command = [sys.executable, "-c", program, "serve", str(bundle), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        host, port = re.search(r"http://([\d.]+):(\d+)/", process.stdout.readline()).groups()
        yield process, (host, int(port))
    finally:
        process.terminate()
        process.wait(60)


def processor(pid: int) -> float:
    """The seconds of processor time that a process has used."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """The resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def body(photo: bytes) -> bytes:
    """The body that asks for the people of one photo."""
    return json.dumps({"instances": [{"b64": base64.b64encode(photo).decode()}]}).encode()


def read(folder: Path) -> list[bytes]:
    """The JPEGs of a folder, 200 at most."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:200]]


def drawn(count: int) -> list[bytes]:
    """JPEGs of 640 x 480 with soft colours and some grain, 40 to 50 KB each."""
    return [_drawn(seed) for seed in range(count)]


@functools.cache
def _drawn(seed: int) -> bytes:
    draw, file = np.random.default_rng(seed), io.BytesIO()
    soft = Image.fromarray(draw.integers(0, 256, (12, 16, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    grain = draw.normal(0, 6, (480, 640, 1))
    Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


if __name__ == "__main__":
    main()
