"""The server as an ASGI application: its routes, its limits, and errors of one line."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tfpose import draw
from tfpose.serving import contract, photos
from tfpose.serving.batching import Batcher, Limits
from tfpose.serving.metrics import Metrics
from tfpose.serving.model import Model
from tfpose.serving.refused import Refused
from tfpose.spec import PoseSpec

BODY_SECONDS = 30  # in which a body must have come
BODIES = 16  # of the largest size that may be in memory at once
PAGE = Path(__file__).with_name("page.html")
# The page is one file and asks nobody else for anything.
INLINE = "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
POLICY = f"default-src 'none'; {INLINE}; img-src blob: data:; connect-src 'self'"


@dataclass(eq=False)
class Server:
    """What answers: a model under a name, `body` bytes a request at most; `draining` ends connections one by one."""

    model: Model
    spec: PoseSpec
    name: str
    limits: Limits
    body: int
    draining: bool = False
    held: int = 0

    def app(self) -> Starlette:
        """The application; its batches begin and end with it."""
        routes = [Route(path, handler, methods=[method]) for method, path, handler in self._routes()]
        errors = {Refused: _refused, HTTPException: _unknown, Exception: _broken}
        return Starlette(routes=routes, exception_handlers=errors, lifespan=self._alive)

    def _routes(self) -> list[tuple]:
        model = "/v1/models/{name}"
        return [
            ("POST", f"{model}:predict", self.predict),
            ("POST", f"{model}/versions/{{version}}:predict", self.predict),
            ("GET", f"{model}/metadata", self.metadata),
            ("GET", f"{model}/versions/{{version}}/metadata", self.metadata),
            ("GET", model, self.status),
            ("GET", f"{model}/versions/{{version}}", self.status),
            ("GET", "/healthz", self.health),
            ("GET", "/metrics", self.measured),
            ("GET", "/model.json", self.described),
            ("GET", "/", self.page),
        ]

    @asynccontextmanager
    async def _alive(self, app):  # noqa: ARG002
        self.metrics = Metrics(lambda: self.batcher.waiting)
        self.batcher = Batcher(self.model, self.limits, self.metrics.ran)
        yield
        await self.batcher.close()

    async def predict(self, request: Request) -> Response:
        """People in photos, or whatever signature is asked for."""
        begin, status = time.monotonic(), 500
        try:
            response = await self._predicted(request)
            status = response.status_code
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self.metrics.answered(status, time.monotonic() - begin)
        return response

    async def _predicted(self, request: Request) -> Response:
        self._found(request)
        with self._admitted(_length(request, self.body)):
            call = contract.call(await _body(request, self.body), self.model.signatures)
            pixels = [self._pixels(instance) for instance in call.instances]
            rows = await self.batcher.rows(call.signature, call.instances, pixels)
            return self._json(contract.answer(rows, columns=call.columns))

    def _pixels(self, instance: dict) -> int:
        if "image_bytes" in instance:
            return photos.pixels(instance["image_bytes"], self.limits.pixels)
        return instance["images"].size // 3

    @contextmanager
    def _admitted(self, size: int) -> Iterator[None]:
        if self.held + size > BODIES * self.body:
            raise Refused(503, "too many requests at once; come again", again=1)
        self.held += size
        try:
            yield
        finally:
            self.held -= size

    def _found(self, request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != self.name or version not in (None, self.model.version):
            which = f"Specific({name}, {version})" if version else f"Latest({name})"
            raise Refused(404, f"Servable not found for request: {which}; this is {self.name} {self.model.version}")

    async def metadata(self, request: Request) -> Response:
        """The signatures."""
        self._found(request)
        return self._json(self.model.metadata(self.name))

    async def status(self, request: Request) -> Response:
        """That the version is there."""
        self._found(request)
        state = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return self._json({"model_version_status": [{"version": self.model.version} | state]})

    async def health(self, request: Request) -> Response:  # noqa: ARG002
        """For probes: 503 from the moment on that the server is told to stop."""
        return self._json({"status": "stopping" if self.draining else "ok"}, 503 if self.draining else 200)

    async def measured(self, request: Request) -> Response:  # noqa: ARG002
        """For Prometheus."""
        return self._ended(Response(self.metrics.text(), media_type="text/plain; version=0.0.4"))

    async def described(self, request: Request) -> Response:  # noqa: ARG002
        """What the page must know to draw people."""
        limits = {"body": self.body, "pixels": self.limits.pixels}
        # A decoder of whole images has chosen already: what it left out has score 0.
        seen = 0.0 if self.spec.view == "image" else draw.SEEN
        about = {"name": self.name, "version": self.model.version, "limits": limits, "seen": seen}
        return self._json(about | {"skeleton": self.spec.skeleton.as_dict()})

    async def page(self, request: Request) -> Response:  # noqa: ARG002
        """The page where photos are dropped."""
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return self._ended(Response(PAGE.read_bytes(), media_type="text/html", headers=headers))

    def _json(self, content, status: int = 200) -> Response:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return self._ended(Response(body, status, media_type="application/json"))

    def _ended(self, response: Response) -> Response:
        if self.draining:
            response.headers["Connection"] = "close"
        return response


def _length(request: Request, most: int) -> int:
    declared = int(request.headers.get("content-length", most))
    if declared > most:
        raise Refused(413, f"the body has {declared} bytes; expected at most {most}")
    return declared


async def _body(request: Request, most: int) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise Refused(413, f"the body has more than {most} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise Refused(408, f"the body did not come within {BODY_SECONDS} seconds") from None
    except ClientDisconnect:
        raise Refused(400, "the body ended before its end") from None
    return b"".join(chunks)


def _error(status: int, message: str, headers: dict | None = None) -> Response:
    return Response(orjson.dumps({"error": message}), status, headers, "application/json")


async def _refused(request: Request, refused: Refused) -> Response:  # noqa: ARG001
    return _error(refused.status, refused.message, {"Retry-After": str(refused.again)} if refused.again else None)


async def _unknown(request: Request, error: HTTPException) -> Response:
    return _error(error.status_code, f"{request.method} {request.url.path}: {error.detail}", error.headers)


async def _broken(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return _error(500, "something is wrong with the server; its log says what")
