"""A readout: what a meter has sent of itself, each line with its own verdict, and what vouches for the whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from cosem.errors import DecodeError
from cosem.protocol.iec21.message import STX, Block, BlockCheck, Check, Identification
from cosem.protocol.iec21.reader import Checked, MessageReader, without_parity
from cosem.protocol.iec21.settings import Settings
from cosem.protocol.iec21.telegram import DataSet, data_sets
from cosem.protocol.values.obis import Obis


@dataclass(frozen=True, slots=True)
class Readout:
    """One readout. `octets` are its data lines as they were sent; `identification` None where it is not known.

    With a `fault` none of the values may be believed: the block check is wrong. Otherwise each of the `sets` has its
    own `error`, or none.
    """

    identification: Identification | None
    sets: tuple[DataSet, ...]
    octets: bytes
    check: Check
    fault: DecodeError | None = None

    @classmethod
    def of(
        cls, identification: Identification | None, data: bytes, check: Check, fault: DecodeError | None = None
    ) -> Readout:
        """Make one of the data that a meter has sent."""
        octets = _END.sub(b"", data)
        return cls(identification, tuple(data_sets(octets)), octets, check, fault)

    def find(self, wanted: Obis | str) -> DataSet | None:
        """Return the first sound set with an address, as an OBIS code or as the meter writes it."""
        if self.fault is not None:
            return None
        for each in self.sets:
            if each.error is None and (each.address == wanted or (isinstance(wanted, Obis) and each.obis == wanted)):
                return each
        return None


def parse(octets: bytes, block_check: BlockCheck = BlockCheck.XOR) -> Readout:
    """Read what was recorded of a readout: with identification, frame and block check, or without any of them.

    Where there is no check, each line stands for itself. Never raises.
    """
    if max(octets, default=0) >= 0x80:
        octets = without_parity(octets)
    reader = MessageReader(Counter(), Settings(block_check=block_check, block_octets=max(len(octets) + 1, 8)))
    reader.feed(octets)
    start = octets.find(b"/")
    begins = octets.startswith(b"/") or (start > 0 and octets[start - 1 : start] == b"\n")
    identification = reader.identification() if begins else None
    while reader.holds(STX) and (message := reader.message()) is not None:
        if isinstance(message, Checked) and isinstance(message.message, Block):
            return Readout.of(identification, message.message.data, message.check, message.fault)
    rest = reader.remains()
    end = _LAST_LINE.search(rest)
    lines = rest if end is None else rest[: end.start()]
    return Readout.of(identification, lines.strip(b"\x02\x03"), Check.ABSENT)


_END: Final = re.compile(rb"!\r?\n?\Z")
_LAST_LINE: Final = re.compile(rb"(?:\A|(?<=\n))!\r?\n")
