"""Serving the status page: its files, and what they ask for as JSON. Nothing is written here.

GET /                                  the page
GET /api/plant                         devices and outputs, and how they fare
GET /api/points                        all signals
GET /api/devices/DEVICE                its signals with their last samples
GET /api/devices/DEVICE/frames         the last that went over its line, decoded, without secrets
GET /api/signals/SIGNAL/history        its last numbers
GET /api/events?device=DEVICE          the last samples of some devices, then every new one, as text/event-stream
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, Unpack

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cosem.gateway.config import Device
from cosem.gateway.frames import Kept
from cosem.gateway.line import Attended
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.audience import Audience, told
from cosem.gateway.northbound.http import Guard, HttpSettings, Served, as_json
from cosem.gateway.northbound.text import point_fields
from cosem.gateway.page import plant
from cosem.gateway.page.history import History
from cosem.gateway.value import Sample
from cosem.web import asset

PORT: Final = 8088

FILES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("gateway.html", "text/html; charset=utf-8"),
    "/gateway.js": ("gateway.js", "text/javascript; charset=utf-8"),
    "/plot.js": ("plot.js", "text/javascript; charset=utf-8"),
    "/texts.js": ("texts.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""What the page consists of; it holds nothing of the plant, and is shown to whoever asks."""

HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Plant(Protocol):
    """What a gateway lets the page see."""

    @property
    def devices(self) -> Mapping[str, Attended]: ...
    @property
    def outputs(self) -> Mapping[str, Any]: ...
    @property
    def points(self) -> Sequence[Point]: ...


class Page(Served):
    """The page of a gateway; `port` 0 takes a free one. Without a token only loopback names are answered."""

    def __init__(
        self,
        plant: Plant,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: HttpSettings | None = None,
        **guard: Unpack[Guard],
    ) -> None:
        routes = [
            *(Route(path, self._file) for path in FILES),
            Route("/api/plant", self._plant_now),
            Route("/api/points", self._points_now),
            Route("/api/devices/{device}", self._device),
            Route("/api/devices/{device}/frames", self._frames),
            Route("/api/signals/{signal}/history", self._numbers),
            Route("/api/events", self._listen),
        ]
        super().__init__(routes, host, port, settings, frozenset(FILES), **guard)
        self._plant = plant
        self._audience = Audience()
        self._history = History(0)
        self._tables = 0
        self._kept: dict[str, Kept] = {}
        self._devices: dict[str, str] = {}

    async def start(self) -> None:
        """Begin to listen. Raises ConfigurationError where nobody can."""
        await self._http.start()

    async def close(self) -> None:
        """End what is going on and stop listening."""
        self._audience.dismiss()
        await super().close()

    def changed(self, points: Sequence[Point]) -> None:
        """Learn that the tables may have changed; what was measured of signals that stay is kept."""
        self._devices = {each.signal: each.device for each in points}
        self._history.keep(self._devices.keys())
        running = self._plant.devices
        self._kept = {alias: each for alias, each in self._kept.items() if alias in running}
        self._tables += 1

    def heard(self, device: Device) -> Kept:
        """Return what is told of octets of a device, and keeps the last of them."""
        kept = self._kept.setdefault(device.alias, Kept(device))
        kept.belongs_to(device)
        return kept

    def take(self, samples: Sequence[Sample]) -> None:
        """Show new samples."""
        known = [each for each in samples if each.signal in self._devices]
        self._history.take(known)
        for each in known:
            self._audience.tell(each)

    # -- requests -----------------------------------------------------------------------------------------------------

    async def _file(self, request: Request) -> Response:
        name, kind = FILES[request.url.path]
        return Response(asset(name), headers=HEADERS, media_type=kind)

    async def _plant_now(self, _: Request) -> Response:
        devices, outputs = self._plant.devices, self._plant.outputs
        return _json(
            {
                "tables": self._tables,  # a number that changes when they do
                "now": datetime.now(UTC).isoformat(),
                "devices": [plant.device(each, self._kept.get(alias)) for alias, each in devices.items()],
                "outputs": [plant.output(name, each) for name, each in outputs.items()],
            }
        )

    async def _points_now(self, _: Request) -> Response:
        return _json([point_fields(each) for each in self._plant.points])

    async def _device(self, request: Request) -> Response:
        attended = self._plant.devices.get(request.path_params["device"])
        if attended is None:
            return _missing("device")
        alias = attended.device.alias
        signals = {each.signal: point_fields(each) for each in self._plant.points if each.device == alias}
        shown = list(signals.values())
        samples = ",".join(told(each) for each in attended.last.values() if each.signal in signals)
        return as_json(f'{{"signals":{json.dumps(shown, ensure_ascii=False)},"samples":[{samples}]}}')

    async def _frames(self, request: Request) -> Response:
        alias = request.path_params["device"]
        kept = self._kept.get(alias)
        return _missing("device") if kept is None or alias not in self._plant.devices else _json(plant.frames(kept))

    async def _numbers(self, request: Request) -> Response:
        signal = request.path_params["signal"]
        return _json(self._history.of(signal)) if signal in self._devices else _missing("signal")

    async def _listen(self, request: Request) -> Response:
        wanted = frozenset(request.query_params.getlist("device"))
        last: Callable[[str], list[Sample]] = lambda alias: list(self._plant.devices[alias].last.values())  # noqa: E731
        first = [each for alias in wanted if alias in self._plant.devices for each in last(alias)]
        return self._audience.response(first, lambda each: self._devices.get(each.signal) in wanted)


def _json(value: object) -> Response:
    return as_json(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _missing(what: str) -> Response:
    return as_json(json.dumps({"reason": f"there is no such {what}"}), 404)
