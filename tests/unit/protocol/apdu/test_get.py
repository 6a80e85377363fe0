"""GET in all its choices, octets from published examples."""

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol import apdu
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    DataAccessResult,
    DataBlockG,
    GetRequestNext,
    GetRequestNormal,
    GetResponseNormal,
    GetResponseWithDatablock,
)
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.protocol.values.obis import Obis


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The GET of the clock's time in the examples of IEC 62056-5-3 on ciphering.
        ("C0010000080000010000FF0200", GetRequestNormal(0, AttributeDescriptor(8, Obis("0.0.1.0.0.255"), 2))),
        ("C002C100000001", GetRequestNext(0xC1, 1)),
        ("C401C10006000186A0", GetResponseNormal(0xC1, DoubleLongUnsigned(100_000))),
        ("C401C10102", GetResponseNormal(0xC1, DataAccessResult.TEMPORARY_FAILURE)),
        ("C401C10163", GetResponseNormal(0xC1, DataAccessResult(0x63))),
        (
            "C402C10000000001000C010506000000010600000002",
            GetResponseWithDatablock(0xC1, DataBlockG(False, 1, octets("010506000000010600000002"))),
        ),
        (
            "C402C101000000020113",
            GetResponseWithDatablock(0xC1, DataBlockG(True, 2, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)),
        ),
    ],
)
def test_octets_and_values(text: str, expected: apdu.Apdu) -> None:
    assert apdu.decode(octets(text)) == expected
    assert expected.encode() == octets(text)


def test_a_refusal_is_not_equal_to_the_number_it_has() -> None:
    assert GetResponseNormal(1, DataAccessResult.TEMPORARY_FAILURE) != GetResponseNormal(1, DoubleLongUnsigned(2))


def test_an_error_names_the_field_and_the_octet() -> None:
    with pytest.raises(DecodeError) as caught:
        apdu.decode(octets("C001C10008000001"))
    assert str(caught.value) == "get-request-normal.attribute.instance_id: need 6 octets, have 3, at octet 5"


def test_what_does_not_fit_is_refused_before_it_is_sent() -> None:
    request = GetRequestNormal(0, AttributeDescriptor(70_000, Obis("0.0.1.0.0.255"), 2))
    with pytest.raises(
        LocalProtocolError, match=r"get-request-normal\.attribute\.class_id: need 0 to 65535, have 70000"
    ):
        request.encode()


def test_instances_do_not_change() -> None:
    request = GetRequestNext(1, 2)
    with pytest.raises(AttributeError):
        request.block_number = 3  # type: ignore[misc]
