"""A half-duplex wire with any number of stations on it: what one says all others hear, and two at once collide."""

from __future__ import annotations

from typing import Final

from cosem.io.simulated import Faults, SimulatedStream, World

PIECE: Final = 0.1
"""Seconds whose octets are delivered together, when the last of them has been sent."""


class Wire:
    """A wire of a world, `baud` fast at ten bits an octet; `echo` lets each station hear itself.

    `turnaround` is how long a station needs before its first octet. `collisions` counts writes while another spoke,
    `octets` and `busy` what went over the wire and how long that took.
    """

    def __init__(self, world: World, *, baud: int = 9600, turnaround: float = 0.02, echo: bool = False) -> None:
        self.world = world
        self.octet_time = 10 / baud
        self.turnaround = turnaround
        self.echo = echo
        self.stations: list[Station] = []
        self.octets = 0
        self.turns = 0
        self.collisions = 0
        self.idle_before: list[float] = []
        self._speaker: Station | None = None
        self._until = 0.0

    def station(self) -> Station:
        station = Station(self, f"station {len(self.stations)}")
        self.stations.append(station)
        return station

    def carry(self, speaker: Station, octets: bytes) -> None:
        now = self.world.now()
        if now < self._until and self._speaker is not speaker:
            self.collisions += 1
        if self._speaker is not speaker or now >= self._until:
            self.turns += 1
            self.idle_before.append(now - self._until)
            self._until = max(self._until, now + self.turnaround)
        self._speaker = speaker
        self.octets += len(octets)
        size = max(1, int(PIECE / self.octet_time))
        for at in range(0, len(octets), size):
            piece = octets[at : at + size]
            self._until += len(piece) * self.octet_time
            for station in self.stations:
                if station is not speaker or self.echo:
                    self.world.at(self._until, lambda station=station, piece=piece: station.hear(piece))  # type: ignore[misc]


class Station(SimulatedStream):
    """The stream of one station; it closes without the others noticing."""

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__(wire.world, name, Faults(), 0.0, 0.0, datagrams=False)
        self.wire = wire
        self.peer = self

    async def close(self) -> None:
        self._end("closed here")

    def hear(self, octets: bytes) -> None:
        self._deliver(octets)

    def _send(self, octets: bytes) -> None:
        self.wire.carry(self, octets)
