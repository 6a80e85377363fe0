"""Outputs: each a small class that is told the points it shows, takes samples, and hands commands over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cosem.errors import CosemError
from cosem.gateway.value import Command, CommandResult, NumberType, Sample

Obey: TypeAlias = Callable[[Command], Awaitable[CommandResult]]
"""Carries a command out, through the one choke point that allows, audits and refuses."""


async def carried_out(obey: Obey | None, command: Command) -> CommandResult:
    """Carry a command out; what goes wrong with it is its result."""
    assert obey is not None, "started"
    try:
        return await obey(command)
    except CosemError as error:
        return CommandResult(False, str(error))


@dataclass(frozen=True, slots=True)
class Point:
    """One signal as an output needs to know it.

    Attributes:
        signal, device: aliases. name: what people call it.
        number_type: how it goes out.
        unit: as text. writable: whether commands to it are taken.
        topic, register, ioa, node: where it is in MQTT, Modbus, IEC 104 and OPC UA; None lets the output choose.
        select: seconds within which it is operated after it was selected, where the protocol has that; 0 leaves the
            choice to the output.
    """

    signal: str
    device: str
    name: str
    number_type: NumberType
    unit: str = ""
    writable: bool = False
    topic: str | None = None
    register: int | None = None
    ioa: int | None = None
    node: str | None = None
    select: int = 0


class Output(Protocol):
    """What the gateway asks of every output. All run on one event loop; none may hold it up."""

    buffered: bool
    """Whether samples must be kept on disk until `publish` has returned, as to a broker that may be away."""

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to serve or to connect. Raises ConfigurationError or ConnectionFailed."""
        ...

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Hand samples over, in order; returns when they are delivered. Raises TransportError when they are not."""
        ...

    async def close(self) -> None:
        """Let go of everything; a second call does nothing."""
        ...

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return where some points would be, a heading and a row each, as it is printed for whoever reads from it.

        Nothing is started for it. Raises ConfigurationError as `start` does.
        """
        ...

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of the points that it was started with; the heading alone before."""
        ...
