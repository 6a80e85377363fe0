"""Which invocation an APDU belongs to and whether it wants an answer, decoded or not."""

from __future__ import annotations

import pytest

from cosem.protocol import apdu as apdus
from cosem.protocol.association.services import invoke_id, is_confirmed, is_unconfirmed

# Written out by hand along IEC 62056-5-3: bits 0 to 3 and 6 of Invoke-Id-And-Priority, 0 to 23 and 30 of the long one.
EXAMPLES = {
    "C001C100080000010000FF0200": (1, True),
    "C0018100080000010000FF0200": (1, False),
    "C101C500080000010000FF02001100": (5, True),
    "C3014100460000600300FF01010F00": (1, True),
    "C3010100460000600300FF01010F00": (1, False),
    "C401C10011 07": (1, True),
    "C50141 00": (1, True),
    "C70142 00 00": (2, True),
    "D94000000000010100080000010000FF020100": (0, True),
    "D98000000100010100080000010000FF020100": (1, False),
    "DAC00003EF00 00 0100 010200": (0x3EF, True),
    "0F00000001 00 1107": (1, False),
    "0F40ABCDEF 00 1107": (0xABCDEF, True),
    "C200 0001 0000600100FF 02 1107": (None, False),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_apdu_says_which_invocation_it_belongs_to_and_whether_it_wants_an_answer(text: str) -> None:
    octets = bytes.fromhex(text)
    number, confirmed = EXAMPLES[text]
    apdu = apdus.decode(octets)
    assert invoke_id(apdu) == number
    assert is_confirmed(apdu) is confirmed
    assert is_unconfirmed(octets) is not confirmed


@pytest.mark.parametrize("text", ["C0", "C001", "C101", "D9", "0F", "FF", "60"])
def test_octets_that_say_nothing_want_an_answer(text: str) -> None:
    assert not is_unconfirmed(bytes.fromhex(text))
