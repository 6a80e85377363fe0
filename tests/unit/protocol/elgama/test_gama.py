"""The way into a GAMA at its optical head, said by our reader of IEC 62056-21."""

from __future__ import annotations

from cosem.protocol.elgama import gama
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.message import Option
from cosem.protocol.iec21.settings import ClientSettings

IDENTIFICATION = b"/EGM5\\2GAMA300\r\n"
"""Mode E, 9600 baud; the letters are those of Elgama."""


def test_the_sign_on_in_mode_e_is_the_one_that_readers_of_gama_send() -> None:
    unit = HandHeldUnit(ClientSettings(switches=False))
    unit.sign_on(0.0, Option.BINARY)
    assert b"".join(each for each in unit.outgoing() if isinstance(each, bytes)) == gama.SIGN_ON
    unit.receive(IDENTIFICATION, 1.0)
    unit.tick(2.0)
    assert b"".join(each for each in unit.outgoing() if isinstance(each, bytes)) == gama.ACKNOWLEDGEMENT
