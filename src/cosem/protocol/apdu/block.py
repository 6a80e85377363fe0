"""Blocks of what is too long for one APDU: of a value or a list of values, or of any APDU (IEC 62056-5-3)."""

from __future__ import annotations

from enum import KEEP, IntFlag
from typing import Annotated, Final

from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.codec.schema import U16, U32, Enumeration, Int, OctetsForm, Tagged, Wire, wire


@wire()
class DataBlockG(Wire):
    """DataBlock-G: a block of a GET response; `result` holds raw octets, or the reason why there are none."""

    last_block: bool
    block_number: U32
    result: Annotated[
        bytes | DataAccessResult,
        Tagged(
            (0, "raw-data", OctetsForm(), None),
            (1, "data-access-result", Enumeration(DataAccessResult), DataAccessResult),
        ),
    ]


@wire()
class DataBlockSA(Wire):
    """DataBlock-SA: a block of a SET request, or of an ACTION request or response."""

    last_block: bool
    block_number: U32
    raw_data: bytes


WINDOW: Final = 0x3F
"""The bits of block-control that hold the window."""


class BlockControl(IntFlag, boundary=KEEP):
    """The first octet of a block of general block transfer; its low six bits are the window.

    `LAST_BLOCK` ends the APDU, or stands alone where nothing is carried. `STREAMING` says that the next block follows
    without waiting. The window is how many blocks the sender of this octet takes at once; 0 is one that takes none.
    """

    LAST_BLOCK = 0x80
    STREAMING = 0x40

    @property
    def window(self) -> int:
        """How many blocks the sender takes at once, 0 to 63."""
        return int(self) & WINDOW

    @property
    def text(self) -> str:
        """The octet in words."""
        names = [flag.name.lower().replace("_", "-") for flag in BlockControl if flag in self and flag.name]
        return f"0x{int(self):02X} ({', '.join((*names, f'window {self.window}'))})"


class _BlockControlForm(Int):
    def text(self, value: int) -> str:
        return BlockControl(value).text


@wire(tag=b"\xe0")
class GeneralBlockTransfer(Wire):
    """general-block-transfer: a block of any APDU, as it is after protection, and how far the other direction came.

    `block_number` counts the blocks of its sender from 1; `block_number_ack` is the last block that its sender has
    received without a gap before it, 0 for none. A block without `block_data` only says that.
    """

    block_control: Annotated[int, _BlockControlForm(1)]
    block_number: U16
    block_number_ack: U16
    block_data: bytes

    @property
    def control(self) -> BlockControl:
        """The first octet as flags."""
        return BlockControl(self.block_control)

    @property
    def last(self) -> bool:
        """True for the last block of an APDU, and for one that carries nothing."""
        return bool(self.block_control & BlockControl.LAST_BLOCK)

    @property
    def streaming(self) -> bool:
        """True when the next block follows without waiting."""
        return bool(self.block_control & BlockControl.STREAMING)

    @property
    def window(self) -> int:
        """How many blocks the sender takes at once."""
        return self.block_control & WINDOW
