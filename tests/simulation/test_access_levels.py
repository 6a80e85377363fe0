"""Three levels of access on one device: what each may read, set and run, by both names and in programming mode."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from cosem import AsyncClient
from cosem.client.iec21 import AsyncLocalClient
from cosem.client.short_names import ShortNames
from cosem.errors import ActionError, AssociationRejected, CommandRefused, DataAccessError
from cosem.meter import Meter, serving
from cosem.meter.describe import parse
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import SapAssignmentElement
from cosem.protocol.model.classes.time_and_event import PresetTime
from cosem.protocol.model.declare import object_for
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

NOON = datetime(2026, 7, 12, 10, tzinfo=UTC)

METER = """
[meter]
name = "KFM1020012345678"

[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
value = 12345
scaler_unit = [0, "Wh"]

[[object]]
class = "Data"
instance = "0.0.96.1.1.255"
value = { unsigned = 5 }
writable = ["value"]

[[object]]
class = "DisconnectControl"
instance = "0.0.96.3.10.255"

[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900

[[association]]
client = 16
naming = "ln+sn"

[[association]]
client = 32
naming = "ln+sn"
auth = "low"
password = "12345678"
access = "read"

[[association]]
client = 1
naming = "ln+sn"
auth = "sha256"
password = "0123456789ABCDEF"
access = "manage"
"""

LEVELS: dict[str, dict[str, Any]] = {
    "public": {"client": 16},
    "password": {"client": 32, "password": "12345678"},
    "challenge": {"client": 1, "auth": "sha256", "password": "0123456789ABCDEF"},
}

OF_EVERYBODY = {"0.0.1.0.0.255", "0.0.41.0.0.255", "0.0.42.0.0.255"}
"""Clock, SAP assignment and logical device name."""
OF_READERS = {"1.0.1.8.0.255", "0.0.96.1.1.255", "0.0.96.3.10.255", "1.0.99.1.0.255"}
READ = {"public": OF_EVERYBODY, "password": OF_EVERYBODY | OF_READERS, "challenge": OF_EVERYBODY | OF_READERS}
SET = {"public": set[str](), "password": set[str](), "challenge": {"8/0.0.1.0.0.255/2", "1/0.0.96.1.1.255/2"}}
RUN = {
    "public": set[str](),
    "password": set[str](),
    "challenge": {
        *(f"8/0.0.1.0.0.255/{number}" for number in range(1, 7)),
        *("70/0.0.96.3.10.255/1", "70/0.0.96.3.10.255/2"),
        *("7/1.0.99.1.0.255/1", "7/1.0.99.1.0.255/2"),
    },
}
"""What each level may do; whatever is not here is refused."""

OBJECTS = {
    Obis("0.0.1.0.0.255"): (8, 0),
    Obis("0.0.41.0.0.255"): (17, 0),
    Obis("0.0.42.0.0.255"): (1, 0),
    Obis("1.0.1.8.0.255"): (3, 0),
    Obis("0.0.96.1.1.255"): (1, 0),
    Obis("0.0.96.3.10.255"): (70, 0),
    Obis("1.0.99.1.0.255"): (7, 1),
}


def described() -> Meter:
    return parse(METER, clock=lambda: NOON)


def entering(url: str, level: str, naming: str) -> AsyncClient:
    words = dict(LEVELS[level])
    return AsyncClient.open(f"{url}?client={words.pop('client')}", naming=naming, **words)


DENIED = frozenset(
    {
        *(DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED),
        *(DataAccessResult.OBJECT_UNAVAILABLE, DataAccessResult.OTHER_REASON),
    }
)


async def lets(step: Any) -> bool:
    """Tell whether the meter lets something be done, whatever comes of it."""
    try:
        await step
    except (DataAccessError, ActionError) as error:
        return int(error.result) not in DENIED
    return True


@pytest.mark.parametrize("naming", ["ln", "sn"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_does_what_it_may_and_nothing_else(level: str, naming: str) -> None:
    async def run() -> tuple[set[str], set[str], set[str]]:
        async with serving(described(), "tcp://127.0.0.1:0") as server:
            read, written, ran = set[str](), set[str](), set[str]()
            async with (
                entering(f"tcp://{server.url.place}", level, naming) as client,
                entering(f"tcp://{server.url.place}", "challenge", naming) as manager,
            ):
                if naming == "sn":
                    await know_all_names(client, manager)
                for instance, (class_id, version) in OBJECTS.items():
                    address = object_for(class_id, version, instance)
                    for attribute in address.declared_attributes.values():
                        reference = getattr(address, attribute.name)
                        if await lets(client.get(reference)):
                            read.add(str(instance))
                        if not await lets(manager.get(reference)):
                            continue  # the meter has no such value
                        value = await manager.get(reference)
                        if await lets(client.set(reference, value)):
                            written.add(f"{class_id}/{instance}/{attribute.index}")
                ran = {
                    f"{class_id}/{instance}/{method.index}"
                    for instance, (class_id, version) in OBJECTS.items()
                    for method in object_for(class_id, version, instance).declared_methods.values()
                    if await _runs(client, object_for(class_id, version, instance), method.name)
                }
            return read, written, ran

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read, written, ran = asyncio.run(run())
    assert read == READ[level]
    assert written == SET[level]
    assert ran == RUN[level]


async def know_all_names(client: AsyncClient, manager: AsyncClient) -> None:
    """Tell a client the short names that another level sees, so that it is the meter that refuses, not our client."""
    await manager.get(Clock().time)  # asks for the list first
    knowing, known = short_names(client), short_names(manager).known
    assert len(known) >= len(OBJECTS)
    knowing.know(known)


def short_names(client: AsyncClient) -> ShortNames:
    assert client.services is not None
    assert isinstance(client.services.several, ShortNames)
    return client.services.several


async def _runs(client: AsyncClient, address: Any, name: str) -> bool:
    return await lets(client.act(getattr(address, name), ARGUMENTS.get(name, 0)))


ARGUMENTS: dict[str, Any] = {
    "preset_adjusting_time": PresetTime(*[DateTime.from_datetime(NOON)] * 3),
    "connect_logical_device": SapAssignmentElement(2, b"KFM2"),
}
"""Of the methods that take more than a number."""


LOCAL_METER = (
    METER
    + """
[[association]]
client = 48
naming = "ln+sn"
auth = "low"
password = "24681357"
access = "manage"
"""
)
"""A password is the level in programming mode; there is none for a challenge, so who sets there has one too."""

PASSWORDS = {"public": None, "password": Secret(b"12345678"), "setter": Secret(b"24681357")}
LOCAL_READ = {
    "public": {"0.0.1.0.0.255", "0.0.42.0.0.255"},
    "password": {"0.0.1.0.0.255", "0.0.42.0.0.255", "1.0.1.8.0.255", "0.0.96.1.1.255", "0.0.96.3.10.255"},
}
"""Of the numbers, texts and times: there is no way to say what is put together of several."""
LOCAL_READ["setter"] = LOCAL_READ["password"]
LOCAL_SET = {"public": set[str](), "password": set[str](), "setter": {"0.9.1", "0.9.2", "0.0.96.1.1.255"}}
LOCAL_RUN = {
    "public": set[str](),
    "password": set[str](),
    "setter": {
        *(f"0.0.1.0.0.255/{number}" for number in (1, 2, 3, 6)),
        *("0.0.96.3.10.255/1", "0.0.96.3.10.255/2"),
        *("1.0.99.1.0.255/1", "1.0.99.1.0.255/2"),
    },
}
"""Of the methods that take a number, for that is all that a command carries; and none that needs a preset time."""


async def done(step: Any) -> bool:
    """Tell whether a command was obeyed."""
    try:
        await step
    except CommandRefused:
        return False
    return True


@pytest.mark.parametrize("level", PASSWORDS)
def test_a_level_of_programming_mode_does_what_it_may_and_nothing_else(level: str) -> None:
    async def run() -> tuple[set[str], set[str], set[str]]:
        async with serving(parse(LOCAL_METER, clock=lambda: NOON), "iec21+tcp://127.0.0.1:0") as server:
            async with AsyncLocalClient.open(str(server.url), password=PASSWORDS[level]) as client:
                read = {str(each) for each in OBJECTS if await done(client.read(str(each)))}
                contents = {"0.9.1": "100000", "0.9.2": "260712", **{str(each): "6" for each in OBJECTS}}
                written = {each for each, content in contents.items() if await done(client.write(each, content))}
                ran = {
                    f"{instance}/{method}"
                    for instance, (class_id, version) in OBJECTS.items()
                    for method in object_for(class_id, version, instance).declared_methods
                    if await done(client.execute(str(instance), str(method)))
                }
            return read, written, ran

    read, written, ran = asyncio.run(run())
    assert read == LOCAL_READ[level]
    assert written == LOCAL_SET[level]
    assert ran == LOCAL_RUN[level]


@pytest.mark.parametrize("password", [b"87654321", b"0123456789ABCDEF", b""])
def test_nobody_has_a_level_of_programming_mode_without_its_password(password: bytes) -> None:
    """The secret of a challenge, shown as it is, is no password."""

    async def run() -> None:
        async with serving(parse(LOCAL_METER, clock=lambda: NOON), "iec21+tcp://127.0.0.1:0") as server:
            client = AsyncLocalClient.open(str(server.url), password=Secret(password))
            with pytest.raises(CommandRefused, match="ER03"):
                await client.read("1.0.1.8.0.255")
            await client.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (32, {}),
        (32, {"password": "87654321"}),
        (1, {"password": "0123456789ABCDEF"}),  # the secret of the challenge, shown as a password
        (1, {"auth": "sha256", "password": "0123456789ABCDE0"}),
        (16, {"password": "12345678"}),
        (2, {}),
    ],
)
def test_nobody_has_a_level_without_what_it_asks_for(client: int, words: dict[str, Any]) -> None:
    async def run() -> None:
        async with serving(described(), "tcp://127.0.0.1:0") as server:
            with pytest.raises(AssociationRejected):
                await AsyncClient.open(f"tcp://{server.url.place}?client={client}", **words).connect()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.run(run())
