"""What speaks on a line is told from a few octets, and never from those that we sent."""

from __future__ import annotations

import pytest

from cosem.client.recognise import Speech, recognise
from cosem.protocol.iec21.message import Identification

SNRM = bytes.fromhex("7EA00703219352A77E")
UA = bytes.fromhex("7EA0072103731D0F7E")


@pytest.mark.parametrize(
    ("octets", "speech"),
    [
        ("7EA02A410883130413E6E7000F40000000000101020309060100010700FF0600002B2A02020F00161BE6BC7E", Speech.HDLC),
        ("0001000100100005C401810000", Speech.WRAPPER),
        ("1B1B1B1B01010101760700", Speech.SML),
        ("06EE0000000001004DE1", Speech.C12_18),
        ("100B01000C16", Speech.IEC_102),
        ("6803036808017278EB16"[:-4] + "F316", Speech.NOISE),  # a wrong checksum
        ("68030368080172" + "7B16", Speech.MBUS),
        ("01AB019EF0", Speech.MODBUS),
        ("01AB019EF1", Speech.NOISE),  # a wrong check
        ("434D0000000301AB01", Speech.MODBUS),
        ("434D0000000401AB01", Speech.NOISE),  # a wrong length
        ("15030100020246", Speech.TLS),
        (b"HTTP/1.0 400".hex(), Speech.HTTP),
        (b"SSH-2.0-x".hex(), Speech.SSH),
        (b"/KFM5MT100\r\n".hex(), Speech.IDENTIFICATION),
        (b"\x02\nADCO 012345678901 B\r".hex(), Speech.TIC),
        (b"1.8.0(000123.4*kWh)\r\n".hex(), Speech.READOUT),
        ("00FF5A", Speech.NOISE),
    ],
)
def test_what_octets_are(octets: str, speech: Speech) -> None:
    found = recognise(bytes.fromhex(octets))
    assert found is not None
    assert found.speech is speech


def test_nothing_is_nothing() -> None:
    assert recognise(b"") is None


def test_an_echo_is_told_from_an_answer_behind_it() -> None:
    for part in (SNRM[:3], SNRM):
        echo = recognise(part, SNRM)
        assert echo is not None
        assert echo.speech is Speech.ECHO
    both = recognise(SNRM + UA, SNRM)
    assert both is not None
    assert both.speech is not Speech.ECHO


def test_an_identification_with_the_parity_of_7e1_in_its_octets() -> None:
    plain = b"/LGZ5\\2ZMD310\r\n"
    found = recognise(bytes(octet | (octet.bit_count() & 1) << 7 for octet in plain))
    assert found is not None
    assert found.evidence == Identification.decode(plain)
