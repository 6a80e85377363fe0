"""A simulated serial line: octets take their time bit for bit, and arrive as what the other end makes of them.

    near, far = line(world, 300, "7E1")
    await near.configure(9600, "7E1")        # when all that was written has left

Here a wrong speed, a wrong parity and a break are what they are on a wire; pseudo-terminals drop all three.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from cosem.errors import ConfigurationError
from cosem.io.simulated import Faults, SimulatedStream, World

MARK: Final = 0xFF
"""What an octet with an error is read as, where it is read at all."""

ERRORS: Final = ("parity_errors", "framing_errors", "breaks")


def line(
    world: World,
    baud: int = 9600,
    character_format: str = "8N1",
    faults: Faults | None = None,
    *,
    latency: float = 0.0,
    echo: bool = False,
) -> tuple[SimulatedLine, SimulatedLine]:
    """Lay a serial line and return its two ends; with `echo` each end hears itself, as on two wires."""
    ends = [SimulatedLine(world, name, faults or Faults(), latency, baud, character_format, echo=echo) for name in "ab"]
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    return ends[0], ends[1]


class SimulatedLine(SimulatedStream):
    """One end of a simulated serial line. `counters` tells the errors it has heard: those of `ERRORS`."""

    def __init__(
        self, world: World, name: str, faults: Faults, latency: float, baud: int, character_format: str, *, echo: bool
    ) -> None:
        super().__init__(world, name, faults, latency, 0.0, datagrams=False)
        self.line = (baud, _checked(character_format))
        self.counters: Counter[str] = Counter(dict.fromkeys(ERRORS, 0))
        self._echo = echo
        self._busy = 0.0

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        wanted = _checked(character_format)
        await self._drain()
        self.line = (baud, wanted)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._drain()
        self._busy = self._world.now() + seconds
        self._world.record(self.name, f"break {seconds!r}")
        self._world.at(self._busy + self.latency, lambda: self._heard_by_peer(seconds))
        await self._drain()

    def _heard_by_peer(self, seconds: float) -> None:
        peer = self.peer
        assert isinstance(peer, SimulatedLine)
        baud, character_format = peer.line
        if seconds >= len(_bits(0, character_format)) / baud:
            peer.counters["breaks"] += 1

    async def _drain(self) -> None:
        await self._world.sleep(max(self._busy - self._world.now(), 0.0))

    def _deliver_later(self, octets: bytes, *, in_order: bool) -> None:
        """Send octet by octet; what overtakes others on a network does not on a wire."""
        baud, character_format = self.line
        begins = max(self._busy, self._world.now())
        for octet in octets:
            bits = _bits(octet, character_format)
            begins += len(bits) / baud
            self._schedule(begins, bits, baud)
        self._busy = begins

    def _schedule(self, when: float, bits: str, baud: int) -> None:
        ends = (self.peer, self) if self._echo else (self.peer,)
        for end in ends:
            assert isinstance(end, SimulatedLine)
            hearing = end
            self._world.at(when + self.latency, lambda hearing=hearing: hearing._hear(bits, baud))  # type: ignore[misc]

    def _arrival(self, *, in_order: bool) -> float:
        return max(super()._arrival(in_order=in_order), self._busy + self.latency)

    def _hear(self, bits: str, baud: int) -> None:
        own_baud, character_format = self.line
        if baud != own_baud:
            self.counters["framing_errors"] += 1
            self._deliver(bytes((MARK,)))
            return
        octet, error = _octet(bits, character_format)
        if error:
            self.counters[error] += 1
        self._deliver(bytes((octet,)))


def _checked(character_format: str) -> str:
    wanted = character_format.upper()
    if len(wanted) != 3 or wanted[0] not in "78" or wanted[1] not in "NEOMS" or wanted[2] not in "12":
        raise ConfigurationError(f"{character_format!r} is no character format; write for example 8N1 or 7E1")
    return wanted


def _bits(octet: int, character_format: str) -> str:
    """Return the bits of a character as they go over the wire: start, data with the lowest first, parity, stop."""
    count = int(character_format[0])
    data = f"{octet:08b}"[::-1][:count]
    return f"0{data}{_parity(data, character_format[1])}{'1' * int(character_format[2])}"


def _parity(data: str, kind: str) -> str:
    ones = data.count("1") % 2
    return {"N": "", "E": str(ones), "O": str(1 - ones), "M": "1", "S": "0"}[kind]


def _octet(bits: str, character_format: str) -> tuple[int, str]:
    """Return what an end with that format makes of bits from the wire, and the name of its error or nothing."""
    count = int(character_format[0])
    idle = bits + "1" * 4  # after a character the line is at rest
    data, rest = idle[1 : 1 + count], idle[1 + count :]
    parity = _parity(data, character_format[1])
    if rest[len(parity)] != "1":
        return MARK, "framing_errors"
    if rest[: len(parity)] != parity:
        return MARK, "parity_errors"
    return int(data[::-1], 2), ""
