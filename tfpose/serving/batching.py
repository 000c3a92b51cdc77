"""Instances of many requests, gathered for a few milliseconds and run as one batch: a bounded queue in between."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tfpose.serving.refused import Refused

Run = Callable[[str, list[dict]], list[dict]]
log = logging.getLogger("tfpose.serving")


@dataclass(frozen=True)
class Limits:
    """A batch holds `most` instances and `pixels` pixels, the oldest waits `wait` seconds, and `room` are kept waiting.

    One photo may have all the pixels of a batch, so that what decoding needs does not grow with the batch. So many
    batches are run `at_once`.
    """

    most: int = 16
    wait: float = 0.005
    room: int = 256
    pixels: int = 50_000_000
    at_once: int = 1


@dataclass(eq=False)
class Work:
    """An instance that waits for its row; only works of one `kind`, signature and shapes, can be one batch."""

    kind: tuple
    instance: dict
    pixels: int
    row: asyncio.Future
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """Runs instances in batches; `ran` is told the number of instances and the seconds of each."""

    def __init__(self, run: Run, limits: Limits, ran: Callable[[int, float], None] = lambda count, seconds: None):  # noqa: ARG005
        self._run, self._limits, self._ran = run, limits, ran
        self._waiting: deque[Work] = deque()
        self._arrived = asyncio.Event()
        self._threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="batch")
        self._free = asyncio.Semaphore(limits.at_once)
        self._task = asyncio.ensure_future(self._fly())

    @property
    def waiting(self) -> int:
        """How many instances have not begun."""
        return len(self._waiting)

    async def rows(self, signature: str, instances: list[dict], pixels: list[int]) -> list[dict]:
        """The rows of instances with so many pixels each; Refused where there is no room, or one cannot be run."""
        if len(instances) > self._limits.room:
            raise Refused(413, f"instances: found {len(instances)}, expected at most {self._limits.room}; send fewer")
        if len(instances) + len(self._waiting) > self._limits.room:
            raise Refused(503, f"{len(self._waiting)} photos are waiting already; come again", again=1)
        loop = asyncio.get_running_loop()
        kinds = [(signature, *(getattr(v, "shape", ()) for v in instance.values())) for instance in instances]
        works = [Work(*parts, loop.create_future()) for parts in zip(kinds, instances, pixels)]
        self._waiting.extend(works)
        self._arrived.set()
        found = await asyncio.gather(*(work.row for work in works), return_exceptions=True)
        for row in found:
            if isinstance(row, BaseException):
                raise row
        return found

    async def close(self) -> None:
        """Ends the batches; what still waits is not run."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._threads.shutdown()

    async def _fly(self) -> None:
        async with asyncio.TaskGroup() as flights:
            while True:
                # Gathered as late as possible: what comes while all are busy is one batch.
                await self._free.acquire()
                batch = await self._gathered()
                flights.create_task(self._flown(batch)).add_done_callback(lambda _: self._free.release())

    async def _gathered(self) -> list[Work]:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        end = self._waiting[0].since + self._limits.wait
        while len(self._waiting) < self._limits.most and (left := end - time.monotonic()) > 0:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                break
        return self._taken()

    def _taken(self) -> list[Work]:
        batch, others, pixels = [], deque(), 0
        while self._waiting and len(batch) < self._limits.most:
            work = self._waiting.popleft()
            fits = not batch or (work.kind == batch[0].kind and pixels + work.pixels <= self._limits.pixels)
            (batch if fits else others).append(work)
            pixels += work.pixels if fits else 0
        self._waiting.extendleft(reversed(others))
        return batch

    async def _flown(self, batch: list[Work]) -> None:
        loop, begin = asyncio.get_running_loop(), time.monotonic()
        try:
            rows = await loop.run_in_executor(self._threads, self._run, batch[0].kind[0], [w.instance for w in batch])
            self._ran(len(batch), time.monotonic() - begin)
        except Exception as error:  # whatever TensorFlow raises of a photo, and of photos side by side
            if len(batch) > 1:
                # One bad photo must not cost the others their answers.
                for work in batch:
                    await self._flown([work])
                return
            rows = [_refusal(error)]
        for work, row in zip(batch, rows):
            if work.row.done():
                continue
            work.row.set_exception(row) if isinstance(row, Exception) else work.row.set_result(row)


def _refusal(error: Exception) -> Refused:
    # TensorFlow's own words for what is wrong with an input; anything else is wrong with this server.
    if type(error).__name__ == "InvalidArgumentError":
        return Refused(
            400, f"photo: it cannot be decoded: {str(getattr(error, 'message', error)).splitlines()[0][:200]}"
        )
    log.error("a batch failed", exc_info=error)
    return Refused(500, "the network could not be run; the server's log says why")
