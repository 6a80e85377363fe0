"""Parity made and checked in software, for lines that stay 8N1 whatever they are asked for."""

from __future__ import annotations

from typing import Final

from cosem.errors import ConfigurationError, TimedOut
from cosem.io.stream import LineStream, Stream
from cosem.protocol.profile.address import SOFTWARE_FORMATS

MARK: Final = 0xFF
"""What an octet of wrong parity is read as; no octet of a format with seven bits is that."""

PLAIN: Final = "8N1"


class SoftwareParity:
    """A LineStream that makes 7E1 and its kin out of a stream of octets: the eighth bit is the parity.

    It is added to what is written, and checked and taken away from what is read. An octet of wrong parity is counted in
    `parity_errors` and read as `MARK`: what had an error must not be taken for data, nor must it go missing. In the
    format 8N1 octets pass as they are. Where the stream below is a line its speed is changed, and its format never.
    Raises ConfigurationError for a format with more bits than eight and no parity.
    """

    def __init__(self, stream: Stream, character_format: str = "7E1") -> None:
        self.stream = stream
        self.octets = 0
        """How many octets were read in a format with parity."""
        self.parity_errors = 0
        self.character_format = ""
        self._use(character_format)

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self.stream.read(deadline)
        if self.character_format == PLAIN:
            return octets
        plain = octets.translate(self._checked)
        self.octets += len(plain)
        self.parity_errors += plain.count(MARK)
        return plain

    async def write(self, octets: bytes, /) -> None:
        await self.stream.write(octets if self.character_format == PLAIN else octets.translate(self._made))

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = PLAIN, /) -> None:
        wanted = _known(character_format)
        if isinstance(self.stream, LineStream):
            await self.stream.configure(baud, PLAIN)
        self._use(wanted)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        if not isinstance(self.stream, LineStream):
            raise ConfigurationError("there is no serial line here that could be held in a break")
        await self.stream.send_break(seconds)

    def explain(self, error: TimedOut, /) -> TimedOut:
        """Wrong parities suggest another format, or that the line is not fixed at all."""
        if not self.parity_errors:
            return error
        why = (
            f"{self.parity_errors} of {self.octets} octets had the wrong parity for {self.character_format}: "
            "try another format or baud, and leave parity=software out if the line is not fixed at 8N1"
        )
        return TimedOut(error.phase, error.seconds, why)

    def _use(self, character_format: str) -> None:
        self.character_format = _known(character_format)
        parity = self.character_format[1]
        if self.character_format != PLAIN:
            with_parity = [_with_parity(octet & 0x7F, parity) for octet in range(256)]
            self._made = bytes(with_parity)
            self._checked = bytes(octet & 0x7F if octet == with_parity[octet] else MARK for octet in range(256))


def _known(character_format: str) -> str:
    wanted = character_format.upper()
    if wanted not in SOFTWARE_FORMATS:
        raise ConfigurationError(
            f"a line that stays 8N1 cannot carry {character_format}, but {', '.join(sorted(SOFTWARE_FORMATS))}"
        )
    return wanted


def _with_parity(octet: int, parity: str) -> int:
    ones = octet.bit_count() % 2
    return octet | {"E": ones, "O": 1 - ones, "M": 1, "S": 0}[parity] << 7
