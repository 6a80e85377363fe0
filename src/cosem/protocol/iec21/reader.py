"""Finds messages in the octets of a line, whatever stands between them, and says what vouches for each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from cosem.errors import DecodeError
from cosem.protocol.iec21.message import (
    ACK,
    EOT,
    ETX,
    LAYER,
    NAK,
    SOH,
    STX,
    Acknowledgement,
    Block,
    BlockCheck,
    Check,
    Command,
    Identification,
    SignOn,
)
from cosem.protocol.iec21.settings import Settings

L = TypeVar("L", Identification, SignOn)


@dataclass(frozen=True, slots=True)
class Signal:
    """A single control character: ACK or NAK."""

    octet: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A block or a command, and what vouches for it; `fault` says what is wrong with it."""

    message: Block | Command
    check: Check
    fault: DecodeError | None = field(default=None, compare=False)


Message: TypeAlias = Checked | Signal


class MessageReader:
    """Takes octets in pieces of any size; who reads says which kind of message comes next.

    What is no message is skipped and counted: `skipped_octets`, `bad_lines`. `fault` is the last one found wrong. The
    memory is bounded by the settings.
    """

    def __init__(self, counters: Counter[str], settings: Settings) -> None:
        self.fault: DecodeError | None = None
        self._counters = counters
        self._settings = settings
        self._buffer = bytearray()
        self._at = 0  # up to where the buffer holds no end of the message under way
        self._even = False  # octets carry an even parity bit, as a line of 8N1 reads those of one of 7E1

    def feed(self, octets: bytes) -> None:
        """Take octets."""
        self._buffer += self._stripped(octets) if self._even else octets

    def clear(self) -> None:
        """Forget what has come."""
        self._buffer.clear()
        self._at = 0
        self.fault = None

    @property
    def partial(self) -> bool:
        """Whether a message may be under way."""
        return bool(self._buffer)

    def holds(self, octet: int) -> bool:
        """Tell whether an octet is among those that have come."""
        return octet in self._buffer

    def take(self, count: int) -> bytes:
        """Take the first octets as they are."""
        octets = bytes(self._buffer[:count])
        self._drop(count)
        return octets

    def remains(self) -> bytes:
        """Take all that has come, as it is."""
        return self.take(len(self._buffer))

    def identification(self) -> Identification | None:
        """Return the next identification; requests, which a head may echo, are skipped."""
        return self._line(Identification)

    def call(self) -> bool | None:
        """Tell whether a request is the next that stands here; None where that cannot be told yet."""
        begin, call = _BEGIN.search(self._buffer), _CALL.search(self._buffer)
        if call is None or (begin is not None and begin.start() < call.start()):
            return False
        return None if len(call[0]) == 1 else True

    def sign_on(self) -> SignOn | None:
        """Return the next request."""
        return self._line(SignOn)

    def acknowledgement(self) -> Acknowledgement | None:
        """Return the next option select message."""
        while True:
            self._skip_to(_ACKNOWLEDGE)
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > _ACKNOWLEDGEMENT_OCTETS:
                    self._refuse(DecodeError("an option select is ACK, three characters, CR and LF", 0, layer=LAYER))
                    continue
                return None
            try:
                found = Acknowledgement.decode(bytes(self._buffer[: end + 1]))
            except DecodeError as error:
                self._refuse(error)
                continue
            self._drop(end + 1)
            return found

    def message(self) -> Message | None:
        """Return the next block, command, ACK or NAK.

        Raises:
            DecodeError: a block is longer than `block_octets`, or has no end.
        """
        self._skip_to(_BEGIN)
        if not self._buffer:
            return None
        if self._buffer[0] in (ACK, NAK):
            return Signal(self.take(1)[0])
        found = _FINISH.search(self._buffer, max(self._at, 1))
        size = len(self._buffer) if found is None else found.end()
        if size > self._settings.block_octets:
            self._drop(size)
            raise DecodeError(
                f"a block of more than {self._settings.block_octets} octets: it never stops, or its end was lost",
                self._settings.block_octets,
                layer=LAYER,
            )
        if found is None:
            self._at = size
            return None
        checked = self._settings.block_check is not BlockCheck.ABSENT
        self._at = size - 1
        if checked and len(self._buffer) == size:
            return None  # the check is on its way
        return self._checked(size, checked)

    def unfinished(self) -> Message | None:
        """Return the block whose rest will not come: one that lacks nothing but its check, or its last character too.

        It counts as wrong, unless the block check is left out here; None where there is no such block.
        """
        self._skip_to(_BEGIN)
        if not self._buffer or self._buffer[0] in (ACK, NAK):
            return None
        found = _FINISH.search(self._buffer)
        if found is not None and found.end() == len(self._buffer):
            return self._checked(found.end(), False)
        if self._buffer[0] == STX and _LAST_LINE.search(self._buffer):
            data = bytes(self._buffer[1:])
            self._drop(len(self._buffer))
            self._counters["blocks_without_end"] += 1
            if self._settings.block_check is BlockCheck.ABSENT:
                return Checked(Block(data), Check.ABSENT)
            return Checked(Block(data), Check.WRONG, DecodeError("the block has no ETX", len(data), layer=LAYER))
        return None

    def lines(self) -> Block | None:
        """Return lines up to one that begins with `!`, as mode D sends them without STX and check.

        Raises:
            DecodeError: they are longer than `block_octets`.
        """
        found = _LAST_LINE.search(self._buffer, max(self._at - 4, 0))
        size = len(self._buffer) if found is None else found.end()
        if size > self._settings.block_octets:
            self._drop(size)
            raise DecodeError(
                f"more than {self._settings.block_octets} octets without a line that begins with !", size, layer=LAYER
            )
        if found is None:
            self._at = size
            return None
        return Block(self.take(size))

    def _checked(self, size: int, checked: bool) -> Message:
        octets = bytes(self._buffer[:size])
        stated = bytes(self._buffer[size : size + 1]) if checked else b""
        self._drop(size + len(stated))
        check, fault = self._judge(octets, stated)
        last = octets[-1] == ETX
        if octets[0] == STX:
            return Checked(Block(octets[1:-1], last), check, fault)
        try:
            return Checked(Command.decode(octets[1:-1], last), check, fault)
        except DecodeError as error:
            self._counters["bad_commands"] += 1
            self.fault = error
            return Checked(Block(b"", last), Check.WRONG, error)

    def _judge(self, octets: bytes, stated: bytes) -> tuple[Check, DecodeError | None]:
        kind = self._settings.block_check
        if kind is BlockCheck.ABSENT:
            return Check.ABSENT, None
        computed = kind.of(octets)
        if stated and stated[0] & 0x7F == computed[0]:
            return Check.RIGHT, None
        self._counters["wrong_block_checks"] += 1
        said = f"says {stated[0]:02X}" if stated else "is missing"
        self.fault = DecodeError(f"the block check {said}, the octets give {computed[0]:02X}", len(octets), layer=LAYER)
        return Check.WRONG, self.fault

    def _stripped(self, octets: bytes) -> bytes:
        """Take the parity off; what has the wrong one becomes an octet that no message has."""
        plain = octets.translate(_EVEN_PARITY)
        self._counters["parity_errors"] += plain.count(_DAMAGED)
        return plain

    def _line(self, kind: type[L]) -> L | None:
        limit = self._settings.line_octets
        while True:
            self._skip_to(_SLASH)
            if self._buffer.startswith(_SLASH_WITH_PARITY):
                self._even = True
                self._counters["parity_stripped"] += 1
                self._buffer[:] = self._stripped(bytes(self._buffer))
            end = self._buffer.find(b"\n", 0, limit + 1)
            if end < 0:
                if len(self._buffer) > limit:
                    self._refuse(DecodeError(f"a line of more than {limit} octets", limit, layer=LAYER))
                    continue
                return None
            if end + 1 > limit:
                self._refuse(DecodeError(f"a line of more than {limit} octets", limit, layer=LAYER))
                continue
            line = bytes(self._buffer[: end + 1])
            again = line.rfind(b"/", 1)  # noise may have looked like a beginning
            try:
                found = kind.decode(line)
            except DecodeError as error:
                if again > 0:
                    self._counters["skipped_octets"] += again
                    self._drop(again)
                    continue
                if not line.startswith(b"/?"):
                    self.fault = error
                    self._counters["bad_lines"] += 1
                self._drop(end + 1)
                continue
            self._drop(end + 1)
            return found

    def _refuse(self, error: DecodeError) -> None:
        """Go on behind the first octet, which began nothing."""
        self.fault = error
        self._counters["bad_lines"] += 1
        self._counters["skipped_octets"] += 1
        self._drop(1)

    def _skip_to(self, beginning: re.Pattern[bytes]) -> None:
        found = beginning.search(self._buffer)
        count = len(self._buffer) if found is None else found.start()
        if count:
            self._counters["skipped_octets"] += count
            self._drop(count)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at = 0


def without_parity(octets: bytes) -> bytes:
    """Return octets without their even parity bits, or as they are where it is none in all of them."""
    plain = octets.translate(_EVEN_PARITY)
    return octets if _DAMAGED in plain else plain


def with_parity(octets: bytes) -> bytes:
    """Return characters of seven bits with an even parity bit in bit 7, as a line of eight bits carries them."""
    return bytes(octet | (octet.bit_count() % 2) << 7 for octet in octets)


_ACKNOWLEDGEMENT_OCTETS: Final = 6
_SLASH: Final = re.compile(rb"/|\xaf")
_SLASH_WITH_PARITY: Final = b"\xaf"
_CALL: Final = re.compile(rb"/\?|\xaf\x3f|[/\xaf]\Z")
"""What a request begins with, with the parity of 7E1 or without, or the first octet of that."""
_DAMAGED: Final = b"\xff"
_EVEN_PARITY: Final = bytes(octet & 0x7F if octet.bit_count() % 2 == 0 else _DAMAGED[0] for octet in range(256))
_ACKNOWLEDGE: Final = re.compile(rb"\x06")
_BEGIN: Final = re.compile(bytes((0x5B, SOH, STX, ACK, NAK, 0x5D)))
_FINISH: Final = re.compile(bytes((0x5B, ETX, EOT, 0x5D)))
_LAST_LINE: Final = re.compile(rb"(?:\A|(?<=\n))!\r?\n")
