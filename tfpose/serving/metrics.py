"""What a server counts, in the words of Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Requests by status and their seconds; batches, their photos and seconds; photos that wait; memory and files."""

    def __init__(self, waiting: Callable[[], int]):
        self._all = CollectorRegistry()
        ProcessCollector(registry=self._all)
        made = {"registry": self._all}
        self._requests = Counter("tfpose_requests", "Predictions asked for, by HTTP status", ["code"], **made)
        self._seconds = Histogram("tfpose_request_seconds", "From request to answer", buckets=SECONDS, **made)
        self._batches = Histogram("tfpose_batch_photos", "Photos of a batch", buckets=PHOTOS, **made)
        self._ran = Histogram("tfpose_batch_seconds", "A batch in the network", buckets=SECONDS, **made)
        Gauge("tfpose_waiting_photos", "Photos in the queue", **made).set_function(waiting)

    def answered(self, status: int, seconds: float) -> None:
        """A prediction was answered with an HTTP status."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def ran(self, photos: int, seconds: float) -> None:
        """A batch was run."""
        self._batches.observe(photos)
        self._ran.observe(seconds)

    def text(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self._all)
