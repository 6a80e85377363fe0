"""The customer port of a meter: whose lists it says, under which keys, and what it refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from cosem import Clock, Register
from cosem.client.follow import Follower, follow_async, lines_of, reader_for
from cosem.danger import NOTHING, Weakness, allow
from cosem.errors import ConfigurationError
from cosem.io.open import hear_async
from cosem.meter.associations import Keys
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.device import Meter
from cosem.meter.han import HanPort
from cosem.protocol.iec21.p1 import P1Keys
from cosem.protocol.model.classes.push import PushSetup
from cosem.protocol.profile.address import ConnectionUrl
from cosem.readings.han import HanTelegram

HERE = "han+tcp://127.0.0.1:0"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

DESCRIBED = """
[meter]
name = "KFM1020012345678"
template = "household"
companion = "sweden"
"""


def port(meter: Meter, lists: str | None = None) -> HanPort:
    return HanPort(meter, HERE if lists is None else f"{HERE}?lists={lists}")


def test_whose_lists_it_says() -> None:
    meter = household(1)
    assert str(port(meter).url.lists) == "norway:kaifa"
    assert str(port(meter, "sweden:kamstrup").url.lists) == "sweden:kamstrup"
    swedish = parse(DESCRIBED)
    assert port(swedish).url.lists == "aidon"
    assert port(swedish, "kamstrup").url.lists == "kamstrup"


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ("atlantis:kaifa", "no companion 'atlantis'"),
        ("norway:iskra", "norway has no customer port 'iskra'"),
        ("kamstrup", "write companion:port, as norway:kaifa"),
        ("0.4.25.9.0.255", "the meter has no push setup"),
        ("1.0.1.8.0.255", "the meter has no push setup"),
    ],
)
def test_lists_that_are_not_there(lists: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        port(household(1), lists)


def test_other_places_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="a HAN port is served on han\\+tcp"):
        HanPort(household(1), "p1+tcp://127.0.0.1:0")
    with pytest.raises(ConfigurationError, match="loopback"):
        HanPort(household(1), "han+tcp://0.0.0.0:0")


def ciphered_meter() -> tuple[Meter, Keys]:
    keys = Keys.random(0)
    return household(1, security="gmac", keys=keys, clock=lambda: NOON), keys


def test_it_is_ciphered_where_the_meter_has_keys_and_the_list_says_so() -> None:
    meter, _ = ciphered_meter()
    assert port(meter, "austria:e450").ciphered and port(meter, "austria:e450").authenticated
    assert port(meter, "austria:wiener-netze").ciphered and not port(meter, "austria:wiener-netze").authenticated
    assert not port(meter, "norway:aidon").ciphered
    plain = port(household(1), "austria:e450")
    assert not plain.ciphered
    assert any("this one has none" in each for each in plain.notices)


async def first_heard(url: str, given: P1Keys, authenticated: bool) -> object:
    place = ConnectionUrl.parse(url)
    weak = NOTHING if authenticated else allow(Weakness.UNVERIFIED_CIPHERTEXT)
    follower = Follower(await hear_async(place), reader_for(place, given, weak))
    try:
        return await follower.next()
    finally:
        await follower.stream.close()


@pytest.mark.parametrize(("lists", "authenticated"), [("austria:e450", True), ("austria:wiener-netze", False)])
def test_a_listener_with_the_keys_reads_it(lists: str, authenticated: bool) -> None:
    meter, keys = ciphered_meter()
    given = P1Keys(encryption_key=keys.encryption, authentication_key=keys.authentication if authenticated else None)

    async def scenario() -> HanTelegram:
        async with port(meter, lists) as served:
            found = await first_heard(str(served.url), given, authenticated)
            assert isinstance(found, HanTelegram)
            return found

    found = asyncio.run(scenario())
    assert found.system_title == meter.system_title
    assert found.verified is authenticated
    codes = {line.code: line.text for line in lines_of(found, UTC, NOON)}
    assert codes["1.0.1.8.0.255"] == str(int(meter.value(Register("1.0.1.8.0.255").value)))


def test_two_listeners_hear_the_longest_list_first_each() -> None:
    meter = household(1, clock=lambda: NOON)

    async def scenario() -> list[str]:
        names: list[str] = []
        async with port(meter) as served:
            for _ in range(2):
                heard = follow_async(str(served.url))
                found = await anext(heard)
                await heard.aclose()
                assert isinstance(found, HanTelegram) and found.list is not None
                names.append(found.list.name)
        return names

    assert asyncio.run(scenario()) == ["Kaifa list 3, three phases"] * 2


def test_a_described_push_setup() -> None:
    meter = household(1, clock=lambda: NOON)
    setup = PushSetup("0.4.25.9.0.255")
    total = Register("1.0.1.8.0.255")
    wanted = [(8, Clock().instance, 2), (3, total.instance, 2)]
    meter.add(setup, push_object_list=[(*each, 0, (0, None), []) for each in wanted])

    async def scenario() -> HanTelegram:
        async with port(meter, "0.4.25.9.0.255") as served:
            heard = follow_async(str(served.url))
            found = await anext(heard)
            await heard.aclose()
            assert isinstance(found, HanTelegram)
            return found

    found = asyncio.run(scenario())
    time, value = found.notification.body
    assert bytes(time)[:4].hex() == "07ea0301"
    assert int(value) == int(meter.value(total.value))
