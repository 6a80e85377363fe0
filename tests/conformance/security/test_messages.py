"""T01 to T06: what protects each message, and the counters that keep messages apart."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conformance.security.bench import (
    AK,
    BOTH,
    CLIENT_TITLE,
    EK,
    GET,
    GOT,
    SERVER_TITLE,
    Bench,
    Played,
    asking,
    associated,
    by_client,
    by_meter,
    ciphered,
    refusal,
    served,
)
from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.access import access
from cosem.client.services import Services
from cosem.errors import CosemError, InvocationCounterError, SecurityError, SecurityWarning, ServiceRefused
from cosem.io.simulated import Faults, World
from cosem.meter import AssociationDescription, Keys, serving
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.association.context import AssociationLimits, Response
from cosem.protocol.association.counter import (
    ALARM_AT,
    JUMP_LIMIT,
    ROTATE_AT,
    InvocationCounter,
    counter_name,
    received_name,
)
from cosem.protocol.association.state import State
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.link.hdlc.frame import FrameReader
from cosem.store.counters import FileCounterStore
from cosem.store.memory import MemoryCounterStore

REGISTER = Register("1.0.1.8.0.255")
REAL = Keys(Key(b"a key of a meter"), Key(b"another of those"))


def meter(counters: Any = None, keys: Keys = REAL, mechanism: int = 5, secret: Secret | None = None) -> Meter:
    made = Meter("KFM1020012345678", counters=counters or MemoryCounterStore())
    made.add(REGISTER, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    made.offer(
        AssociationDescription(
            client=1, mechanism=MECHANISMS[mechanism], keys=keys, secret=secret, protection=BOTH, name="ciphered"
        )
    )
    return made


def entry(counters: Any = None, auth: str = "gmac", **more: Any) -> Any:
    return ciphered(auth, ek=REAL.encryption, ak=REAL.authentication, counters=counters or MemoryCounterStore(), **more)


async def read(services: Services) -> int:
    return await services.get(REGISTER.value)


# -- T01: an APDU in clear where protection was agreed ----------------------------------------------------------------


def test_t01_plain_apdu_on_a_ciphered_association_meter() -> None:
    """A request in clear is refused undone; the third refusal closes the association, and two do not."""
    limit = AssociationLimits().refused_apdus
    patient, closing = associated(5).server, associated(5).server
    for server, times in ((patient, limit - 1), (closing, limit)):
        for _ in range(times):
            answer = refusal(server, GET.encode())
            assert (answer.state_error, answer.service_error) == (
                StateError.SERVICE_NOT_ALLOWED,
                ServiceErrorCode.DECIPHERING_ERROR,
            )
    assert (patient.state, closing.state) == (State.ASSOCIATED, State.IDLE)
    assert served(patient, by_client(100))
    assert not served(closing, by_client(100))


def test_t01_plain_apdu_on_a_ciphered_association_client() -> None:
    """A value in clear is no answer; an error in clear is an error and never a value."""
    client = asking(associated(5))
    with pytest.raises(SecurityError, match="in clear"):
        client.receive(GOT.encode())
    assert client.events() == []
    with pytest.raises(ServiceRefused):
        client.receive(ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OTHER_REASON).encode())
    assert client.events() == []


# -- T02: tags and the security control octet -------------------------------------------------------------------------

WEAKER = [0x00, 0x10, 0x20, 0x31, 0x32, 0x38, 0x70, 0xB0]
"""In clear, authenticated only, encrypted only, suites 1 and 2, a reserved bit, broadcast key, compressed."""


@pytest.mark.parametrize("control", WEAKER)
def test_t02_the_sender_does_not_choose_the_protection_meter(control: int) -> None:
    """Only the agreed suite and at least the agreed protection are opened at all, whatever verifies."""
    server = associated(5).server
    assert refusal(server, by_client(100, control=control)).service_error is ServiceErrorCode.DECIPHERING_ERROR
    assert served(server, by_client(100))


@pytest.mark.parametrize("control", WEAKER)
def test_t02_the_sender_does_not_choose_the_protection_client(control: int) -> None:
    """The same in the other direction."""
    client = asking(associated(5))
    with pytest.raises(SecurityError):
        client.receive(by_meter(100, control=control))
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]


def cut(envelope: bytes, octets: int) -> bytes:
    """Return an envelope whose tag is so many octets shorter (or longer, with zeros), its length telling so."""
    body = envelope[2:-octets] if octets > 0 else envelope[2:] + bytes(-octets)
    return bytes((envelope[0], len(body))) + body


@pytest.mark.parametrize("octets", [*range(1, 13), -1, -4])
def test_t02_the_tag_has_twelve_octets_meter(octets: int) -> None:
    """A tag that was cut at any place, or that has more, verifies nothing; nor does one with any bit flipped."""
    server = associated(5).server
    refusal(server, cut(by_client(100), octets))
    flipped = bytearray(by_client(100))
    flipped[-1 - octets % 12] ^= 1
    refusal(server, bytes(flipped))
    assert served(server, by_client(100))


@pytest.mark.parametrize("octets", [*range(1, 13), -1, -4])
def test_t02_the_tag_has_twelve_octets_client(octets: int) -> None:
    """The same in the other direction."""
    client = asking(associated(5))
    with pytest.raises(SecurityError):
        client.receive(cut(by_meter(100), octets))
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]


# -- T03: replay ------------------------------------------------------------------------------------------------------


def test_t03_a_replayed_request_is_refused_meter() -> None:
    """The same counter again, or a lower one, is refused after it was verified, and the one expected is told."""
    server = associated(5).server
    assert served(server, by_client(100))
    for old in (100, 99):
        answer = refusal(server, by_client(old))
        assert answer.service_error is ServiceErrorCode.INVOCATION_COUNTER_ERROR
        assert answer.invocation_counter == 101
    assert served(server, by_client(101))


def test_t03_a_recorded_session_does_nothing_on_a_meter_that_was_restarted_meter(tmp_path: Path) -> None:
    """All octets of a session once more, to the meter and to the same meter after a restart: not one is obeyed."""
    bench = Bench(meter(FileCounterStore(tmp_path / "counters")))
    assert bench.run(read, 1, entry()) == 12_345_678
    bench.world.run()
    recorded = list(bench.to_meter)
    for _ in range(2):

        async def replay() -> list[bytes]:
            near, far = bench.world.pair()
            bench.world.spawn(bench.attend(far, "home"))
            heard = []
            for octets in recorded:
                await near.write(octets)
                heard.append(await near.read(bench.world.now() + 5))
            await near.close()
            return heard

        first, *_ = bench.world.run(replay())
        # The association request itself is protected, and refused: exception-response, invocation counter error.
        assert first[8:11].hex().upper() == "D80106"
        bench.meter = meter(FileCounterStore(tmp_path / "counters"))


def test_t03_without_an_association_request_each_request_is_kept_before_it_is_obeyed_meter(tmp_path: Path) -> None:
    """In a pre-established association nothing else stands between a recording and a meter that lost its power."""

    def made() -> Meter:
        meter = Meter("KFM1020012345678", system_title=SERVER_TITLE, counters=FileCounterStore(tmp_path / "counters"))
        meter.add(REGISTER, value=5, scaler_unit=(0, Unit.WATT_HOUR))
        keys = Keys(EK, AK, demonstration=True)
        meter.offer(
            AssociationDescription(
                client=1, keys=keys, protection=BOTH, pre_established=True, client_title=CLIENT_TITLE
            )
        )
        return meter

    async def said(bench: Bench, *counters: int) -> list[bytes]:
        near, far = bench.world.pair()
        bench.world.spawn(bench.attend(far, "home"))
        answers = []
        for counter in counters:
            await near.write(wrapped(by_client(counter)))
            answers.append((await near.read(bench.world.now() + 5))[8:])
            # While the connection is open: what comes after this is the power loss.
            kept = FileCounterStore(tmp_path / "counters").peek(received_name(EK, CLIENT_TITLE))
            assert kept == max(counters[: len(answers)]) + 1
        return answers

    first = Bench(made())
    assert [each[0] for each in first.world.run(said(first, 100, 101, 102))] == [0xCC] * 3
    second = Bench(made())
    assert [each.hex().upper()[:6] for each in second.world.run(replayed(second))] == ["D80106"] * 2


async def replayed(bench: Bench) -> list[bytes]:
    near, far = bench.world.pair()
    bench.world.spawn(bench.attend(far, "home"))
    answers = []
    for counter in (101, 102):
        await near.write(wrapped(by_client(counter)))
        answers.append((await near.read(bench.world.now() + 5))[8:])
    return answers


def wrapped(apdu: bytes) -> bytes:
    return bytes.fromhex("000100010001") + len(apdu).to_bytes(2, "big") + apdu


def test_t03_each_key_has_counters_of_its_own_meter() -> None:
    """What is received under one key, and from one title, says nothing about another."""
    store = MemoryCounterStore()
    other = Keys(Key(b"some other key.."), Key(b"and its friend.."))
    bench = Bench(meter(store))
    assert bench.run(read, 1, entry(invocation_counter=5000)) == 12_345_678
    bench.meter = meter(store, other)
    assert bench.run(read, 1, ciphered(ek=other.encryption, ak=other.authentication)) == 12_345_678
    bench.meter = meter(store)
    assert bench.run(read, 1, entry(system_title="434F530000000002")) == 12_345_678


def test_t03_a_replayed_answer_is_refused_client() -> None:
    """An answer that was received before is no answer, though it verifies."""
    client = asking(associated(5))
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]
    client.send(GET)
    for old in (100, 99):
        with pytest.raises(InvocationCounterError):
            client.receive(by_meter(old))
    client.receive(by_meter(101))
    assert client.events() == [Response(GOT)]


@pytest.mark.parametrize("auth", ["none", "low"])
def test_t03_a_recorded_session_is_not_read_again_client(auth: str, tmp_path: Path) -> None:
    """Without a challenge a whole recorded session verifies again; only its counters, kept in the store, tell.

    A client of another process, with the same store, refuses it at the association; it reads on from the true meter;
    and a meter that was rightly set back is believed once an operator says so, and only with messages that verify.
    """
    words = {"password": "a password"} if auth == "low" else {}
    secret = Secret(b"a password") if auth == "low" else None
    kept = FileCounterStore(tmp_path / "client")
    mechanism = 1 if auth == "low" else 0
    bench = Bench(meter(mechanism=mechanism, secret=secret))
    assert bench.run(read, 1, entry(kept, auth, **words)) == 12_345_678
    recorded = list(bench.to_client)

    async def replayed(**more: Any) -> int:
        how = entry(FileCounterStore(tmp_path / "client"), auth, **words, **more)
        exchange = await bench.enter(1, how, Played(recorded))
        return await Services(exchange).get(REGISTER.value)

    with pytest.raises(InvocationCounterError):
        bench.world.run(replayed())
    assert bench.run(read, 1, entry(kept, auth, **words)) == 12_345_678
    # The very same octets from a meter that was set back: only an operator can tell the difference.
    assert bench.world.run(replayed(approve_counter_reset=True)) == 12_345_678
    with pytest.raises(InvocationCounterError):
        bench.world.run(replayed())
    assert bench.run(read, 1, entry(kept, auth, **words)) == 12_345_678


def test_t03_a_recorded_session_with_hls_fails_at_the_challenge_client() -> None:
    """With HLS the recorded proof is over an old challenge."""
    bench = Bench(meter())
    assert bench.run(read, 1, entry()) == 12_345_678
    with pytest.raises(SecurityError):
        bench.world.run(bench.enter(1, entry(), Played(bench.to_client)))


# -- T04: counters that jump ahead ------------------------------------------------------------------------------------


def forged(envelope: bytes) -> bytes:
    return envelope[:-1] + bytes((envelope[-1] ^ 1,))


def test_t04_a_forged_counter_moves_nothing_meter() -> None:
    """Verified first, then taken note of: a forged message with the greatest counter shuts nobody out."""
    server = associated(5).server
    answer = refusal(server, forged(by_client(COUNTER_MAXIMUM)))
    assert (answer.service_error, answer.invocation_counter) == (ServiceErrorCode.DECIPHERING_ERROR, None)
    assert served(server, by_client(100))


def test_t04_a_forged_counter_moves_nothing_client() -> None:
    """The same in the other direction."""
    client = asking(associated(5))
    with pytest.raises(SecurityError):
        client.receive(forged(by_meter(COUNTER_MAXIMUM)))
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]


@pytest.mark.parametrize(("jump", "accepted"), [(JUMP_LIMIT, True), (JUMP_LIMIT + 1, False)])
def test_t04_what_a_meter_says_of_our_counter_raises_it_within_bounds_client(jump: int, accepted: bool) -> None:
    """An unauthenticated counter raises ours by 2^16 at most, and lowers it never; more needs an operator."""
    store = MemoryCounterStore()
    name = counter_name(EK, CLIENT_TITLE)
    counter = InvocationCounter(store, name, 1)
    following = counter.next() + 1
    if accepted:
        counter.raise_to(following + jump)
        assert counter.next() == following + jump
        counter.raise_to(3)
        assert counter.next() == following + jump + 1
    else:
        with pytest.raises(SecurityError, match="operator"):
            counter.raise_to(following + jump)
        counter.raise_to(following + jump, operator_approved=True)
        assert counter.next() == following + jump


def test_t04_a_typed_counter_is_bounded_too_client() -> None:
    """What an operator mistypes would use up the key: beyond the bound it must be approved in so many words."""
    words: dict[str, Any] = {"ek": EK, "ak": AK, "system_title": "434F530000000001", "invocation_counter": 4294967290}
    with pytest.raises(SecurityError, match="--approve-counter"):
        access(**words, counters=MemoryCounterStore()).counter()
    approved = access(**words, counters=MemoryCounterStore(), approve_counter=True)
    assert approved.counter().next() == 4294967290


# -- T05: the end of the counters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("following", "words"),
    [(ALARM_AT - 1000, None), (ALARM_AT, "half of all"), (ROTATE_AT - 1000, "half of all"), (ROTATE_AT, "four fifths")],
)
def test_t05_alarm_and_rotation_are_told_in_time_client(following: int, words: str | None) -> None:
    """From 2^31 on each connection warns, from four fifths on it asks for a new key.

    Giving the meter its new key by itself is the business of whoever keeps the keys (`InvocationCounter.rotation_due`).
    """
    store = MemoryCounterStore()
    store.raise_to(counter_name(REAL.encryption, bytes.fromhex("434F530000000001")), following)

    async def run() -> None:
        async with serving(meter(), "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=1"
            client = AsyncClient.open(url, entry=entry(store))
            try:
                await client.connect()
                assert await client.get(REGISTER.value) == 12_345_678
            finally:
                await client.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
    seen = [str(each.message) for each in caught if each.category is SecurityWarning]
    assert [words is not None and words in each for each in seen] == ([] if words is None else [True])


@pytest.mark.parametrize(("following", "words"), [(ALARM_AT - 1, None), (ALARM_AT, "half of"), (ROTATE_AT, "fifths")])
def test_t05_alarm_and_rotation_are_told_in_time_meter(following: int, words: str | None) -> None:
    """A meter says it where it says what is weak about it: in its notices."""
    store = MemoryCounterStore()
    made = meter(store)
    store.raise_to(counter_name(REAL.encryption, made.system_title), following)
    assert [words in notice for notice in made.notices if "counters of this key" in notice] == (
        [] if words is None else [True]
    )


def test_t05_the_last_counter_is_the_last_client() -> None:
    """The greatest counter is used, none follows, and none wraps: nothing is sent any more."""
    store = MemoryCounterStore()
    store.raise_to(counter_name(EK, CLIENT_TITLE), COUNTER_MAXIMUM)
    counter = InvocationCounter(store, counter_name(EK, CLIENT_TITLE))
    assert counter.next() == COUNTER_MAXIMUM
    for again in (counter, InvocationCounter(store, counter_name(EK, CLIENT_TITLE))):
        with pytest.raises(SecurityError, match="must be replaced"):
            again.next()


def test_t05_the_last_counter_is_the_last_meter() -> None:
    """A meter at the end of its counters opens no association and sends nothing under the key."""
    store = MemoryCounterStore()
    made = meter(store)
    store.raise_to(counter_name(REAL.encryption, made.system_title), COUNTER_MAXIMUM + 1)
    bench = Bench(made)
    with pytest.raises(CosemError):
        bench.run(read, 1, entry())
    # A glo-initiate-response would be in the AARE: 28, its length, 30.
    assert not any(b"\x28\x1f\x30" in octets for octets in bench.to_client)


# -- T06: a nonce is used once (every crash: tests/unit/store/test_crashes.py) -----------------------------------------


ENVELOPES = (0xC8, 0xCB, 0xCC, 0xCF)
"""glo-get and glo-action, requests and responses."""


def counter_of(apdu: bytes) -> bytes | None:
    return apdu[3:7] if apdu[0] in ENVELOPES and apdu[2] == 0x30 else None


@pytest.mark.parametrize("sender", ["client", "server"])
def test_t06_no_counter_is_used_twice_in_a_session_both_roles(sender: str) -> None:
    """Every message takes the next counter, in either role."""
    both = associated(5)
    both.answer = lambda _: GOT
    for _ in range(50):
        both.client.send(GET)
        both.run()
    counters = [counter_of(octets) for who, octets in both.passed if who == sender]
    used = [number for number in counters if number is not None]
    assert len(set(used)) == len(used) == 51


def test_t06_a_repeated_frame_has_the_same_octets_both_roles() -> None:
    """On a line that loses frames HDLC repeats them: a counter comes twice, and always with the same octets."""
    repeated = {"to_meter": 0, "sent_by_meter": 0}
    for seed in range(12):
        bench = Bench(meter(), "hdlc+tcp", World(seed), Faults(loss=0.12))
        with suppress(CosemError):  # a line as bad as this may end a session
            bench.run(read, 1, entry())
        for direction in repeated:
            reader, seen = FrameReader(Counter()), dict[bytes, bytes]()
            reader.feed(b"".join(getattr(bench, direction)))
            while (frame := reader.frame()) is not None:
                apdu = bytes(frame.information)[3:]
                number = counter_of(apdu) if len(apdu) > 7 else None
                if number is not None:
                    repeated[direction] += number in seen
                    assert seen.setdefault(number, apdu) == apdu
    assert all(repeated.values())
