"""Client and station of the Elgama byte protocol, joined and apart. No peer is public: frames alone are captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem.errors import LocalProtocolError, RemoteProtocolError, SecurityError, TimedOut
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import models, tables
from cosem.protocol.elgama.client import ANSWER, Accepted, Answered, ElgamaClient, Refused
from cosem.protocol.elgama.frame import Command, Frame
from cosem.protocol.elgama.proof import prove
from cosem.protocol.elgama.station import INTER_OCTET, Asked, ElgamaStation, ProofRefused, Proven

SERIAL = 925948
PASSWORD = Secret(b"12345")
CHALLENGE = bytes(range(8))
STATIONS_OWN = bytes(range(8, 16))
TABLES = {tables.EPQS_MODEL: b"EPQS"}


def client(model: models.Model = models.EPQS, password: Secret | None = PASSWORD) -> ElgamaClient:
    return ElgamaClient(model, SERIAL, password)


def station(password: Secret | None = PASSWORD, entropy: Callable[[int], bytes] = lambda _: STATIONS_OWN) -> Any:
    return ElgamaStation(models.EPQS, SERIAL, TABLES.get, password=password, entropy=entropy)


def joined(asking: ElgamaClient, answering: ElgamaStation) -> None:
    while octets := asking.outgoing():
        answering.receive(octets, 0.0)
        asking.receive(answering.outgoing(), 0.0)


def test_the_first_request_is_the_captured_one() -> None:
    asking = client()
    asking.ask(tables.EPQS_MODEL, 0.0)
    assert asking.outgoing().hex().upper() == "0E4859920000000101800A00CB0A"


@pytest.mark.parametrize(("model", "modulus"), [(models.EPQS, 9), (models.EPQM, 256)])
def test_counters_roll(model: models.Model, modulus: int) -> None:
    asking = client(model)
    seen: list[int] = []
    for _ in range(modulus + 2):
        asking.ask(b"\x00\x00", 0.0)
        asked = Frame.decode(asking.outgoing())
        seen.append(asked.counter)
        asking.receive(Frame(SERIAL, asked.counter, Command.DAT).encode(), 0.0)
    assert seen == [number % modulus for number in range(1, modulus + 3)]
    assert len(asking.events()) == modulus + 2


def test_a_table_and_one_that_is_not_there() -> None:
    asking, answering = client(), station()
    for table in (tables.EPQS_MODEL, tables.EPQS_CLOCK):
        asking.ask(table, 0.0)
        joined(asking, answering)
    assert asking.events() == [Answered(b"EPQS"), Refused(b"")]
    assert answering.events() == [Asked(tables.EPQS_MODEL, True), Asked(tables.EPQS_CLOCK, False)]
    assert not asking.waiting
    assert asking.deadline() is None


def test_both_prove_themselves() -> None:
    asking, answering = client(), station()
    asking.request(CHALLENGE + bytes(8), CHALLENGE, 0.0)
    joined(asking, answering)
    (event,) = asking.events()
    assert isinstance(event, Accepted)
    assert answering.events() == [Proven(CHALLENGE + bytes(8))]


def test_the_proof_of_the_client_is_on_what_the_station_has_asked() -> None:
    asking = client()
    asking.request(b"\x01", CHALLENGE, 0.0)
    asking.outgoing()
    asking.receive(Frame(SERIAL, 1, Command.ECO, prove(PASSWORD, CHALLENGE) + STATIONS_OWN).encode(), 0.0)
    sent = Frame.decode(asking.outgoing())
    assert (sent.command, sent.counter) == (Command.AUT, 1)
    assert sent.body == bytes(8) + prove(PASSWORD, STATIONS_OWN)


def test_a_station_with_another_password_gets_no_proof() -> None:
    asking = client()
    asking.request(CHALLENGE, CHALLENGE, 0.0)
    with pytest.raises(SecurityError, match="does not know the password"):
        joined(asking, station(Secret(b"other")))
    assert asking.outgoing() == b""
    assert not asking.waiting


def test_a_client_with_another_password_is_rejected() -> None:
    answering = station()
    answering.receive(Frame(SERIAL, 1, Command.REC, CHALLENGE).encode(), 0.0)
    assert Frame.decode(answering.outgoing()).command is Command.ECO
    answering.receive(Frame(SERIAL, 1, Command.AUT, bytes(16)).encode(), 0.0)
    assert Frame.decode(answering.outgoing()).command is Command.ARJ
    answering.receive(Frame(SERIAL, 1, Command.AUT, bytes(8) + prove(PASSWORD, STATIONS_OWN)).encode(), 0.0)
    assert Frame.decode(answering.outgoing()).command is Command.ARJ
    assert answering.events() == [ProofRefused(), ProofRefused()]


def test_rejection_and_unequal_halves_are_refusals() -> None:
    for answer in (Frame(SERIAL, 1, Command.ARJ), Frame(SERIAL, 1, Command.ECO, CHALLENGE + STATIONS_OWN)):
        asking = client()
        asking.request(b"\x01", CHALLENGE, 0.0)
        asking.receive(Frame(SERIAL, 1, Command.ECO, prove(PASSWORD, CHALLENGE) + STATIONS_OWN).encode(), 0.0)
        asking.receive(answer.encode(), 0.0)
        (event,) = asking.events()
        assert isinstance(event, Refused)


def test_a_station_without_password_protects_nothing() -> None:
    asking = client()
    asking.request(CHALLENGE, CHALLENGE, 0.0)
    joined(asking, station(None))
    assert asking.events() == [Refused(b"")]


def test_what_is_not_ours_is_passed_over() -> None:
    asking = client()
    asking.ask(tables.EPQS_MODEL, 0.0)
    own = asking.outgoing()
    for octets in (own, Frame(1, 1, Command.DAT).encode(), Frame(SERIAL, 2, Command.DAT).encode(), b"noise"):
        asking.receive(octets, 0.0)
    assert asking.events() == []
    assert (asking.counters["echoes"], asking.counters["foreign"]) == (1, 2)
    asking.tick(5.0)
    asking.receive(Frame(SERIAL, 1, Command.DAT, b"x").encode(), 5.0)
    assert asking.events() == [Answered(b"x")]
    asking.receive(b"late", 6.0)
    assert asking.counters["unasked octets"] == 4


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(Command.ENQ, Command.ECO), (Command.ENQ, Command.AUT), (Command.REC, Command.DAT), (Command.REC, Command.ECO)],
)
def test_wrong_answers_are_errors(asked: Command, answer: Command) -> None:
    asking = client()
    if asked is Command.ENQ:
        asking.ask(tables.EPQS_MODEL, 0.0)
    else:
        asking.request(b"\x01", CHALLENGE, 0.0)
    with pytest.raises(RemoteProtocolError):
        asking.receive(Frame(SERIAL, 1, answer, bytes(15)).encode(), 0.0)
    assert not asking.waiting


def test_silence_repeats_the_same_octets_and_ends() -> None:
    asking = client()
    asking.ask(tables.EPQS_MODEL, 0.0)
    first = asking.outgoing()
    for turn in (1, 2):
        assert asking.deadline() == turn * ANSWER
        asking.tick(turn * ANSWER - 0.001)
        assert asking.outgoing() == b""
        asking.tick(turn * ANSWER)
        assert asking.outgoing() == first
    with pytest.raises(TimedOut):
        asking.tick(3 * ANSWER)
    assert not asking.waiting


def test_a_lying_length_does_not_hide_the_answer() -> None:
    asking = client()
    asking.ask(tables.EPQS_MODEL, 0.0)
    asking.receive(b"\xff" + Frame(SERIAL, 1, Command.DAT, b"x").encode(), 1.0)
    assert asking.deadline() == 3.0
    asking.tick(3.0)
    assert asking.events() == [Answered(b"x")]


def test_the_caller_is_told_what_is_not_allowed() -> None:
    asking = client(password=None)
    with pytest.raises(LocalProtocolError, match="password"):
        asking.request(b"", CHALLENGE, 0.0)
    with pytest.raises(LocalProtocolError, match="8 octets"):
        client().request(b"", bytes(7), 0.0)
    asking.ask(tables.EPQS_MODEL, 0.0)
    with pytest.raises(LocalProtocolError, match="awaited"):
        asking.ask(tables.EPQS_MODEL, 0.0)


def test_the_station_passes_over_what_is_for_others_and_gives_up_halves() -> None:
    answering = station()
    other = Frame(1, 1, Command.ENQ, tables.EPQS_MODEL).encode()
    beyond = Frame(SERIAL, 9, Command.ENQ, tables.EPQS_MODEL).encode()
    asked = Frame(SERIAL, 8, Command.ENQ, tables.EPQS_MODEL).encode()
    answering.receive(other + beyond + b"\xf0" + asked, 0.0)
    assert answering.outgoing() == b""
    assert answering.counters["passed over"] == 2
    assert answering.deadline() == INTER_OCTET
    answering.tick(INTER_OCTET)
    assert Frame.decode(answering.outgoing()) == Frame(SERIAL, 8, Command.DAT, b"EPQS")
    assert answering.deadline() is None
