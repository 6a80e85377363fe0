"""REST with server-sent events: what the signals are now, each change as it comes, and commands.

GET /api/points            what there is: signal, device, name, type, unit, whether it can be written
GET /api/signals           the last sample of each; GET /api/signals/SIGNAL of one
PUT /api/signals/SIGNAL    a command: {"value": 5}
GET /api/events            the last sample of each, then every new one, as text/event-stream; ?signal=… for some of them
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cosem.errors import CosemError
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.http import HttpServer, HttpSettings, TooLarge, as_json, body
from cosem.gateway.northbound.text import commanded, sample_json
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.protocol.crypto.key import Secret

PORT: Final = 8080
WAITING: Final = 10_000
"""Samples that wait for a listener; who is slower is sent away, and sees the newest when it comes back."""

ALIVE: Final = 15.0
"""Seconds of silence after which a listener is told that there is nothing."""


class RestOutput:
    """Serves samples to whoever asks; `port` 0 takes a free one. Without a token only loopback names are answered."""

    buffered = False

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: HttpSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        token: Secret | None = None,
    ) -> None:
        self._settings = settings or HttpSettings()
        routes = [
            Route("/api/points", self._show_points),
            Route("/api/signals", self._show_all),
            Route("/api/signals/{signal}", self._show),
            Route("/api/signals/{signal}", self._write, methods=["PUT"]),
            Route("/api/events", self._listen),
        ]
        self._http = HttpServer(Starlette(routes=routes), host, port, self._settings, tls=tls, token=token)
        self._points: dict[str, Point] = {}
        self._last: dict[str, Sample] = {}
        self._obey: Obey | None = None
        self._listeners: set[asyncio.Queue[Sample | None]] = set()

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._http.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.port

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to listen. Raises ConfigurationError where nobody can."""
        self._points = {each.signal: each for each in points}
        self._obey = obey
        await self._http.start()

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Show new values, and tell those who listen; what is backfilled is only told."""
        for each in samples:
            if each.signal not in self._points:
                continue
            if not each.backfilled:
                self._last[each.signal] = each
            for queue in list(self._listeners):
                if queue.full():
                    self._dismiss(queue)
                else:
                    queue.put_nowait(each)

    async def close(self) -> None:
        """End what is going on and stop listening."""
        for queue in list(self._listeners):
            self._dismiss(queue)
        await self._http.close()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return the paths of points, a heading first."""
        heading = ("path", "signal", "type", "unit", "command")
        rows = [
            (
                *(f"/api/signals/{each.signal}", each.signal, each.number_type.value, each.unit),
                "PUT" if each.writable else "",
            )
            for each in points
        ]
        return (heading, *rows)

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(tuple(self._points.values()))

    # -- requests -----------------------------------------------------------------------------------------------------

    async def _show_points(self, _: Request) -> Response:
        shown = [
            {
                "signal": each.signal,
                "device": each.device,
                "name": each.name,
                "type": each.number_type.value,
                "unit": each.unit,
                "writable": each.writable,
            }
            for each in self._points.values()
        ]
        return as_json(json.dumps(shown, ensure_ascii=False))

    async def _show_all(self, _: Request) -> Response:
        return as_json("[" + ",\n".join(map(_told, self._last.values())) + "]")

    async def _show(self, request: Request) -> Response:
        signal = request.path_params["signal"]
        if signal not in self._points:
            return _problem(404, "there is no such signal")
        last = self._last.get(signal)
        return _problem(404, "it has no value yet") if last is None else as_json(_told(last))

    async def _write(self, request: Request) -> Response:
        point = self._points.get(request.path_params["signal"])
        if point is None:
            return _problem(404, "there is no such signal")
        if not point.writable:
            return _problem(403, "the signal is not write-enabled")
        try:
            octets = await body(request, self._settings)
            value = commanded(octets, point.number_type)
        except TooLarge:
            return _problem(413, f"more than {self._settings.body} octets")
        except (TimeoutError, ClientDisconnect):
            return _problem(408, "the body did not come")
        except ValueError as error:
            return _problem(400, str(error))
        peer = "?" if request.client is None else request.client.host
        result = await self._carry_out(Command(point.signal, value, f"REST {peer}"))
        return as_json('{"done":true}') if result.done else _problem(409, result.reason)

    async def _carry_out(self, command: Command) -> CommandResult:
        assert self._obey is not None, "started"
        try:
            return await self._obey(command)
        except CosemError as error:
            return CommandResult(False, str(error))

    async def _listen(self, request: Request) -> Response:
        wanted = frozenset(request.query_params.getlist("signal"))
        unknown = wanted - self._points.keys()
        if unknown:
            return _problem(404, f"there is no such signal: {', '.join(sorted(unknown))[:200]}")
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self._events(wanted), media_type="text/event-stream", headers=headers)

    async def _events(self, wanted: frozenset[str]) -> AsyncGenerator[str]:
        queue: asyncio.Queue[Sample | None] = asyncio.Queue(WAITING)
        self._listeners.add(queue)
        try:
            for each in list(self._last.values()):
                if not wanted or each.signal in wanted:
                    yield _event(each)
            while True:
                try:
                    async with asyncio.timeout(ALIVE):
                        sample = await queue.get()
                except TimeoutError:
                    yield ": alive\n\n"
                    continue
                if sample is None:
                    return
                if not wanted or sample.signal in wanted:
                    yield _event(sample)
        finally:
            self._listeners.discard(queue)

    def _dismiss(self, queue: asyncio.Queue[Sample | None]) -> None:
        self._listeners.discard(queue)
        while queue.full():
            queue.get_nowait()
        queue.put_nowait(None)


def _told(sample: Sample) -> str:
    return sample_json(sample, signal=sample.signal)


def _event(sample: Sample) -> str:
    return f"event: sample\ndata: {_told(sample)}\n\n"


def _problem(status: int, reason: str) -> Response:
    return as_json(json.dumps({"done": False, "reason": reason}, ensure_ascii=False), status)
