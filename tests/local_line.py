"""A simulated optical line: reader and meter of IEC 62056-21 joined by a wire that knows speed and character format.

Octets take their time, and arrive as noise where the two ends run at different speeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import ClientEvent
from cosem.protocol.iec21.outbox import LineChange
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import (
    BinaryWanted,
    CommandReceived,
    ProgrammingWanted,
    ReadoutWanted,
    ServerEvent,
)

NOISE = 0x78
PIECE = 7
"""Octets that arrive at once."""
Damage = Callable[[bytes], bytes]


class Line:
    """Runs both engines until a time, or until nothing is left to happen.

    `answers` gives the data of a readout by option, and answers commands: bytes, None for ACK, a text to refuse with.
    """

    def __init__(self, unit: HandHeldUnit, device: TariffDevice, answers: Callable[[Any], Any]) -> None:
        self.unit = unit
        self.device = device
        self.answers = answers
        self.now = 0.0
        self.lines = {True: LineChange(300, "7E1"), False: LineChange(300, "7E1")}
        self.busy = {True: 0.0, False: 0.0}
        self.travelling: list[tuple[float, bool, bytes, LineChange]] = []
        self.sent: list[tuple[bool, bytes | LineChange, float]] = []
        self.heard: list[ClientEvent] = []
        self.wanted: list[ServerEvent] = []
        self.to_meter: Damage = bytes
        self.to_reader: Damage = bytes
        self.echoes = False

    def run(self, until: float = 1000.0) -> None:
        """Let things happen."""
        for _ in range(200_000):
            self._collect()
            due = [each for each in (self.unit.deadline(), self.device.deadline()) if each is not None]
            due += [each[0] for each in self.travelling]
            if not due or min(due) > until:
                self.now = max(self.now, until) if due else self.now
                return
            self.now = max(self.now, min(due))
            arrived = [each for each in self.travelling if each[0] <= self.now]
            self.travelling = [each for each in self.travelling if each[0] > self.now]
            for _, by_reader, octets, line in arrived:
                self._deliver(by_reader, octets, line)
            self.unit.tick(self.now)
            self.device.tick(self.now)
        raise AssertionError("no end")

    def said(self, by_reader: bool) -> bytes:
        """Return all octets that one end has sent."""
        return b"".join(each for who, each, _ in self.sent if who is by_reader and isinstance(each, bytes))

    def changes(self, by_reader: bool) -> list[LineChange]:
        return [each for who, each, _ in self.sent if who is by_reader and isinstance(each, LineChange)]

    def _collect(self) -> None:
        for _ in range(20):
            quiet = True
            for by_reader, engine in ((True, self.unit), (False, self.device)):
                for item in engine.outgoing():
                    quiet = False
                    self._send(by_reader, item)
            self.heard += self.unit.events()
            for event in self.device.events():
                quiet = False
                self.wanted.append(event)
                self._serve(event)
            if quiet:
                return

    def _send(self, by_reader: bool, item: bytes | LineChange) -> None:
        begins = max(self.now, self.busy[by_reader])
        self.sent.append((by_reader, item, begins))
        if isinstance(item, LineChange):
            self.lines[by_reader] = item
            return
        ends = begins + len(item) * 10 / self.lines[by_reader].baud
        self.busy[by_reader] = ends
        octets = (self.to_meter if by_reader else self.to_reader)(item)
        for start in range(0, len(octets), PIECE):
            piece = octets[start : start + PIECE]
            arrives = min(begins + (start + len(piece)) * 10 / self.lines[by_reader].baud, ends)
            self.travelling.append((arrives, by_reader, piece, self.lines[by_reader]))
        if self.echoes and by_reader:
            self.travelling.append((ends, False, item, self.lines[True]))

    def _deliver(self, by_reader: bool, octets: bytes, line: LineChange) -> None:
        own = self.lines[not by_reader]
        if own != line:
            octets = bytes((NOISE,)) * (len(octets) * own.baud // line.baud)
        if octets:
            (self.device if by_reader else self.unit).receive(octets, self.now)

    def _serve(self, event: ServerEvent) -> None:
        device = self.device
        if isinstance(event, ReadoutWanted):
            device.readout(self.answers(event.option), self.now)
        elif isinstance(event, ProgrammingWanted):
            device.enter(b"1234567", self.now)
        elif isinstance(event, CommandReceived):
            answer = self.answers(event.command)
            if answer is None:
                device.acknowledge(self.now)
            elif isinstance(answer, bytes):
                device.answer(answer, self.now)
            else:
                device.refuse(answer, self.now)
        elif isinstance(event, BinaryWanted):
            self._collect_quietly()

    def _collect_quietly(self) -> None:
        for item in self.device.outgoing():
            self._send(False, item)
