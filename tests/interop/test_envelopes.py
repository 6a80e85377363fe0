"""Every envelope with pydlms-client: our client and its meter, its client and our meter, and single envelopes of ours.

Its meter answers general-ciphering under the identified key whatever the request was under, repeats no transaction-id,
and takes signatures outside of ciphering only, while our client signs inside: what we sign is judged by its opening of
single envelopes. gurux-dlms sends general-glo and general-ded wherever general protection is granted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cosem import Client, Register, Unit
from cosem.errors import SecurityError
from cosem.meter import AssociationDescription, Keys, Meter
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice, Layer
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.dialect import Dialect
from cosem.store.memory import MemoryCounterStore
from interop.conftest import drive
from interop.matrix import asks
from interop.served import served
from interop.test_security_suites import private_pem, public_pem, symmetric

ENERGY, TITLE, METER_TITLE = Register("1.0.1.8.0.255"), "4D4D4D0000000001", "4D4D4D0000BC614E"
GET = bytes.fromhex("C001C100080000010000FF0200")
PEER = "pydlms-client"


def private(suite: int, seed: int) -> PrivateKey:
    curve = suites.of(suite).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


def master(suite: int) -> str:
    return hashlib.sha256(b"master").digest()[: suites.of(suite).key_octets].hex()


def ours(suite: int) -> GeneralKeys:
    """Our keys, the peer being pydlms."""
    has = GeneralKeys(master_key=Key.from_hex(master(suite)))
    if not suite:
        return has
    return replace(
        has,
        signer=private(suite, 1),
        agreer=private(suite, 2),
        peer_signing_key=private(suite, 3).public,
        peer_agreement_key=private(suite, 4).public,
    )


def theirs(suite: int) -> dict[str, Any]:
    """The same for pydlms."""
    has: dict[str, Any] = {"master_key": master(suite)}
    if suite:
        has |= {
            "signing_key": private_pem(private(suite, 3)),
            "key_agreement_key": private_pem(private(suite, 4)),
            "peer_signing_key": public_pem(private(suite, 1)),
            "peer_key_agreement_key": public_pem(private(suite, 2)),
        }
    return has


def marked(role: str, *rows: tuple[str, dict[str, Any]]) -> list[Any]:
    """Every row in every suite; suite 0 has neither agreement nor signatures."""
    return [
        pytest.param(suite, words, marks=asks(PEER, role, feature), id=f"{feature}, suite {suite}, {number}")
        for number, (feature, words) in enumerate(rows)
        for suite in (0, 1, 2)
        if suite or not any(each in feature for each in ("one-pass", "static", "signing"))
    ]


# -- we are the client -------------------------------------------------------------------------------------------------

ASKED = marked(
    "client",
    ("dedicated key", {"dedicated": True}),
    ("general-glo-ciphering", {"envelope": "general"}),
    ("general-ded-ciphering", {"envelope": "general", "dedicated": True}),
    ("general-ciphering, identified key", {"envelope": "general-ciphering"}),
    ("general-ciphering, wrapped key", {"envelope": "general-ciphering", "key_info": "wrapped"}),
    ("general-ciphering, one-pass Diffie-Hellman", {"envelope": "general-ciphering", "key_info": "one-pass"}),
    ("general-ciphering, static unified", {"envelope": "general-ciphering", "key_info": "static"}),
)


@pytest.mark.parametrize(("suite", "words"), ASKED)
def test_our_client_and_its_meter(pydlms_meter: Callable[..., int], suite: int, words: dict[str, Any]) -> None:
    ek, ak = symmetric(suite)
    client: dict[str, Any] = {"mechanism": 5, "ciphered": True}
    settings: dict[str, Any] = {"ek": ek, "ak": ak, "title": METER_TITLE, "suite": suite}
    entry: dict[str, Any] = {"ek": ek, "ak": ak, "system_title": TITLE, "master_key": master(suite)}
    if suite:
        # By GMAC this meter cannot be asked in suites 1 and 2: its proof names suite 0.
        client |= {"mechanism": 7, "public_key": public_pem(private(suite, 1))}
        settings["signing_key"] = private_pem(private(suite, 3))
        entry |= {"signing_key": private(suite, 1), "peer_signing_key": private(suite, 3).public}
        entry |= {"agreement_key": private(suite, 2), "peer_agreement_key": private(suite, 4).public}
    port = pydlms_meter(**settings, clients={"1": client}, context=theirs(suite), conformance=["GENERAL_PROTECTION"])
    url = f"tcp://127.0.0.1:{port}?client=1&server=1"
    dialect = Dialect(any_transaction_id=True)
    with Client.open(url, **entry, suite=suite, dialect=dialect, counters=MemoryCounterStore(), **words) as meter:
        assert str(meter.quantity(ENERGY)) == "12345678 Wh"
        assert len(meter.browse()) > 3


# -- we are the meter --------------------------------------------------------------------------------------------------

SENT = marked(
    "server",
    ("dedicated key", {"use_dedicated_key": True}),
    ("general-glo-ciphering", {"protection": "general-glo"}),
    ("general-ded-ciphering", {"protection": "general-glo", "use_dedicated_key": True}),
    ("general-ciphering, identified key", {"protection": "general-ciphering"}),
    ("general-ciphering, wrapped key", {"protection": "general-ciphering", "key_info": {"kind": "wrapped"}}),
    (
        "general-ciphering, one-pass Diffie-Hellman",
        {"protection": "general-ciphering", "key_info": {"kind": "agreed", "scheme": 1}},
    ),
    (
        "general-ciphering, static unified",
        {"protection": "general-ciphering", "key_info": {"kind": "agreed", "scheme": 2}},
    ),
    ("general-signing", {"protection": "general-ciphering+signing"}),
    ("general-signing", {"protection": "glo+signing"}),
)


@pytest.mark.parametrize(("suite", "settings"), SENT)
def test_its_client_and_our_meter(pydlms: Any, suite: int, settings: dict[str, Any]) -> None:
    ek, ak = symmetric(suite)
    keys = Keys(Key.from_hex(ek), Key.from_hex(ak), temporary=True, suite=suite, general=ours(suite))
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(
        AssociationDescription(client=1, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION)
    )
    with served(meter) as port:
        answer = pydlms(
            port,
            [["get", "1.0.1.8.0.255", 3, 2], ["get", "1.0.1.8.0.255", 3, 3]],
            client=1,
            mechanism=5,
            ek=ek,
            ak=ak,
            title=TITLE,
            suite=suite,
            context=theirs(suite),
            settings=settings,
        )
    assert "error" not in answer, answer["error"]
    assert [each.get("value") for each in answer["results"]] == ["0600BC614E", "02020F00161E"], answer


GURUX = {
    "dedicated key": ({"dedicated_key": "00112233445566778899AABBCCDDEEFE", "plain_envelopes": "yes"}, 0xD0),
    "general-glo-ciphering": ({}, 0xDB),
    "general-ded-ciphering": ({"dedicated_key": "00112233445566778899AABBCCDDEEFE"}, 0xDC),
}


@pytest.mark.parametrize(
    ("options", "tag"),
    [pytest.param(*given, marks=asks("gurux-dlms", "server", name), id=name) for name, given in GURUX.items()],
)
def test_gurux_and_our_meter(gurux: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], tag: int) -> None:
    ek, ak = symmetric(0)
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    keys = Keys(Key.from_hex(ek), Key.from_hex(ak), temporary=True)
    meter.offer(
        AssociationDescription(client=1, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION)
    )
    came: list[int] = []
    unprotect = SecurityContext.unprotect

    def watched(self: SecurityContext, apdu: bytes, answers: bytes | None = None) -> Any:
        came.append(apdu[0])
        return unprotect(self, apdu, answers)

    monkeypatch.setattr(SecurityContext, "unprotect", watched)
    with served(meter) as port:
        answer = gurux(
            *(port, [["read", 3, "1.0.1.8.0.255", 2]]),
            client=1,
            auth="gmac",
            ek=ek,
            ak=ak,
            system_title=TITLE,
            **options,
        )
    assert "error" not in answer, answer["error"]
    assert answer["results"][0]["value"]["raw"] == 12_345_678
    assert tag in came


# -- single envelopes --------------------------------------------------------------------------------------------------


def context(suite: int, dialect: Dialect, applied: Protection) -> SecurityContext:
    ek, ak = symmetric(suite)
    drawn = iter(range(1, 1000))
    return SecurityContext(
        *(suite, bytes.fromhex(TITLE), bytes.fromhex(METER_TITLE), Key.from_hex(ek), Key.from_hex(ak)),
        keys=ours(suite),
        required=AUTHENTICATED_ENCRYPTION,
        applied=applied,
        counter=InvocationCounter(MemoryCounterStore(), "ours"),
        entropy=lambda octets: hashlib.shake_256(bytes((next(drawn),))).digest(octets),
        dialect=dialect,
    )


@pytest.mark.interop(feature="general-signing", peer=PEER, role="client")
@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("applied", [AUTHENTICATED_ENCRYPTION, Protection.AUTHENTICATION])
@pytest.mark.parametrize("fields", [False, True])
def test_the_peer_opens_what_we_make(suite: int, applied: Protection, fields: bool) -> None:
    """Both readings of what tags and signatures cover; those over the fields are the text's, the others the usual."""
    ek, ak = symmetric(suite)
    ciphered = [
        (Layer(Envelope.CIPHERING, key=choice),)
        for choice in KeyChoice
        if choice is not KeyChoice.BROADCAST and (suite or choice in (KeyChoice.IDENTIFIED, KeyChoice.WRAPPED))
    ]
    signing = (Layer(Envelope.SIGNING),)
    ways = [*ciphered, (Layer(Envelope.GENERAL),)]
    if suite:
        ways += [signing, *(way + signing for way in ciphered), *(signing + way for way in ciphered)]
        ways += [(Layer(Envelope.GENERAL), *signing), (*signing, Layer(Envelope.SERVICE))]
    sender = context(suite, Dialect(fields_in_tag=fields, content_length_signed=fields), applied)
    opener = {
        "encryption_key": ek,
        "authentication_key": ak,
        "suite": suite,
        "policy": int(applied),
        "client_system_title": METER_TITLE,
        "server_system_title": TITLE,
        "general_aad": "with-header" if fields else "sc-ak",
        "signing_form": "length-prefixed-content" if fields else "content",
        **theirs(suite),
    }
    envelopes = [sender.wrap(GET, way).hex() for way in ways]
    for _ in range(2):  # what was signed inside is opened in a second step
        jobs = [{"do": "open", "context": opener, "apdu": each} for each in envelopes if each != GET.hex()]
        answers = iter(drive("pydlms_envelopes.py", json.dumps(jobs))["answers"])
        opened = [each if each == GET.hex() else next(answers) for each in envelopes]
        assert all(isinstance(each, str) or "octets" in each for each in opened), opened
        envelopes = [each if isinstance(each, str) else each["octets"].lower() for each in opened]
    assert envelopes == [GET.hex()] * len(ways)


@pytest.mark.interop(feature="broadcast key", peer=PEER, role="client")
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_the_peer_opens_what_we_send_to_many(suite: int) -> None:
    ek, ak = symmetric(suite)
    broadcast, unconfirmed = master(suite), bytes.fromhex("C30181000A00000A006AFF0100")
    sender = SecurityContext(
        *(suite, bytes.fromhex(TITLE), bytes.fromhex(METER_TITLE), Key.from_hex(ek), Key.from_hex(ak)),
        broadcast_key=Key.from_hex(broadcast),
        counter=InvocationCounter(MemoryCounterStore(), "ours"),
        broadcast_counter=InvocationCounter(MemoryCounterStore(), "to many"),
    )
    opener = {
        "encryption_key": ek,
        "authentication_key": ak,
        "broadcast_key": broadcast,
        "suite": suite,
        "client_system_title": METER_TITLE,
        "server_system_title": TITLE,
    }
    ways = [Layer(each, key=KeyChoice.BROADCAST) for each in (Envelope.SERVICE, Envelope.GENERAL, Envelope.CIPHERING)]
    envelopes = [sender.wrap(unconfirmed, (way,)).hex() for way in ways]
    jobs = [{"do": "open", "context": opener, "apdu": each} for each in envelopes]
    answers = drive("pydlms_envelopes.py", json.dumps(jobs))["answers"]
    assert [bytes.fromhex(each.get("octets", "")) for each in answers] == [unconfirmed] * 3, answers


@pytest.mark.interop(feature="broadcast key", peer=PEER, role="server")
@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("kind", [0, 1])
def test_we_open_what_the_peer_sends_to_many(suite: int, kind: int) -> None:
    """Its `send_broadcast` is for a session of its own; the frames of general-ciphering are made outside of one."""
    ek, ak = symmetric(suite)
    broadcast, unconfirmed = master(suite), "C30181000A00000A006AFF0100"
    given = {"encryption_key": ek, "authentication_key": ak, "broadcast_key": broadcast, "suite": suite}
    job = {
        "do": "cipher",
        "apdu": unconfirmed if kind else "C301C1000A00000A006AFF0100",
        "recipient": METER_TITLE,
        "transaction_id": "01",
        "key_info": {"kind": "identified", "key_id": 1},
        "context": {**given, "client_system_title": TITLE, "invocation_counter": 5},
    }
    envelope = bytes.fromhex(drive("pydlms_envelopes.py", json.dumps([job]))["answers"][0]["octets"])
    meter = SecurityContext(
        *(suite, bytes.fromhex(METER_TITLE), bytes.fromhex(TITLE), Key.from_hex(ek), Key.from_hex(ak)),
        broadcast_key=Key.from_hex(broadcast),
        counter=InvocationCounter(MemoryCounterStore(), "ours"),
    )
    if kind:
        assert meter.unprotect(envelope).apdu.hex().upper() == unconfirmed
    else:
        with pytest.raises(SecurityError, match="unconfirmed"):
            meter.unprotect(envelope)
