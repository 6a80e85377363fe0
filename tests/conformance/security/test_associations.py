"""T07 to T12: who enters an association, how they prove themselves, and what everybody may see."""

from __future__ import annotations

import ast
import asyncio
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosem
from conformance.security.bench import (
    AK,
    BOTH,
    CLIENT_TITLE,
    EK,
    GET,
    SERVER_TITLE,
    Bench,
    by_meter,
    ciphered,
    sealed,
)
from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.access import access
from cosem.danger import Weakness, allow
from cosem.errors import (
    ConfigurationError,
    CosemError,
    DataAccessError,
    RemoteProtocolError,
    SecurityError,
    SecurityWarning,
)
from cosem.meter import PUBLIC_ASSOCIATION, AssociationDescription, Keys, serving
from cosem.meter.lockout import LockoutLimits
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.acse import (
    AcseServiceUser,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    MechanismId,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest, InitiateResponse
from cosem.protocol.association.context import Associated, Refused
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import CHALLENGE_MAXIMUM, CHALLENGE_MINIMUM, MECHANISMS, named
from cosem.protocol.model import AssociationLN, Clock, Data
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore
from pair import Pair, pair, security

REGISTER = Register("1.0.1.8.0.255")


# -- T07: what stands outside the ciphertext of an association ---------------------------------------------------------


def initiate_response(**fields: Any) -> bytes:
    given: dict[str, Any] = {"negotiated_conformance": Conformance.GET, "server_max_receive_pdu_size": 1024}
    return InitiateResponse(**{**given, **fields}).encode()


def protected_initiate(**fields: Any) -> bytes:
    return sealed(initiate_response(**fields), SERVER_TITLE, 1000)


WEAKER_ANSWERS: dict[str, tuple[dict[str, Any], type[CosemError]]] = {
    "another mechanism": ({"mechanism_name": MechanismId.LOW}, SecurityError),
    "a context in clear": ({"application_context_name": ApplicationContext.LOGICAL_NAME}, SecurityError),
    "no system title": ({"responding_ap_title": None}, SecurityError),
    "a short system title": ({"responding_ap_title": b"short"}, SecurityError),
    "an InitiateResponse in clear": ({"user_information": initiate_response()}, SecurityError),
    "no InitiateResponse": ({"user_information": None}, RemoteProtocolError),
    "PDUs too short to talk": (
        {"user_information": protected_initiate(server_max_receive_pdu_size=63)},
        RemoteProtocolError,
    ),
    "no proof wanted": ({"result_source_diagnostic": AcseServiceUser.NULL}, CosemError),
}


@pytest.mark.parametrize("case", WEAKER_ANSWERS)
def test_t07_an_aare_weaker_than_the_aarq_is_refused_client(case: str) -> None:
    """Mechanism, context, title, protection and sizes of the answer are compared with what was asked for."""
    fields, kind = WEAKER_ANSWERS[case]
    both = pair(5, protection=BOTH)
    both.client.associate()
    both.server.receive(both.client.outgoing()[0])
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    if case == "no proof wanted":
        # Whatever it calls it, nothing is open before both have proved themselves.
        both.client.receive(replace(answer, **fields).encode())
        assert both.client.state is State.AUTHENTICATING
        return
    with pytest.raises(kind):
        both.client.receive(replace(answer, **fields).encode())
    assert not any(isinstance(event, Associated) for event in both.client.events())
    assert both.client.state is not State.ASSOCIATED


def test_t07_nothing_is_granted_that_was_not_proposed_client() -> None:
    """A conformance block with more than was proposed grants no more than was proposed; 64 octets are enough."""
    both = pair(0, protection=BOTH)
    both.client.associate()
    both.server.receive(both.client.outgoing()[0])
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    everything = protected_initiate(negotiated_conformance=Conformance((1 << 24) - 1), server_max_receive_pdu_size=64)
    both.client.receive(replace(answer, user_information=everything).encode())
    assert both.client.negotiated is not None
    assert both.client.negotiated.conformance == both.client.settings.proposed_conformance
    assert both.client.negotiated.max_send_pdu_size == 64


def request(**fields: Any) -> bytes:
    initiate = InitiateRequest(proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024).encode()
    given: dict[str, Any] = {
        "application_context_name": ApplicationContext.LOGICAL_NAME_CIPHERED,
        "calling_ap_title": CLIENT_TITLE,
        "mechanism_name": MechanismId.HIGH_GMAC,
        "sender_acse_requirements": apdus.acse.AUTHENTICATION,
        "calling_authentication_value": bytes(range(16)),
        "user_information": sealed(initiate, CLIENT_TITLE, 1000),
    }
    return AssociationRequest(**{**given, **fields}).encode()


WEAKER_REQUESTS: dict[str, dict[str, Any]] = {
    "no mechanism": {"mechanism_name": None, "calling_authentication_value": None, "sender_acse_requirements": None},
    "a password": {"mechanism_name": MechanismId.LOW},
    "SHA-256": {"mechanism_name": MechanismId.HIGH_SHA256},
    "a context in clear": {"application_context_name": ApplicationContext.LOGICAL_NAME},
    "no system title": {"calling_ap_title": None},
    "an InitiateRequest in clear": {
        "user_information": InitiateRequest(
            proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024
        ).encode()
    },
    "no InitiateRequest": {"user_information": None},
}


@pytest.mark.parametrize("case", WEAKER_REQUESTS)
def test_t07_an_aarq_weaker_than_what_is_offered_is_rejected_meter(case: str) -> None:
    """A client gets the mechanism, context and protection that were described for it, or nothing."""
    assert isinstance(answer_to(request()), AssociationResponse)
    assert answer_to(request()).result is AssociationResult.ACCEPTED
    assert answer_to(request(**WEAKER_REQUESTS[case])).result is not AssociationResult.ACCEPTED


def answer_to(octets: bytes) -> AssociationResponse:
    server = pair(5, protection=BOTH).server
    server.receive(octets)
    answer = apdus.decode(server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    assert not any(isinstance(event, Associated) for event in server.events())
    return answer


# -- T08: reflection --------------------------------------------------------------------------------------------------


def to_the_proof(mechanism: int) -> tuple[Pair, AssociationResponse]:
    """Return engines whose client has asked, and the true answer."""
    secret = b"a long HLS secret" if mechanism == 6 else None
    both = pair(mechanism, secret=secret, protection=BOTH)
    both.client.associate()
    both.server.receive(both.client.outgoing()[0])
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    return both, answer


@pytest.mark.parametrize("mechanism", [5, 6])
def test_t08_a_mirror_is_no_meter_client(mechanism: int) -> None:
    """Our own title or challenge coming back is refused before anything is proved, our own proof is none."""
    for fields in ({"responding_ap_title": CLIENT_TITLE}, {"responding_authentication_value": bytes(range(16))}):
        both, answer = to_the_proof(mechanism)
        with pytest.raises(SecurityError):
            both.client.receive(replace(answer, **fields).encode())
        assert both.client.outgoing() == []
    both, answer = to_the_proof(mechanism)
    both.client.receive(answer.encode())
    (sent,) = both.client.outgoing()
    proof = ActionRequestNormal.decode(security(SERVER_TITLE, CLIENT_TITLE).unprotect(sent).apdu).parameters
    assert isinstance(proof, bytes)
    echo = ActionResponseNormal(0xC1, ActionResponseWithOptionalData(ActionResult.SUCCESS, OctetString(bytes(proof))))
    with pytest.raises(SecurityError):
        both.client.receive(by_meter(2000, echo.encode()))
    assert both.client.state is not State.ASSOCIATED


@pytest.mark.parametrize("mechanism", [5, 6])
def test_t08_a_mirror_is_no_client_meter(mechanism: int) -> None:
    """A client with the meter's title, or with the challenge of the meter, is rejected."""
    secret = b"a long HLS secret" if mechanism == 6 else None
    name = {5: MechanismId.HIGH_GMAC, 6: MechanismId.HIGH_SHA256}[mechanism]
    for fields in (
        {"calling_ap_title": SERVER_TITLE},
        {"calling_authentication_value": bytes(range(0x30, 0x40))},  # what `pair.chance` gives
    ):
        server = pair(mechanism, secret=secret, protection=BOTH).server
        server.receive(request(mechanism_name=name, **fields))
        answer = apdus.decode(server.outgoing()[0])
        assert isinstance(answer, AssociationResponse)
        assert answer.result is not AssociationResult.ACCEPTED


@pytest.mark.parametrize(
    ("octets", "accepted"),
    [
        (CHALLENGE_MINIMUM - 1, False),
        (CHALLENGE_MINIMUM, True),
        (CHALLENGE_MAXIMUM, True),
        (CHALLENGE_MAXIMUM + 1, False),
    ],
)
def test_t08_challenges_have_8_to_64_octets_both_roles(octets: int, accepted: bool) -> None:
    """And those we make have 16 at least."""
    both, answer = to_the_proof(5)
    assert len(answer.responding_authentication_value or b"") >= 16
    changed = replace(answer, responding_authentication_value=bytes(range(0x80, 0x80 + octets))).encode()
    if accepted:
        both.client.receive(changed)
    else:
        with pytest.raises(SecurityError, match="a challenge has"):
            both.client.receive(changed)
    result = answer_to(request(calling_authentication_value=bytes(range(0x80, 0x80 + octets)))).result
    assert (result is AssociationResult.ACCEPTED) is accepted


@pytest.mark.parametrize(
    ("name", "weakness"), [("md5", Weakness.MD5_AUTHENTICATION), ("sha1", Weakness.SHA1_AUTHENTICATION)]
)
def test_t08_broken_digests_are_off_both_roles(name: str, weakness: Weakness) -> None:
    """Mechanisms 3 and 4 need a permission by name."""
    with pytest.raises(ConfigurationError, match="off by default"):
        named(name)
    with pytest.raises(ConfigurationError, match="off by default"):
        access(auth=name, password="x" * 16)
    assert named(name, allow(weakness)).name == name


# -- T09: passwords ---------------------------------------------------------------------------------------------------


def guarded(lockout: LockoutLimits | None = None, **more: Any) -> Meter:
    made = Meter("KFM1020012345678", **({} if lockout is None else {"lockout": lockout}))
    made.add(REGISTER, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    made.offer(
        PUBLIC_ASSOCIATION,
        AssociationDescription(client=32, mechanism=MECHANISMS[1], secret=Secret(b"open sesame"), **more),
    )
    return made


class Attempts:
    """Tries passwords, each on a connection of its own; gives the octets of the answer."""

    def __init__(self, lockout: LockoutLimits | None = None) -> None:
        self.bench = Bench(guarded(lockout))

    async def at(self, client: int, password: str, peer: str = "home") -> tuple[bool, bytes]:
        self.bench.to_client.clear()
        try:
            exchange = await self.bench.dial(client, access(auth="low", password=password), peer)
        except CosemError:
            return False, self.bench.to_client[0][8:]
        octets = self.bench.to_client[0][8:]
        await exchange.close()
        return True, octets


def test_t09_unknown_wrong_and_locked_out_look_alike_meter() -> None:
    """The octets of the answer are the same for a client nobody knows, a wrong password, and one that is locked out."""
    attempts = Attempts()

    async def main() -> None:
        _, unknown = await attempts.at(77, "anything")
        for _ in range(3):
            assert await attempts.at(32, "wrong") == (False, unknown)
        assert await attempts.at(32, "open sesame") == (False, unknown), "locked out"
        assert (await attempts.at(32, "open sesame", "elsewhere"))[0], "by peer and client"
        await attempts.bench.world.sleep(61)
        assert (await attempts.at(32, "open sesame"))[0]

    attempts.bench.world.run(main())


@pytest.mark.parametrize(("failures", "locked"), [(1, False), (2, True)])
def test_t09_how_long_is_a_setting_meter(failures: int, locked: bool) -> None:
    """Attempts, the first lock and the longest are settings of the meter."""
    attempts = Attempts(LockoutLimits(attempts=2, first_lock=5.0, longest_lock=5.0))

    async def main() -> None:
        for _ in range(failures):
            assert not (await attempts.at(32, "wrong"))[0]
        assert (await attempts.at(32, "open sesame"))[0] is not locked
        await attempts.bench.world.sleep(6)
        assert (await attempts.at(32, "open sesame"))[0]

    attempts.bench.world.run(main())


def test_t09_a_failure_is_an_event_meter() -> None:
    """The engine reports a failed authentication as one, for whoever keeps a log."""
    both = pair(1, secret=b"right", server_secret=b"other")
    both.client.associate()
    both.server.receive(both.client.outgoing()[0])
    (event,) = both.server.events()
    assert isinstance(event, Refused)
    assert event.authentication


def test_t09_a_meter_offers_a_password_only_where_described_meter() -> None:
    """A client without a described password gets in with none."""
    attempts = Attempts()
    assert attempts.bench.world.run(attempts.at(16, "open sesame"))[0] is False


def test_t09_a_password_in_clear_is_warned_of_once_client() -> None:
    """Over a network, and once for a client, however often it connects."""

    async def run() -> None:
        async with serving(guarded(), "tcp://127.0.0.1:0") as server:
            client = AsyncClient.open(f"tcp://{server.url.place}?client=32", password="open sesame")
            for _ in range(2):
                await client.connect()
                await client.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
    assert ["in clear" in str(each.message) for each in caught if each.category is SecurityWarning] == [True]


def test_t09_secrets_are_compared_in_constant_time_both_roles() -> None:
    """No source of ours compares the octets of a secret with `==`: they are given out by `reveal` alone."""
    offenders = [
        f"{path.name}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops)
        and "reveal" in ast.dump(node)
    ]
    assert offenders == []


# -- T10: chance ------------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    return sorted(Path(cosem.__file__).parent.rglob("*.py"))


SIMULATED = ("io/simulated.py", "meter/faults.py", "meter/misbehave.py", "testing/", "fleet/")
"""Where chance comes from a seed, since every run is to be the same."""


def test_t10_chance_comes_from_secrets_alone_both_roles() -> None:
    """No module but those of simulated worlds and of tests imports `random`; none calls `os.urandom`."""
    for path in sources():
        place = path.relative_to(Path(cosem.__file__).parent).as_posix()
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if "random" in names:
                assert place.startswith(SIMULATED), place
        assert "urandom" not in text, place


def test_t10_challenges_and_dedicated_keys_are_fresh_both_roles() -> None:
    """No two associations show the same challenge, in either direction, with the entropy that is used by default."""

    async def run() -> list[bytes]:
        seen: list[bytes] = []
        meter = guarded()
        meter.offer(
            AssociationDescription(client=1, mechanism=MECHANISMS[5], keys=Keys(EK, AK, True, True), protection=BOTH)
        )
        async with serving(meter, "tcp://127.0.0.1:0") as server:
            for _ in range(3):
                client = AsyncClient.open(f"tcp://{server.url.place}?client=1", entry=COMMON)
                await client.connect()
                assert client.services is not None
                challenges = client.services.exchange.session.association._challenges
                assert challenges is not None
                seen += [challenges.client, challenges.server]
                await client.close()
        return seen

    seen = asyncio.run(run())
    assert len(set(seen)) == len(seen) == 6
    assert all(len(each) >= 16 for each in seen)


COMMON = ciphered()


# -- T11: an authentication that binds nothing ------------------------------------------------------------------------


def test_t11_hls_without_protection_is_warned_of_client() -> None:
    """After the fourth pass nothing would be protected: that is said, and is not what keys alone mean."""
    assert access(ek=EK, ak=AK, system_title="434F530000000001", counters=MemoryCounterStore()).protection is BOTH

    async def run() -> None:
        meter = guarded()
        meter.offer(AssociationDescription(client=2, mechanism=MECHANISMS[6], secret=Secret(b"a long HLS secret")))
        async with serving(meter, "tcp://127.0.0.1:0") as server:
            client = AsyncClient.open(
                f"tcp://{server.url.place}?client=2",
                auth="sha256",
                password="a long HLS secret",
                system_title="434F530000000001",
            )
            await client.connect()
            await client.close()

    with pytest.warns(SecurityWarning, match="nothing is protected"):
        asyncio.run(run())


def test_t11_hls_without_protection_is_told_meter() -> None:
    """A meter that offers it says so at its start."""
    meter = guarded()
    assert not any("take over" in notice for notice in meter.notices)
    meter.offer(AssociationDescription(client=2, mechanism=MECHANISMS[6], secret=Secret(b"a long HLS secret")))
    assert any("client 2 " in notice and "take over" in notice for notice in meter.notices)


# -- T12: what can be seen without keys -------------------------------------------------------------------------------


def test_t12_the_public_client_sees_a_whitelist_meter() -> None:
    """Clock, names, associations and counters; not a value of consumption, and nothing to write."""
    bench = Bench(guarded())

    async def look(services: Any) -> set[int]:
        with pytest.raises(DataAccessError):
            await services.get(REGISTER.value)
        with pytest.raises(DataAccessError):
            await services.set(Clock().time_zone, 60)
        assert await services.get(Data("0.0.42.0.0.255").value) == b"KFM1020012345678"
        return {element.class_id for element in await services.get(AssociationLN().object_list)}

    assert bench.run(look, 16, access()) <= {1, 8, 15, 17}


def test_t12_a_general_envelope_hides_the_service_both_roles() -> None:
    """glo- envelopes tell which service they hold; general ones, where they are used, do not."""
    counter = InvocationCounter(MemoryCounterStore(), "name")
    context = SecurityContext(0, CLIENT_TITLE, SERVER_TITLE, EK, AK, counter=counter, general=True)
    get, act = GET.encode(), bytes.fromhex("C301C1000F0000280000FF010100")
    fronts = {context.protect(apdu)[:10] for apdu in (get, act)}
    assert fronts == {bytes.fromhex("DB08") + CLIENT_TITLE}
