"""First contact: finding how to talk to an unknown meter, slowly, with a bound, and without changing anything.

What is tried is data: a tuple of attempts, each with what it says, to whom, and how long it waits. The public client
comes first, and nobody authenticates unless access was given. Nothing is written, and no password is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from cosem.client.access import Access
from cosem.client.browse import CURRENT_ASSOCIATION, LOGICAL_DEVICE_NAME, readable
from cosem.client.client import Client, Opener
from cosem.client.clock import Now, read_clock, system_time
from cosem.client.explain import ECHO, HUNG_UP, UNREACHABLE, explain
from cosem.client.recognise import NEIGHBOURS, Recognised, Speech, recognise
from cosem.client.services import Services
from cosem.errors import (
    AssociationRejected,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemError,
    DataAccessError,
    SecurityError,
    ServiceError,
    ShapeError,
    TimedOut,
)
from cosem.io.stream import Stream
from cosem.protocol.apdu.acse import AcseServiceUser
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings, Naming
from cosem.protocol.association.meanings import Meaning
from cosem.protocol.dialect import known_dialects
from cosem.protocol.iec21.message import Identification, Mode, SignOn
from cosem.protocol.link.hdlc import Frame, HdlcAddress, Kind
from cosem.protocol.link.hdlc.frame import DISC, FINAL, SNRM, encode
from cosem.protocol.link.wrapper import HEADER
from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.model.declare import object_for
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.profile.address import DEFAULT_PORT, ConnectionUrl
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.maker import LETTERS, maker_of
from cosem.protocol.values.obis import Obis

ON_IP: Final = 60.0
ON_A_LINE: Final = 300.0
"""Seconds that a probe takes at most."""

LINES: Final = frozenset({"serial", "rfc2217", "modem"})
"""Media that end in a serial line, and get the time of one."""

SWITCHABLE: Final = frozenset({"serial", "rfc2217"})
"""Lines whose speed and format follow us; that of a telephone stays, and each attempt on it is a call."""

CLIENTS: Final = (16, 1, 32, 48)
"""Clients in the order in which they are tried: public, management, reading, configuration."""

ADDRESSES: Final = (
    HdlcAddress(1, None, 1),
    HdlcAddress(1, 17, 2),
    HdlcAddress(1, 16, 2),
    HdlcAddress(1, 1, 2),
    HdlcAddress(1, 127, 2),
    HdlcAddress(1, 17, 4),
    HdlcAddress(1, 16, 4),
    HdlcAddress(1, 1, 4),
    HdlcAddress(1, 0x3FFF, 4),
    HdlcAddress(1, 256, 4),
)
"""HDLC addresses in the order in which they are tried; the greatest of a size is that of all stations."""

SAPS: Final = ((16, 1), (1, 1), (32, 1), (16, 16), (16, 17), (48, 1))
"""Client and server of the wrapper in the order in which they are tried."""

BAUDS: Final = (19200, 2400, 4800, 115200, 38400, 57600, 300)
"""Speeds of direct HDLC behind 9600, the likelier first."""

C12_IDENTIFICATION: Final = bytes.fromhex("EE000000000120 1310")
"""The identification request of ANSI C12.18, which every such meter answers and no other understands."""

IEC_102_LINK_STATUS: Final = bytes.fromhex("104901004A16")
"""The request for the status of link 1 of IEC 60870-5-102."""

SIGN_ON_WITH_PARITY: Final = bytes.fromhex("AF3F218D0A")
"""The sign-on `/?!` with even parity."""

FIRMWARE: Final = tuple(map(Obis, ("1.0.0.2.0.255", "0.0.0.2.0.255", "0.0.0.2.1.255", "1.0.0.2.8.255")))
HEALTH: Final = (97, 98)
"""Value group D of the error and of the alarm objects; C is 97."""

CONNECT: Final = 10.0
FAILURES: Final = 2
"""How often access that was given is refused before it is not used any more: meters lock clients out."""

READ: Final = "read"

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to begin: each of `questions` is sent in turn, and `wait` seconds are listened for an answer."""

    name: str
    url: ConnectionUrl
    questions: tuple[bytes, ...]
    wait: float


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a meter says it is, as far as it lets this client know."""

    logical_device_name: str | None = None
    maker: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How to talk to a meter, what it is, how it is, and what it lets this client read.

    Attributes:
        url: the connection URL.
        speech: what it speaks.
        options: what `cosem read` needs besides the URL, such as `--naming sn`.
        entered: an association was opened; else `refused` says why not.
        objects, readable: how many objects it lists, and how many of their attributes this client may read.
        health: error and alarm objects with their values, by OBIS code.
        clock: how far the meter's clock is ahead, None where that is not known.
        command: the verb that goes on from here; "" where the meter pushes and answers nobody.
    """

    url: ConnectionUrl
    speech: Speech
    options: tuple[str, ...] = ()
    entered: bool = False
    refused: CosemError | None = None
    identity: Identity = field(default_factory=Identity)
    objects: int | None = None
    readable: int | None = None
    health: tuple[tuple[Obis, object], ...] = ()
    clock: timedelta | None = None
    command: str = READ


@dataclass(frozen=True, slots=True)
class NotFound:
    """The layer that failed, what it means, and what was heard all the same."""

    layer: str
    meaning: Meaning
    heard: tuple[Speech, ...] = ()


NOTHING_ON_IP: Final = Meaning(
    "the place takes connections, and nothing that we know was answered",
    (
        "another client holds the meter behind a modem or a serial server: they take one at a time",
        "its address is none of the usual ones, as where it follows from the serial number",
        "its clients and messages are all secret: it answers to protected messages only",
    ),
    "the addresses in the URL as the owner of the meter gives them; the settings of the serial server",
)
NOTHING_ON_A_LINE: Final = Meaning(
    "nothing came over the line",
    (
        "the head is not where the meter's is, or is upside down; A and B, or RX and TX, are interchanged",
        "the address is none of the usual ones, as where it follows from the serial number",
        "the meter must be woken or its port enabled first, with a button or a seal",
    ),
    "the head or the cable; then the addresses in the URL as the owner of the meter gives them",
)
NOISE: Final = Meaning(
    "something is said, and it makes no sense to us",
    (
        "speed or character format are others, and a serial server in between has its own",
        "the head is askew, or the sun shines on it",
        "it speaks a protocol of its own",
    ),
    "the settings of the serial server; cosem listen --raw, to look at the octets",
)


def target_of(text: str) -> ConnectionUrl:
    """Return the place that `host[:port]`, a device or a URL means. Raises ConfigurationError."""
    if "://" in text:
        return ConnectionUrl.parse(text)
    is_device = re.match(r"\.?/|COM\d+$", text, re.IGNORECASE)
    return ConnectionUrl.parse(f"hdlc+serial://{text}" if is_device else f"tcp://{text}")


def plan(target: ConnectionUrl) -> tuple[Attempt, ...]:
    """Return what is tried at a place, in this order."""
    return _plan_on_a_line(target) if target.medium in SWITCHABLE else _plan_on_ip(target)


async def probe(
    target: ConnectionUrl,
    opener: Opener,
    tell: Tell,
    *,
    entry: Access | None = None,
    attempts: Iterable[Attempt] | None = None,
    seconds: float | None = None,
    now: Now = system_time,
) -> Found | NotFound:
    """Find how to talk to the meter at `target`.

    Args:
        target: host and port, or device; its framing and addresses are not believed.
        opener: gives streams.
        tell: is told, line by line, what is done and what is seen.
        entry: access to use besides the public one, as its owner gave it.
        attempts: what is tried; by default `plan(target)`.
        seconds: how long it may take; by default `ON_IP` or `ON_A_LINE`.
        now: the time, for the clock of the meter.

    Raises:
        ConfigurationError: the place cannot be opened in any way that is tried.
    """
    limit = seconds or (ON_A_LINE if target.medium in LINES else ON_IP)
    return await _Probe(opener, tell, entry, limit, now).run(tuple(attempts or plan(target)))


# --- what is tried ---------------------------------------------------------------------------------------------------


def _plan_on_ip(target: ConnectionUrl) -> tuple[Attempt, ...]:
    def over(framing: str) -> ConnectionUrl:
        return _framed(target, framing, port=target.port or (None if target.medium in LINES else DEFAULT_PORT))

    if target.medium == "udp":
        return (Attempt("the wrapper", over("wrapper"), tuple(map(_wrapper_question, SAPS)), 1.5),)
    frames, sign_on = over("hdlc"), over("iec21")
    return (
        Attempt("listening", over("wrapper"), (b"",), 1.5),
        Attempt("the wrapper", over("wrapper"), tuple(map(_wrapper_question, SAPS)), 1.5),
        Attempt("HDLC", frames, tuple(_link_question(16, each) for each in ADDRESSES), 1.0),
        # With the parity of 7E1 as the eighth bit too, for a serial server that stays 8N1.
        Attempt("the sign-on of IEC 62056-21", sign_on, (SignOn("").encode(), SIGN_ON_WITH_PARITY), 2.0),
        Attempt(
            "HDLC as another client",
            frames,
            tuple(_link_question(client, each) for client in (1, 32) for each in ADDRESSES[:8]),
            0.5,
        ),
        Attempt("ANSI C12.18", over("hdlc"), (C12_IDENTIFICATION,), 1.0),
        Attempt("IEC 60870-5-102", over("hdlc"), (IEC_102_LINK_STATUS,), 1.0),
        Attempt("listening for longer", over("wrapper"), (b"",), 11.0),
    )


def _plan_on_a_line(target: ConnectionUrl) -> tuple[Attempt, ...]:
    def over(framing: str, baud: int, character_format: str) -> ConnectionUrl:
        return _framed(target, framing, baud=baud, format=character_format)

    public = tuple(_link_question(16, each) for each in ADDRESSES)
    others = tuple(_link_question(client, each) for client in (1, 32) for each in ADDRESSES[:8])
    sign_on = SignOn("").encode()
    return (
        Attempt("HDLC", over("hdlc", 9600, "8N1"), public, 0.6),
        Attempt("the sign-on of IEC 62056-21", over("iec21", 300, "7E1"), (sign_on, sign_on), 3.0),
        Attempt("listening for P1", over("p1", 115200, "8N1"), (b"",), 11.0),
        Attempt("listening for TIC", over("tic", 1200, "7E1"), (b"",), 4.0),
        Attempt("listening for TIC in standard mode", over("tic", 9600, "7E1"), (b"",), 4.0),
        *(Attempt("HDLC", over("hdlc", baud, "8N1"), public[:5], 0.6) for baud in BAUDS),
        Attempt("HDLC as another client", over("hdlc", 9600, "8N1"), others, 0.6),
        Attempt("the sign-on at 9600 baud", over("iec21", 9600, "7E1"), (sign_on,), 2.0),
        Attempt("listening for pushes", over("hdlc", 2400, "8E1"), (b"",), 12.0),
        Attempt("listening for pushes", over("hdlc", 9600, "8N1"), (b"",), 12.0),
        Attempt("P1 of the second version", over("p1", 9600, "7E1"), (b"",), 11.0),
        Attempt("ANSI C12.18", over("hdlc", 9600, "8N1"), (C12_IDENTIFICATION,), 1.0),
        Attempt("IEC 60870-5-102", over("hdlc", 9600, "8N1"), (IEC_102_LINK_STATUS,), 1.0),
    )


def _link_question(client: int, server: HdlcAddress) -> bytes:
    return encode(server.encode(), HdlcAddress(client, None, 1).encode(), SNRM | FINAL)


def _wrapper_question(saps: tuple[int, int]) -> bytes:
    association = ClientAssociation(ClientSettings())
    association.associate()
    (apdu,) = association.outgoing()
    return HEADER.pack(1, *saps, len(apdu)) + apdu


# --- how it is done --------------------------------------------------------------------------------------------------


class _Bounded:
    """A stream that nobody reads from after a time."""

    def __init__(self, stream: Stream, until: float) -> None:
        self._stream = stream
        self._until = until

    async def read(self, deadline: float | None, /) -> bytes:
        if self._stream.now() >= self._until:
            raise TimedOut("probe")
        return await self._stream.read(self._until if deadline is None else min(deadline, self._until))

    async def write(self, octets: bytes, /) -> None:
        await self._stream.write(octets)

    async def close(self) -> None:
        await self._stream.close()

    def now(self) -> float:
        return self._stream.now()


class _Probe:
    """One search: what was heard so far, and how much time is left."""

    def __init__(self, opener: Opener, tell: Tell, entry: Access | None, limit: float, now: Now) -> None:
        self._opener = opener
        self._tell = tell
        self._entry = entry
        self._limit = limit
        self._now = now
        self._stream: _Bounded | None = None  # the last one, which tells the time
        self._until = 0.0
        self._heard: list[Speech] = []
        self._hung_up = 0
        self._refusals = 0  # of the access that was given

    async def run(self, attempts: tuple[Attempt, ...]) -> Found | NotFound:
        """Try one after the other, until one leads somewhere or the time is over."""
        best: Found | None = None
        refused: ConfigurationError | None = None
        for attempt in attempts:
            if self._left() <= 0:
                self._tell(f"the {self._limit:g} seconds are over")
                break
            try:
                heard = await self._try(attempt)
            except ConfigurationError as error:
                self._tell(f"  {error}")  # a port that cannot run like this, as those of some adapters
                refused = error
                continue
            except ConnectionFailed as error:
                self._tell(f"  {error}")
                if self._stream is None:
                    return NotFound(_layer_below(attempt.url), explain(error) or UNREACHABLE)
                self._hung_up += 1
                continue
            if heard is None:
                continue
            self._heard.append(heard.speech)
            if heard.speech in NEIGHBOURS:
                return NotFound("protocol", _neighbour(heard.speech), tuple(self._heard))
            found = await self._follow(attempt, heard)
            if found is not None and (found.entered or found.command != READ):
                return found
            best = best or found
            if best is not None:
                break  # it is found, and lets nobody in without more than we have
        if self._stream is None and refused is not None:
            raise refused
        return best or self._failure(attempts)

    async def _open(self, url: ConnectionUrl, seconds: float) -> Stream:
        stream = await self._opener(url, max(0.1, min(seconds, self._left())))
        if self._stream is None:
            self._until = stream.now() + self._limit
        self._stream = _Bounded(stream, self._until)
        return self._stream

    def _left(self) -> float:
        return self._limit if self._stream is None else self._until - self._stream.now()

    async def _try(self, attempt: Attempt) -> Recognised | None:
        """Ask each question of an attempt; return what the first answer is that means something."""
        url = attempt.url
        line = "" if url.baud is None else f" at {url.baud} baud {url.format}"
        self._tell(f"trying {attempt.name}{line}")
        stream = await self._open(_framed(url, "hdlc"), CONNECT)  # a stream knows no framing
        try:
            for question in attempt.questions:
                heard = await self._ask(stream, question, attempt.wait)
                if heard is None:
                    continue
                if heard.speech not in self._heard or heard.evidence is not None:
                    self._tell(f"  heard {heard.speech.value}{_shown(heard)}")
                if heard.speech not in (Speech.ECHO, Speech.NOISE):
                    await self._leave(stream, heard)
                    return heard
                self._heard.append(heard.speech)
        except (ConnectionLost, TimedOut) as error:
            self._hung_up += isinstance(error, ConnectionLost)
            self._tell(f"  {error}")
        finally:
            await stream.close()
        return None

    async def _ask(self, stream: Stream, question: bytes, wait: float) -> Recognised | None:
        if question:
            await stream.write(question)
        until = min(stream.now() + wait, self._until)
        octets = bytearray()
        heard: Recognised | None = None
        while stream.now() < until and len(octets) < _ENOUGH:
            arrived = await stream.read(until)
            if not arrived:
                break
            octets += arrived
            heard = recognise(bytes(octets), question)
            if heard is not None and heard.speech not in _MAY_BECOME_MORE:
                break
        return heard

    async def _leave(self, stream: Stream, heard: Recognised) -> None:
        """Take down a link that an SNRM has set up."""
        frame = _answer_frame(heard)
        if frame is not None and frame.kind is Kind.UNNUMBERED_ACKNOWLEDGE:
            await stream.write(encode(frame.source, frame.destination, DISC | FINAL))
            await stream.read(stream.now() + 1.0)

    async def _follow(self, attempt: Attempt, heard: Recognised) -> Found | None:
        """Make of what was heard a URL, and of the URL an association where there is one to be had."""
        url, speech, evidence = attempt.url, heard.speech, heard.evidence
        if speech is Speech.WRAPPER:
            server, client = evidence
            return await self._enter(_framed(url, "wrapper", server=server, client=client), speech)
        if speech is Speech.HDLC:
            frame = _answer_frame(heard)
            if frame is None:
                return Found(_framed(url, "hdlc"), speech, command="")
            address = HdlcAddress.decode(frame.source)
            client = HdlcAddress.decode(frame.destination).upper
            addressed = replace(
                _framed(url, "hdlc"),
                server=address.upper,
                physical=address.lower,
                address_size=address.size,
                client=client,
            )
            return await self._enter(addressed, speech)
        line = _line_of(heard)
        if isinstance(evidence, Identification):
            return await self._signed_on(url, evidence, line)
        framing = {Speech.P1: "p1", Speech.TIC: "tic"}.get(speech)
        if framing is not None:
            return Found(_framed(url, framing, **line), speech, command="listen")
        if speech is Speech.READOUT:
            return Found(_framed(url, "iec21", mode="D", **line), speech, entered=True)
        return None

    async def _signed_on(self, url: ConnectionUrl, who: Identification, line: dict[str, str]) -> Found | None:
        """Go on behind an identification: with HDLC where the meter offers it, else with its readout."""
        identity = Identity(str(who), maker_of(who.manufacturer.encode("ascii")))
        plain = Found(_framed(url, "iec21", **line), Speech.IDENTIFICATION, entered=True, identity=identity)
        if who.mode is not Mode.E:
            return plain
        try:
            signed = _framed(url, "hdlc", baud=None, format=None, sign_on="iec21", **line)
        except ConfigurationError:
            return plain
        for address in ADDRESSES[:5]:
            if self._left() <= 0:
                break
            found = await self._enter(
                replace(signed, server=address.upper, physical=address.lower, address_size=address.size),
                Speech.IDENTIFICATION,
            )
            if found is not None and (found.entered or isinstance(found.refused, ServiceError)):
                return found
        return plain

    async def _enter(self, url: ConnectionUrl, speech: Speech) -> Found | None:
        """Open an association, as the client that was answered and then as others.

        Everybody may try to enter without proof, and what each is told shows to whom access that was given belongs: it
        is used there first, and not again once it was refused a few times.
        """
        entered: Found | None = None
        refused: list[tuple[int, ConnectionUrl, CosemError]] = []
        for client in dict.fromkeys((url.client, *CLIENTS)):
            at = replace(url, client=client)
            found = await self._enter_as(at, Access(), speech)
            if isinstance(found, CosemError) and _speaks_short_names(found):
                told, found = found, await self._enter_as(at, Access(naming=Naming.SHORT_NAMES), speech)
                found = told if isinstance(found, CosemError) else found
            if found is None:
                return None
            if isinstance(found, CosemError):
                refused.append((_rank(found), at, found))
                continue
            if self._entry is None:
                return found
            entered = entered or found
        refused.sort(key=lambda each: each[0])
        if self._entry is not None:
            for _, at, _ in refused:
                if self._refusals < FAILURES and isinstance(
                    found := await self._enter_as(at, self._entry, speech), Found
                ):
                    return found
        if entered is not None or not refused:
            return entered
        _, at, error = refused[0]
        return Found(at, speech, options=_wanted(error), refused=error)

    async def _enter_as(self, at: ConnectionUrl, access: Access, speech: Speech) -> Found | CosemError | None:
        """Return what was found inside, or why we did not get in; None where this version cannot go there."""
        session = Client(at, access, PATIENCE, opener=self._open)
        who = f"client {at.client} by {access.naming.name.lower().replace('_', ' ')}"
        try:
            services, _ = await session.enter(at)
        except ConfigurationError:
            return None
        except CosemError as error:
            self._tell(f"  {who}: {error}")
            if access is self._entry and _is_wrong(error):
                self._refusals += 1
            return error
        self._tell(f"  {who}: entered")
        try:
            return await self._look(at, access, services, speech)
        finally:
            await services.exchange.close()

    async def _look(self, url: ConnectionUrl, access: Access, services: Services, speech: Speech) -> Found:
        """Read who the meter is, how it is, and what it lets us read; what it refuses is left out."""
        options = ("--naming sn",) if access.naming is Naming.SHORT_NAMES else ()
        found = Found(url, speech, options=_credentials(access) + options, entered=True)
        try:
            name = _text(await _value(services, LOGICAL_DEVICE_NAME.value))
            maker = None if name is None else maker_of(name.encode("latin-1", "replace"))
            found = replace(found, identity=Identity(name, maker), options=found.options + _dialect(name))
            listed = await services.objects(AssociationLN(CURRENT_ASSOCIATION))
            there = {each.logical_name for each in listed}
            allowed = [readable(each, object_for(each.class_id, each.version, each.logical_name)) for each in listed]
            found = replace(found, objects=len(listed), readable=sum(map(len, allowed)))
            firmware = [_text(await _value(services, Data(each).value)) for each in FIRMWARE if each in there]
            identity = replace(found.identity, firmware=next(filter(None, firmware), None))
            wanted = [each.logical_name for each in listed if each.class_id == Data.class_id and _is_health(each)]
            health = tuple([(each, await _value(services, Data(each).value)) for each in wanted])
            found = replace(found, identity=identity, health=health)
            return replace(found, clock=(await read_clock(services, None, now=self._now)).offset)
        except CosemError as error:
            self._tell(f"  {error}")
            return found

    def _failure(self, attempts: tuple[Attempt, ...]) -> NotFound:
        heard = tuple(dict.fromkeys(self._heard))
        on_a_line = bool(attempts) and attempts[0].url.medium in LINES
        silence = ("the line", NOTHING_ON_A_LINE) if on_a_line else ("framing", NOTHING_ON_IP)
        judged = (
            (Speech.NOISE in heard, ("the line" if on_a_line else "framing", NOISE)),
            (Speech.ECHO in heard, ("the line", ECHO)),
            (self._hung_up > 1 and not on_a_line, ("transport", HUNG_UP)),
            (True, silence),
        )
        layer, meaning = next(verdict for holds, verdict in judged if holds)
        return NotFound(layer, meaning, heard)


PATIENCE: Final = Timing(connect=5.0, link=3.0, association=4.0, response=6.0, release=1.0)
"""How long a meter may take that was already heard."""

_ENOUGH: Final = 8192
_MAY_BECOME_MORE: Final = frozenset({Speech.ECHO, Speech.NOISE, Speech.IDENTIFICATION, Speech.C12_18, Speech.READOUT})
"""What may turn out to be something else with the octets that follow."""


def _answer_frame(heard: Recognised) -> Frame | None:
    """Return the frame that answers an SNRM; None where there are only others, such as pushes."""
    frames: tuple[Frame, ...] = heard.evidence if heard.speech is Speech.HDLC else ()
    answers = (Kind.UNNUMBERED_ACKNOWLEDGE, Kind.DISCONNECTED_MODE, Kind.FRAME_REJECT)
    return next((each for each in frames if each.kind in answers), None)


def _framed(url: ConnectionUrl, framing: str, **others: Any) -> ConnectionUrl:
    """Return the same place under another framing, with the line as it is."""
    line: dict[str, Any] = {"baud": url.baud, "format": url.format}
    place: dict[str, Any] = {"medium": url.medium, "host": url.host, "port": url.port, "path": url.path}
    place |= {"number": url.number, "pin": url.pin, "init": url.init, "answer_wait": url.answer_wait}
    return ConnectionUrl(framing=framing, **{**place, **line, **others})


def _line_of(heard: Recognised) -> dict[str, str]:
    """Return what a URL has to say of a line on which octets came like this."""
    said = {"parity": "software"} if heard.parity else {}
    return said | ({"echo": "strip"} if heard.echoed else {})


def _layer_below(url: ConnectionUrl) -> str:
    return "serial line" if url.medium in LINES else f"transport ({url.medium.upper()})"


def _neighbour(speech: Speech) -> Meaning:
    return Meaning(
        NEIGHBOURS[speech],
        (f"the octets that came are those of {speech.value}",),
        "the software of its kind, or another port of the meter",
    )


def _rank(error: CosemError) -> int:
    """Tell how near to an open association an answer is: 0 where only the right secret is missing."""
    if isinstance(error, AssociationRejected):
        return next((_NEAR[each] for each in error.evidence if isinstance(each, AcseServiceUser) and each in _NEAR), 3)
    return 3 if isinstance(error, ServiceError | SecurityError) else 4


_NEAR: Final = {
    AcseServiceUser.AUTHENTICATION_REQUIRED: 0,
    AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_REQUIRED: 0,
    AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED: 0,
    AcseServiceUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED: 1,
    AcseServiceUser.AUTHENTICATION_FAILURE: 2,  # some say so to clients that they do not know
}


def _speaks_short_names(error: CosemError) -> bool:
    """Tell whether an answer to logical names may be due to them."""
    if isinstance(error, AssociationRejected):
        return bool(error.hint) or AcseServiceUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED in error.evidence
    return isinstance(error, SecurityError)


def _dialect(name: str | None) -> tuple[str, ...]:
    """Name the dialect where any meter of this maker is known for one, so that nobody has to find out twice."""
    letters = (name or "")[:LETTERS].upper()
    known = {f"--dialect {each.maker}/{each.model}".rstrip("/") for each in known_dialects() if each.maker == letters}
    return ("if something fails, " + " or ".join(sorted(known)),) if known else ()


def _is_wrong(error: CosemError) -> bool:
    """Tell whether the meter has counted a failed authentication."""
    return isinstance(error, AssociationRejected) and AcseServiceUser.AUTHENTICATION_FAILURE in error.evidence


def _credentials(access: Access) -> tuple[str, ...]:
    return ("with the access that was given",) if access.mechanism.identifier or access.secured else ()


def _wanted(error: CosemError) -> tuple[str, ...]:
    """Say what has to be given to a meter that was found and lets nobody in without."""
    return ("--password or --ek and --ak",) if isinstance(error, AssociationRejected | SecurityError) else ()


def _shown(heard: Recognised) -> str:
    frame = _answer_frame(heard)
    if frame is not None:
        return f": {frame.kind.value} of server {HdlcAddress.decode(frame.source)}"
    return f": {heard.evidence}" if isinstance(heard.evidence, Identification) else ""


def _is_health(listed: ObjectListElement) -> bool:
    instance = listed.logical_name
    return instance.a == 0 and instance.c == 97 and instance.d in HEALTH


async def _value(services: Services, reference: Any) -> Any:
    try:
        return await services.get(reference)
    except (DataAccessError, ShapeError):
        return None


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return bytes(value).decode("latin-1").rstrip("\0 ") if value else None
    return value if isinstance(value, str) else None
