"""Whole ciphered sessions with pydlms-client, recorded in both roles: ours must say the same octets again.

Keys, challenges and what our side draws by chance are in the file or made here, and protect nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import CosemError, SecurityError
from cosem.protocol.apdu import GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.descriptor import AttributeDescriptor
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    Associated,
    ClientSettings,
    Released,
    Requested,
    Response,
)
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.dialect import Dialect
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore

FILE = Path(__file__).parents[3] / "vectors" / "ciphered_sessions.json"
RECORDED: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"sessions": []}
CLIENT, SERVER = bytes.fromhex("4D4D4D0000000001"), bytes.fromhex("4D4D4D0000BC614E")
ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
VALUE = DoubleLongUnsigned(12_345_678)

SERVICES = IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.DATA_NOTIFICATION
"""What was proposed and granted when the sessions were recorded."""


def secret(name: str, octets: int = 16) -> bytes:
    return hashlib.sha256(b"recorded session " + name.encode()).digest()[:octets]


def chance(name: str) -> Callable[[int], bytes]:
    drawn = itertools.count()
    return lambda octets: hashlib.shake_256(f"{name} {next(drawn)}".encode()).digest(octets)


def context(own: bytes, peer: bytes | None, suite: int) -> SecurityContext:
    octets = 32 if suite == 2 else 16
    return SecurityContext(
        *(suite, own, peer, Key(secret("ek", octets)), Key(secret("ak", octets))),
        keys=GeneralKeys(master_key=Key(secret("mk", octets))),
        counter=InvocationCounter(MemoryCounterStore(), own.hex()),
        entropy=chance(own.hex()),
        dialect=Dialect(any_transaction_id=own == CLIENT),
    )


def client(session: dict[str, Any]) -> ClientAssociation:
    settings = ClientSettings(
        conformance=SERVICES,
        mechanism=MECHANISMS[5],
        protection=AUTHENTICATED_ENCRYPTION,
        envelope=Envelope(session["envelope"]),
        key=KeyChoice(session["key_info"]),
        dedicated_key=Key(secret("dedicated")) if session["dedicated"] else None,
    )
    return ClientAssociation(settings, challenge=secret("challenge"), security=context(CLIENT, None, session["suite"]))


def server(session: dict[str, Any]) -> ServerAssociation:
    policy = ServerPolicy(
        conformance=SERVICES,
        application_context=ApplicationContext.LOGICAL_NAME_CIPHERED,
        mechanism=MECHANISMS[5],
        required=AUTHENTICATED_ENCRYPTION,
        security=lambda title: context(SERVER, title, session["suite"]),
        own_title=SERVER,
    )
    return ServerAssociation(policy, chance("server"))


def of(role: str) -> list[Any]:
    return [pytest.param(each, id=each["name"]) for each in RECORDED["sessions"] if each["role"] == role]


def replayed(session: dict[str, Any]) -> list[Any]:
    """Run our client against the recorded meter, and return its events."""
    engine, events = client(session), list[Any]()
    # The proof goes by itself, after the answer to the association request.
    for send, mine, answer in zip(
        (engine.associate, lambda: None, lambda: engine.send(GetRequestNormal(0xC1, ENERGY)), engine.release),
        session["ours"],
        session["peers"],
        strict=True,
    ):
        send()
        assert [each.hex() for each in engine.outgoing()] == [mine]
        engine.receive(bytes.fromhex(answer))
        events += engine.events()
    return events


@pytest.mark.parametrize("session", of("client"))
def test_our_client_says_the_same_again(session: dict[str, Any]) -> None:
    events = replayed(session)
    assert [type(each) for each in events] == [Associated, Response, Released]
    assert events[1] == Response(GetResponseNormal(0xC1, VALUE))


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("session", of("client"))
def test_what_the_meter_said_is_refused_where_a_bit_of_it_is_another(session: dict[str, Any], place: int) -> None:
    octets = bytearray.fromhex(session["peers"][place])
    octets[-1] ^= 1
    with pytest.raises(CosemError):
        replayed({**session, "peers": [*session["peers"][:place], octets.hex(), *session["peers"][place + 1 :]]})


@pytest.mark.parametrize("session", of("client"))
def test_what_the_meter_said_before_is_refused(session: dict[str, Any]) -> None:
    engine = client(session)
    engine.associate()
    for answer in session["peers"][:2]:
        engine.receive(bytes.fromhex(answer))
    for _ in range(2):
        engine.send(GetRequestNormal(0xC1, ENERGY))
        engine.events()
        try:
            engine.receive(bytes.fromhex(session["peers"][2]))
        except SecurityError:
            break
    else:
        pytest.fail("the same answer was taken twice")


@pytest.mark.parametrize("session", of("server"))
def test_our_meter_says_the_same_again(session: dict[str, Any]) -> None:
    engine, said, events = server(session), list[str](), list[Any]()
    for octets in session["peers"]:
        engine.receive(bytes.fromhex(octets))
        said += [each.hex() for each in answered(engine, events)]
    assert said == session["ours"]
    assert any(isinstance(each, Requested) for each in events)
    assert isinstance(events[-1], Released)


def answered(engine: ServerAssociation, events: list[Any]) -> list[bytes]:
    for event in engine.events():
        events.append(event)
        if isinstance(event, Requested):
            assert isinstance(event.apdu, GetRequestNormal)
            engine.respond(GetResponseNormal(event.apdu.invoke_id_and_priority, VALUE))
    return engine.outgoing()
