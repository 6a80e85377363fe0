"""The classes for Internet protocols: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import ShapeError
from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.internet import Ipv4Setup, PapLogin, PppSetup, TcpUdpSetup
from cosem.protocol.values.data import OctetString, Structure, Unsigned, same
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_communication.json", "internet"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


COUNTS = {41: (6, 0), 42: (10, 3), 43: (2, 0), 44: (5, 0), 46: (6, 0), 48: (10, 2), 100: (7, 3)}
"""Attributes and methods on which two of Gurux, jDLMS and pydlms agree."""

SHORT_NAMES = {42: 0x60, 48: 0x60, 100: 0x38}
"""The offset of method 1: jDLMS and pydlms for 42, pydlms and the Blue Book as quoted for 100, the latter for 48."""


@pytest.mark.parametrize(("class_id", "counts"), COUNTS.items())
def test_counts_agree_with_other_implementations(class_id: int, counts: tuple[int, int]) -> None:
    declared = REGISTRY[class_id, 0]
    assert (len(declared.declared_attributes), len(declared.declared_methods)) == counts


@pytest.mark.parametrize(("class_id", "offset"), SHORT_NAMES.items())
def test_methods_have_their_short_names(class_id: int, offset: int) -> None:
    for index, method in REGISTRY[class_id, 0].declared_methods.items():
        assert method.short_name_offset == offset + 8 * (index - 1)


def test_a_reference_is_a_logical_name_or_empty() -> None:
    shape = Ipv4Setup.dl_reference.shape
    assert shape.decode(OctetString(bytes((0, 0, 25, 2, 0, 255)))) == Obis("0.0.25.2.0.255")
    assert shape.decode(OctetString(b"")) is None
    assert same(shape.encode(Obis("0.0.25.2.0.255")), OctetString(bytes((0, 0, 25, 2, 0, 255))))
    assert same(shape.encode(None), OctetString(b""))
    with pytest.raises(ShapeError):
        shape.encode(b"")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        TcpUdpSetup.ip_reference.shape.decode(Unsigned(1))


def test_authentication_of_ppp_is_typed_where_it_is_a_login_and_else_kept_as_it_is() -> None:
    shape = PppSetup.ppp_authentication.shape
    login = Structure((OctetString(b"meter"), OctetString(b"secret")))
    assert shape.decode(login) == PapLogin(b"meter", b"secret")
    challenge = Structure((OctetString(b"meter"), Unsigned(5)))
    assert shape.decode(challenge) == challenge
    assert same(shape.encode(PapLogin(b"meter", b"secret")), login)


def test_addresses_that_may_come_by_themselves_may_be_written_all_the_same() -> None:
    assert not Ipv4Setup.ip_address.static
    assert Ipv4Setup.ip_address.writable
    assert TcpUdpSetup.inactivity_time_out.unit is Unit.SECOND
