"""A population: meters by number, each made when somebody comes to it and forgotten when nobody has come for long."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from cosem.errors import ConfigurationError
from cosem.fleet.counters import FleetCounters
from cosem.fleet.keys import FleetKeys
from cosem.fleet.kinds import KINDS, Kinds
from cosem.meter.associations import PUBLIC_ASSOCIATION, AssociationDescription
from cosem.meter.demo import MANAGEMENT_CLIENT
from cosem.meter.device import Meter, system_clock
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named

MOST_METERS: Final = 1_000_000_000
"""Names have nine digits for the number."""

MANUFACTURER: Final = "KFM"


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationLimits:
    """How many meters that nobody visits are held ready; of those that were changed, all are."""

    ready: int = 4096


class Population:
    """Meters from number 0 on. What is not remembered of one follows from its number, the seed and the time.

    Without `keys` client 16 reads everything of everybody, without authentication; with them client 1 manages each
    meter by HLS-GMAC and authenticated encryption, and client 16 is the public client.

    Args:
        count: how many.
        seed: other seeds give other measurements.
        kinds: the shares of each kind of meter, see `cosem.fleet.kinds`; households unless given.
        keys: where each meter has its keys from.
        zone: where all clocks are.
        clock: the true time.
        first_counter: where the invocation counters of meters begin.
        limits: how much is held ready.
    """

    def __init__(
        self,
        count: int,
        *,
        seed: int = 0,
        kinds: Kinds | None = None,
        keys: FleetKeys | None = None,
        zone: tzinfo = UTC,
        clock: Callable[[], datetime] = system_clock,
        first_counter: int = 0,
        limits: PopulationLimits | None = None,
    ) -> None:
        if not 0 < count <= MOST_METERS:
            raise ConfigurationError(f"a fleet has 1 to {MOST_METERS} meters, not {count}")
        self.count = count
        self.seed = seed
        self.keys = keys
        self.zone = zone
        self.clock = clock
        self.kinds = kinds or Kinds()
        self.counters = FleetCounters(count, first_counter)
        self._limits = limits or PopulationLimits()
        self._visited: dict[int, tuple[Meter, int]] = {}
        """Meters that somebody is at, and how many are."""
        self._ready: OrderedDict[int, Meter] = OrderedDict()
        self._changed: dict[int, Meter] = {}
        self._demonstration = _management(keys, b"") if keys is not None and keys.is_demonstration else None

    @property
    def is_demonstration(self) -> bool:
        """Whether everybody knows the keys."""
        return self.keys is not None and self.keys.is_demonstration

    def name(self, number: int) -> str:
        """Return the logical device name of a meter."""
        return f"{MANUFACTURER}1020{number:09}"

    def number(self, name: str) -> int | None:
        """Return which meter has a logical device name; None where none has."""
        digits = name.removeprefix(f"{MANUFACTURER}1020")
        if len(digits) != 9 or not digits.isdecimal():
            return None
        found = int(digits)
        return found if found < self.count and self.name(found) == name else None

    def title(self, number: int) -> bytes:
        """Return the system title of a meter."""
        return MANUFACTURER.encode() + int(self.name(number)[3:]).to_bytes(5, "big")

    @contextmanager
    def visit(self, number: int) -> Generator[Meter, None, None]:
        """Give a meter for as long as somebody is at it."""
        meter, visitors = self._visited.get(number) or (self._called(number), 0)
        self._visited[number] = (meter, visitors + 1)
        try:
            yield meter
        finally:
            meter, visitors = self._visited[number]
            if visitors > 1:
                self._visited[number] = (meter, visitors - 1)
            else:
                del self._visited[number]
                self._put_back(number, meter)

    def make(self, number: int) -> Meter:
        """Return a meter as it was when nobody had come to it yet."""
        if not 0 <= number < self.count:
            raise ConfigurationError(f"meter {number}: the fleet has the meters 0 to {self.count - 1}")
        meter = Meter(
            self.name(number),
            zone=self.zone,
            clock=self.clock,
            system_title=self.title(number),
            counters=self.counters.of(number),
        )
        KINDS[self.kinds.of(self.seed, number)](meter, self.seed + number)
        meter.offer(*self.associations(number))
        return meter

    def associations(self, number: int) -> tuple[AssociationDescription, ...]:
        """Return what a meter offers; nothing where it has none of its own."""
        if self.keys is None:
            return ()
        return PUBLIC_ASSOCIATION, self._demonstration or _management(self.keys, self.title(number))

    @property
    def visited(self) -> int:
        """How many meters somebody is at."""
        return len(self._visited)

    @property
    def ready(self) -> int:
        """How many meters are held ready that nobody is at and nobody changed."""
        return len(self._ready)

    @property
    def changed(self) -> int:
        """How many meters are held because somebody changed them."""
        return len(self._changed)

    def _called(self, number: int) -> Meter:
        return self._ready.pop(number, None) or self._changed.pop(number, None) or self.make(number)

    def _put_back(self, number: int, meter: Meter) -> None:
        meter.keep()
        if not meter.untouched:
            self._changed[number] = meter
            return
        self._ready[number] = meter
        while len(self._ready) > self._limits.ready:
            self._ready.popitem(last=False)


def _management(keys: FleetKeys, title: bytes) -> AssociationDescription:
    return AssociationDescription(
        client=MANAGEMENT_CLIENT,
        name="management",
        mechanism=named("gmac"),
        keys=keys.of(title),
        protection=AUTHENTICATED_ENCRYPTION,
        rights=Rights(Access.MANAGE),
    )


SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)


def first_counter(now: datetime) -> int:
    """Return where the counters of a fleet begin whose keys outlive it: above what it sent before, by one a second."""
    return max(0, (now - SINCE) // timedelta(seconds=1))
