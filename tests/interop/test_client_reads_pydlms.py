"""Our client reads the simulated meter of pydlms-client: over the wrapper and HDLC, open, with a password, ciphered."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from cosem import AsyncClient, Client, Clock, ProfileGeneric, Register
from cosem.errors import AssociationRejected, DataAccessError, SecurityWarning, ServiceError, TransportError
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model import REGISTRY
from cosem.store.memory import MemoryCounterStore
from interop.matrix import asks

TITLE = "4D4D4D0000000001"

FRAMINGS = [
    pytest.param("wrapper", marks=asks("pydlms-client", "client", "TCP wrapper")),
    pytest.param("hdlc", marks=asks("pydlms-client", "client", "HDLC")),
]
AUTHENTICATIONS = [
    pytest.param("none", marks=asks("pydlms-client", "client", "no authentication", "GET", "GET with list")),
    pytest.param("low", marks=asks("pydlms-client", "client", "low level security")),
    pytest.param("gmac", marks=asks("pydlms-client", "client", "HLS GMAC", "ciphering with suite 0")),
]

Start = Callable[[str, str], Any]

# Its Push setup says version 0, and shows the methods of version 2: it keeps one list of them for a class. Of a profile
# it shows the methods that version 1 keeps reserved.
BEYOND = {(40, 0): {2}, (7, 1): {3, 4}}


def how(simulator: Any) -> dict[str, Any]:
    """What `Client.open` needs to enter the simulator."""
    if simulator.password is not None:
        return {"password": simulator.password}
    if simulator.encryption_key is not None:
        return {
            "ek": simulator.encryption_key,
            "ak": simulator.authentication_key,
            "system_title": TITLE,
            "counters": MemoryCounterStore(),
        }
    return {}


@pytest.fixture(autouse=True)
def _passwords_in_clear_are_meant() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def test_all_that_the_meter_shows_is_declared(pydlms_simulator: Start) -> None:
    with Client.open(pydlms_simulator("wrapper", "none").url) as meter:
        objects = meter.browse()
    assert len(objects) > 10
    for shown in objects:
        declared = REGISTRY[shown.class_id, shown.version]
        rights = shown.access_rights
        assert {each.index for each in rights.attribute_access} <= declared.declared_attributes.keys(), shown
        beyond = {each.index for each in rights.method_access} - declared.declared_methods.keys()
        assert beyond == BEYOND.get((shown.class_id, shown.version), set()), shown


@pytest.mark.parametrize("auth", AUTHENTICATIONS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_session(pydlms_simulator: Start, framing: str, auth: str) -> None:
    simulator = pydlms_simulator(framing, auth)
    with Client.open(simulator.url, **how(simulator)) as meter:
        assert meter.negotiated is not None
        assert Conformance.GET in meter.negotiated.conformance
        objects = meter.browse()
        assert any(each.class_id == 8 for each in objects)
        registers = [Register(each.logical_name) for each in objects if each.class_id == 3]
        assert str(meter.quantity(Register("1.0.1.8.0.255"))) == "12345678 Wh"
        values = meter.many([register.value for register in registers])
        assert len(values) == len(registers)
        assert 12345678 in values
        assert meter.clock().year == 2024
        with pytest.raises(DataAccessError):
            meter.get(Register("1.0.99.99.99.255").value)


def test_a_profile_with_its_columns(pydlms_simulator: Start) -> None:
    simulator = pydlms_simulator("wrapper", "none")
    with Client.open(simulator.url) as meter:
        profiles = [each for each in meter.browse() if each.class_id == 7]
        assert profiles
        found = meter.profile(ProfileGeneric(profiles[0].logical_name))
        assert len(found.columns) == len(found.rows[0])
        assert found.readings("a meter")


async def _asynchronous(simulator: Any) -> None:
    async with AsyncClient.open(simulator.url, **how(simulator)) as meter:
        assert (await meter.get(Clock().time)).year == 2024


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_the_same_on_asyncio(pydlms_simulator: Start, framing: str) -> None:
    asyncio.run(_asynchronous(pydlms_simulator(framing, "gmac")))


def test_a_wrong_password_is_an_association_rejected(pydlms_simulator: Start) -> None:
    simulator = pydlms_simulator("wrapper", "low")
    with pytest.raises(AssociationRejected):
        Client.open(simulator.url, password="87654321").connect()


def test_a_wrong_key_is_no_session(pydlms_simulator: Start) -> None:
    simulator = pydlms_simulator("wrapper", "gmac")
    client = Client.open(
        simulator.url, **{**how(simulator), "ek": "00112233445566778899AABBCCDDEEFF", "counters": MemoryCounterStore()}
    )
    with pytest.raises((ServiceError, TransportError)):
        client.connect()
    assert client.negotiated is None
