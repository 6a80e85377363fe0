"""What a probe ends with: how to talk to a meter and how it is, or the layer that failed and the likeliest causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cosem.client.recognise import Speech
from cosem.errors import CosemError
from cosem.protocol.association.meanings import Meaning
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

READ: Final = "read"
LISTEN: Final = "listen"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a meter says it is, as far as it lets this client know."""

    logical_device_name: str | None = None
    maker: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How to talk to a meter, what it is, how it is, and what it lets this client read.

    Attributes:
        url: the connection URL.
        speech: what it speaks.
        options: what `cosem read` needs besides the URL, such as `--naming sn`.
        given: the access that was given is what it needs.
        entered: an association was opened; else `refused` says why not.
        objects, readable: how many objects it lists, and how many of their attributes this client may read; of a
            readout how many lines it has.
        health: error and alarm objects with their values, by OBIS code.
        clock: how far the meter's clock is ahead, None where that is not known.
        command: the verb that goes on from here; "" where the meter pushes and answers nobody.
        note: what else there is to say.
    """

    url: ConnectionUrl
    speech: Speech
    options: tuple[str, ...] = ()
    given: bool = False
    entered: bool = False
    refused: CosemError | None = None
    identity: Identity = field(default_factory=Identity)
    objects: int | None = None
    readable: int | None = None
    health: tuple[tuple[Obis, object], ...] = ()
    clock: timedelta | None = None
    command: str = READ
    note: str = ""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The layer that failed, what it means, and what was heard all the same."""

    layer: str
    meaning: Meaning
    heard: tuple[Speech, ...] = ()


NOTHING_ON_IP: Final = Meaning(
    "the place takes connections, and nothing that we know was answered",
    (
        "another client holds the meter behind a modem or a serial server: they take one at a time",
        "its address is none of the usual ones, as where it follows from the serial number",
        "its clients and messages are all secret: it answers to protected messages only",
    ),
    "the addresses in the URL as the owner of the meter gives them; the settings of the serial server",
)
NOTHING_ON_A_LINE: Final = Meaning(
    "nothing came over the line",
    (
        "the head is not where the meter's is, or is upside down; A and B, or RX and TX, are interchanged",
        "the address is none of the usual ones, as where it follows from the serial number",
        "the meter must be woken or its port enabled first, with a button or a seal",
    ),
    "the head or the cable; then the addresses in the URL as the owner of the meter gives them",
)
NOISE: Final = Meaning(
    "something is said, and it makes no sense to us",
    (
        "speed or character format are others, and a serial server in between has its own",
        "the head is askew, or the sun shines on it",
        "it speaks a protocol of its own",
    ),
    "the settings of the serial server; cosem listen --raw, to look at the octets",
)
