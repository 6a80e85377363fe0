"""REST with server-sent events: what the signals are now, each change as it comes, and commands.

GET /api/points            what there is: signal, device, name, type, unit, whether it can be written
GET /api/signals           the last sample of each; GET /api/signals/SIGNAL of one
PUT /api/signals/SIGNAL    a command: {"value": 5}
GET /api/events            the last sample of each, then every new one, as text/event-stream; ?signal=… for some of them
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Unpack

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from cosem.gateway.northbound import Obey, Point, carried_out
from cosem.gateway.northbound.audience import Audience, told
from cosem.gateway.northbound.http import Guard, HttpSettings, Served, TooLarge, as_json, body
from cosem.gateway.northbound.text import commanded, point_fields
from cosem.gateway.value import Command, Sample

PORT: Final = 8080


class RestOutput(Served):
    """Serves samples to whoever asks; `port` 0 takes a free one. Without a token only loopback names are answered."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: HttpSettings | None = None,
        **guard: Unpack[Guard],
    ) -> None:
        routes = [
            Route("/api/points", self._show_points),
            Route("/api/signals", self._show_all),
            Route("/api/signals/{signal}", self._show),
            Route("/api/signals/{signal}", self._write, methods=["PUT"]),
            Route("/api/events", self._listen),
        ]
        super().__init__(routes, host, port, settings, **guard)
        self._points: dict[str, Point] = {}
        self._last: dict[str, Sample] = {}
        self._obey: Obey | None = None
        self._audience = Audience()

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
            self._audience.tell(each)

    async def close(self) -> None:
        """End what is going on and stop listening."""
        self._audience.dismiss()
        await super().close()

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
        shown = map(point_fields, self._points.values())
        return as_json(json.dumps(list(shown), ensure_ascii=False))

    async def _show_all(self, _: Request) -> Response:
        return as_json("[" + ",\n".join(map(told, self._last.values())) + "]")

    async def _show(self, request: Request) -> Response:
        signal = request.path_params["signal"]
        if signal not in self._points:
            return _problem(404, "there is no such signal")
        last = self._last.get(signal)
        return _problem(404, "it has no value yet") if last is None else as_json(told(last))

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
        result = await carried_out(self._obey, Command(point.signal, value, f"REST {peer}"))
        return as_json('{"done":true}') if result.done else _problem(409, result.reason)

    async def _listen(self, request: Request) -> Response:
        wanted = frozenset(request.query_params.getlist("signal"))
        unknown = wanted - self._points.keys()
        if unknown:
            return _problem(404, f"there is no such signal: {', '.join(sorted(unknown))[:200]}")
        first = [each for each in self._last.values() if not wanted or each.signal in wanted]
        return self._audience.response(first, lambda each: not wanted or each.signal in wanted)


def _problem(status: int, reason: str) -> Response:
    return as_json(json.dumps({"done": False, "reason": reason}, ensure_ascii=False), status)
