"""The last values as metrics, in the text format 0.0.4 of Prometheus, at /metrics.

A value that is not topical or invalid is left out, so that no graph goes on with it; `cosem_signal_good` says 0 then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final, Unpack

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.http import Guard, HttpSettings, Served
from cosem.gateway.value import Plain, Quality, Sample
from cosem.io import metrics

PORT: Final = 9761
"""What exporters of smart meters usually take."""

_UNTRUE: Final = Quality.NOT_TOPICAL | Quality.INVALID


class PrometheusOutput(Served):
    """Serves metrics; `port` 0 takes a free one. Without a token only loopback names are answered."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: HttpSettings | None = None,
        **guard: Unpack[Guard],
    ) -> None:
        super().__init__([Route("/metrics", self._show)], host, port, settings, **guard)
        self._points: dict[str, Point] = {}
        self._last: dict[str, Sample] = {}

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to listen. Raises ConfigurationError where nobody can."""
        self._points = {each.signal: each for each in points}
        await self._http.start()

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Show new values; what is backfilled is older than what is here."""
        self._last.update((each.signal, each) for each in samples if not each.backfilled)

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return the metric of each point, a heading first."""
        return (("metric", "signal", "unit"), *((_name("value", each), each.signal, each.unit) for each in points))

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(tuple(self._points.values()))

    async def _show(self, _: Request) -> Response:
        return Response("".join(map(self._family, _FAMILIES)), media_type=metrics.TYPE)

    def _family(self, family: tuple[str, str, Callable[[Sample], float | int | Decimal | None]]) -> str:
        name, meaning, of = family
        return metrics.family(f"cosem_signal_{name}", meaning, self._samples(of))

    def _samples(self, of: Callable[[Sample], float | int | Decimal | None]) -> Iterator[metrics.Sample]:
        for signal, point in self._points.items():
            sample = self._last.get(signal)
            number = None if sample is None else of(sample)
            if sample is not None and number is not None:
                yield _labels(point, sample.unit), number


def _number(value: Plain) -> float | int | Decimal | None:
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    return value if isinstance(value, float) and math.isfinite(value) else None


def _value(sample: Sample) -> float | int | Decimal | None:
    return None if sample.quality & _UNTRUE else _number(sample.value)


_FAMILIES: Final[tuple[tuple[str, str, Callable[[Sample], float | int | Decimal | None]], ...]] = (
    ("value", "The last value, as long as it is true.", _value),
    ("good", "1 as long as nothing is against the value.", lambda sample: int(sample.quality == Quality.GOOD)),
    (
        "source_timestamp_seconds",
        "When the device measured it, by its clock.",
        lambda sample: None if sample.source_time is None else sample.source_time.timestamp(),
    ),
    ("timestamp_seconds", "When the gateway had it.", lambda sample: sample.gateway_time.timestamp()),
)


def _labels(point: Point, unit: str) -> dict[str, str]:
    return {"device": point.device, "signal": point.signal, "name": point.name, "unit": unit or point.unit}


def _name(family: str, point: Point) -> str:
    """Return what a point is called, as it stands in the text."""
    return metrics.shown(f"cosem_signal_{family}", _labels(point, ""))
