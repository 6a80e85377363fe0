"""What meters say in lines of text: IEC 62056-21, P1 telegrams and the French TIC, without I/O.

A reader takes the octets of a line as they come, in pieces of any size, and hands over what they say, as the engines of
a link do (see `cosem.protocol.link`):

    reader.receive(octets, now)      what the stream read
    reader.events()                  telegrams, and what was no telegram, in order; each is handed over once
    reader.deadline()                when `tick` wants to be called, or None
    reader.tick(now)                 time has passed
    reader.finish()                  no more octets will come
"""

from __future__ import annotations

from dataclasses import dataclass

from cosem.errors import CosemError


@dataclass(frozen=True, slots=True)
class Discarded:
    """Octets that were no telegram, or only a part of one, and why."""

    octets: bytes
    error: CosemError


__all__ = ["Discarded"]
