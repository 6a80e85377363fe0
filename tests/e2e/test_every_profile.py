"""One scenario for every communication profile there is: a meter is served on the medium, and read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from cosem import AsyncClient, Clock, Meter, ProfileGeneric, Register, Unit
from cosem.meter import serving
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from cosem.protocol.profile import PROFILES
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import CommunicationProfile
from lines import dialled, serial_line, serial_port_server

ENERGY = Register("1.0.1.8.0.255")
LOG = ProfileGeneric("1.0.99.1.0.255")

Place = Callable[[str], AbstractContextManager[tuple[str, str | None]]]


@contextmanager
def port(scheme: str) -> Iterator[tuple[str, str | None]]:
    yield f"{scheme}://127.0.0.1:0", None


@contextmanager
def line(scheme: str) -> Iterator[tuple[str, str | None]]:
    with serial_line() as (one, other):
        yield f"{scheme}://{one}?baud=9600", f"{scheme}://{other}?baud=9600"


@contextmanager
def behind_a_server(scheme: str) -> Iterator[tuple[str, str | None]]:
    with serial_line() as (one, other), serial_port_server(other) as (number, _):
        yield f"hdlc+serial://{one}?baud=9600", f"{scheme}://127.0.0.1:{number}?baud=9600"


@contextmanager
def by_telephone(scheme: str) -> Iterator[tuple[str, str | None]]:
    """The modem of the client is a script, and that of the meter picks up and is transparent from then on."""
    with serial_line(dialled) as (one, other):
        yield f"hdlc+serial://{one}?baud=9600", f"{scheme}://{other}?baud=9600&number=0123"


PLACES: dict[str, Place] = {"tcp": port, "udp": port, "serial": line, "rfc2217": behind_a_server, "modem": by_telephone}
"""Where a meter and a client meet, by medium; a profile on a medium without a line here fails the test."""


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(LOG, buffer=[(number,) for number in range(200)])
    return meter


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: f"{profile.framing}+{profile.medium}")
def test_a_meter_is_read_over_it(profile: CommunicationProfile) -> None:
    async def run() -> None:
        with PLACES[profile.medium](f"{profile.framing}+{profile.medium}") as (meters, clients):
            async with (
                serving(described(), meters, beyond_loopback=True) as server,
                AsyncClient.open(clients or str(server.url)) as client,
            ):
                assert str(await client.quantity(ENERGY)) == "12345678 Wh"
                assert (await client.get(Clock().time)).year is not None
                assert len(await client.get(LOG.buffer)) == 200
                assert client.negotiated is not None
                assert client.negotiated.max_receive_pdu_size <= profile.application.max_pdu_size

    asyncio.run(run())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: f"{profile.framing}+{profile.medium}")
def test_its_description_is_complete_and_holds(profile: CommunicationProfile) -> None:
    assert profile.standards
    assert profile.management
    for text in (profile.name, profile.environment, profile.service_mapping, profile.connection, profile.process):
        assert text
    assert profile.application.conformance & ~IMPLEMENTED_LOGICAL_NAME_SERVICES == 0
    assert {1, 16} <= set(profile.addressing.client_saps)
    assert 1 in profile.addressing.server_saps
    place = "/dev/ttyUSB0" if profile.medium in ("serial", "modem") else "192.0.2.1:4059"
    url = ConnectionUrl.parse(f"{profile.framing}+{profile.medium}://{place}?client=16&server=1")
    assert profile.addressing.describe(url) == ("client 16 (public client) to server 1 (management logical device)")
