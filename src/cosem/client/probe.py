"""First contact: finding how to talk to an unknown meter, slowly, with a bound, and without changing anything.

What is tried is data (`cosem.client.attempts`), and so is what comes of it (`cosem.client.verdict`). The public client
comes first, and nobody authenticates unless access was given. Nothing is written, and no password is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from cosem.client.access import Access
from cosem.client.attempts import ADDRESSES, LINES, Attempt, derived, framed, plan, questions
from cosem.client.bounded import Bounded, bounded
from cosem.client.client import Client, Opener
from cosem.client.clock import Now, system_time
from cosem.client.explain import ECHO, HUNG_UP, UNREACHABLE, explain
from cosem.client.local import LocalExchange, sign_on
from cosem.client.look import HEALTH, look
from cosem.client.recognise import NEIGHBOURS, Recognised, Speech, recognise
from cosem.client.verdict import (
    LISTEN,
    NOISE,
    NOTHING_ON_A_LINE,
    NOTHING_ON_IP,
    READ,
    Found,
    Identity,
    NotFound,
)
from cosem.errors import (
    AssociationRejected,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemError,
    RemoteProtocolError,
    SecurityError,
    ServiceError,
    TimedOut,
    TransportError,
)
from cosem.io.open import HEARD
from cosem.io.stream import Stream
from cosem.protocol.apdu.acse import AcseServiceUser
from cosem.protocol.association.context import Naming
from cosem.protocol.association.meanings import Meaning
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import ReadoutReceived
from cosem.protocol.iec21.message import Identification, Mode, Option
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.link.hdlc import Frame, HdlcAddress, Kind
from cosem.protocol.link.hdlc.frame import DISC, FINAL, encode
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.local import reader_settings
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.maker import LETTERS, maker_of
from cosem.protocol.values.obis import Obis

ON_IP: Final = 60.0
ON_A_LINE: Final = 300.0
"""Seconds that a probe takes at most."""

CLIENTS: Final = (16, 1, 32, 48)
"""Clients in the order in which they are tried: public, management, reading, configuration."""

CLOCK_LINES: Final = frozenset(((0, 9, 1), (0, 9, 2)))
"""Value groups C, D and E of time and date in a readout."""

CONNECT: Final = 10.0
READOUT: Final = 90.0
"""Seconds that a readout may take: one of 300 baud takes a minute and more."""
UNASKED: Final = 20.0
"""Seconds that a meter of mode D is waited for, which was heard already."""
FOLLOWS: Final = 0.5
"""Seconds within which the rest of a telegram comes behind an identification, or it was none of a telegram."""
QUIET: Final = 1.5
"""Seconds of silence after which a meter of IEC 62056-21 that was left without an answer has said all it had to."""
TOGETHER: Final = 5
"""How many addresses are asked behind one sign-on: meters wait for their reader no longer than some seconds."""
FAILURES: Final = 2
"""How often access that was given is refused before it is not used any more: meters lock clients out."""

Tell = Callable[[str], object]


async def probe(
    target: ConnectionUrl,
    opener: Opener,
    tell: Tell,
    *,
    entry: Access | None = None,
    serial_number: str | None = None,
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
        serial_number: that of the meter, from which HDLC addresses may follow; by default what the URL says.
        attempts: what is tried; by default `plan(target, serial_number)`.
        seconds: how long it may take; by default `ON_IP` or `ON_A_LINE`.
        now: the time, for the clock of the meter.

    Raises:
        ConfigurationError: the place cannot be opened in any way that is tried, or the serial number is none.
    """
    limit = seconds or (ON_A_LINE if target.medium in LINES else ON_IP)
    number = serial_number or target.serial_number
    search = _Probe(opener, tell, entry, derived(number) if number else (), limit, now)
    return await search.run(tuple(attempts or plan(target, number)))


# --- how it is done --------------------------------------------------------------------------------------------------


class _Probe:
    """One search: what was heard so far, and how much time is left."""

    def __init__(
        self,
        opener: Opener,
        tell: Tell,
        entry: Access | None,
        addresses: tuple[HdlcAddress, ...],
        limit: float,
        now: Now,
    ) -> None:
        self._opener = opener
        self._tell = tell
        self._entry = entry
        self._addresses = addresses  # that follow from the serial number
        self._limit = limit
        self._now = now
        self._stream: Bounded | None = None  # the last one, which tells the time
        self._signing_on: Bounded | None = None  # on which a meter has told who it is, and waits for an answer
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
                attempt, heard = await self._try_in_software_too(attempt)
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

    async def _open(self, url: ConnectionUrl, seconds: float) -> Bounded:
        stream = await self._opener(url, max(0.1, min(seconds, self._left())))
        if self._stream is None:
            self._until = stream.now() + self._limit
        self._stream = bounded(stream, self._until)
        return self._stream

    def _left(self) -> float:
        return self._limit if self._stream is None else self._until - self._stream.now()

    async def _try_in_software_too(self, attempt: Attempt) -> tuple[Attempt, Recognised | None]:
        """Try with the parity made here where the port cannot make it; return what was tried and heard."""
        try:
            return attempt, await self._try(attempt)
        except ConfigurationError as error:
            if attempt.url.format != WITH_PARITY or attempt.url.parity is not None:
                raise
            self._tell(f"  {error}; once more with the parity made here")
        made_here = replace(attempt, url=replace(attempt.url, parity="software"))
        return made_here, await self._try(made_here)

    async def _try(self, attempt: Attempt) -> Recognised | None:
        """Ask each question of an attempt; return what the first answer is that means something."""
        url = attempt.url
        line = "" if url.baud is None else f" at {url.baud} baud {url.format}"
        self._tell(f"trying {attempt.name}{line}")
        stream = await self._open(framed(url, "hdlc"), CONNECT)  # a stream knows no framing
        try:
            for question in attempt.questions:
                heard = await self._ask(stream, question, attempt.wait)
                if heard is None:
                    continue
                if heard.speech not in self._heard or heard.evidence is not None:
                    self._tell(f"  heard {heard.speech.value}{_shown(heard)}")
                if heard.speech not in (Speech.ECHO, Speech.NOISE):
                    await self._leave(stream, heard)
                    who = _waiting(heard)
                    if who is not None:
                        stream.repeat(question, who.encode())
                        self._signing_on = stream
                    return heard
                self._heard.append(heard.speech)
        except (ConnectionLost, TimedOut) as error:
            self._hung_up += isinstance(error, ConnectionLost)
            self._tell(f"  {error}")
        finally:
            if stream is not self._signing_on:
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
            if heard is not None and heard.speech is Speech.IDENTIFICATION:
                until = min(
                    until, stream.now() + FOLLOWS
                )  # a meter waits for its reader no longer than a second or two
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
            return await self._enter(framed(url, "wrapper", server=server, client=client), speech)
        if speech is Speech.HDLC:
            frame = _answer_frame(heard)
            if frame is None:
                if ("han", url.medium) in HEARD:  # a port that only speaks, as those for customers do
                    return Found(framed(url, "han"), speech, command=LISTEN)
                return Found(framed(url, "hdlc"), speech, command="")
            return await self._enter(_addressed(framed(url, "hdlc"), frame), speech)
        line = _line_of(heard, url)
        if isinstance(evidence, Identification):
            return await self._signed_on(framed(url, "iec21", **line), evidence)
        framing = FOLLOWED.get(speech)
        if framing is not None:
            there = framed(url, framing, **line)
            return Found(there, speech, identity=_said_first(heard), command=LISTEN, note=NOTES.get(speech, ""))
        if speech is Speech.READOUT:
            there = framed(url, "iec21", **line, mode=Mode.D.value)
            return await self._read_out(Found(there, speech, entered=True))
        return None

    async def _signed_on(self, url: ConnectionUrl, who: Identification) -> Found | None:
        """Go on behind an identification: with HDLC where the meter offers it, else with its readout."""
        identity = Identity(str(who), maker_of(who.manufacturer.encode("ascii")))
        plain = Found(url, Speech.IDENTIFICATION, entered=True, identity=identity)
        if who.mode is Mode.E:
            try:
                found = await self._behind_sign_on(framed(url, "hdlc", sign_on="iec21"), who)
            except ConfigurationError as error:
                self._tell(f"  {error}")
            else:
                if found is not None and (found.entered or isinstance(found.refused, ServiceError)):
                    return found
        return await self._read_out(plain)

    async def _behind_sign_on(self, url: ConnectionUrl, who: Identification) -> Found | None:
        """Call stations, a few behind each sign-on, and enter where one answers."""
        own = [each for number in SERIAL_NUMBER.findall(str(who)) for each in derived(number)]
        addresses = tuple(dict.fromkeys((*self._addresses, ADDRESSES[0], *own, *ADDRESSES)))
        calls = (*questions(addresses), *questions(addresses[:TOGETHER], 1, 32))
        for first in range(0, len(calls), TOGETHER):
            if self._left() <= 0:
                break
            try:
                stream = await self._signed(url)
            except (ServiceError, RemoteProtocolError, TransportError) as error:
                self._tell(f"  {error}")
                return None
            try:
                frame = await self._called(stream, calls[first : first + TOGETHER])
            except TransportError as error:
                self._tell(f"  {error}")
                continue
            finally:
                await stream.close()
            if frame is not None:
                return await self._enter(_addressed(url, frame), Speech.IDENTIFICATION)
        return None

    async def _signed(self, url: ConnectionUrl) -> Stream:
        """Return a stream behind a sign-on: at once, or when the meter has said all that it says unasked."""
        try:
            stream = await self._where_it_waits(url)
            await sign_on(stream, url, sign_ons=1)
        except TimedOut as error:
            self._tell(f"  {error}; once more when it is quiet")
            stream = await self._open(url, CONNECT)
            await self._settle(stream)
            await sign_on(stream, url)
        return stream

    async def _where_it_waits(self, url: ConnectionUrl) -> Bounded:
        """Return the stream on which the meter waits for our answer, or else another."""
        stream, self._signing_on = self._signing_on, None
        return await self._open(url, CONNECT) if stream is None else stream

    async def _called(self, stream: Stream, calls: tuple[bytes, ...]) -> Frame | None:
        """Return the frame that answers the first of some calls that is answered at all."""
        self._tell(f"  signed on; trying HDLC behind it, {len(calls)} addresses")
        for call in calls:
            heard = await self._ask(stream, call, 1.0)
            frame = None if heard is None else _answer_frame(heard)
            if heard is not None and frame is not None:
                self._tell(f"  heard {heard.speech.value}{_shown(heard)}")
                await self._leave(stream, heard)
                return frame
        return None

    async def _settle(self, stream: Stream) -> None:
        """Let a meter say what it says to readers who do not answer, so that the next sign-on does not fall into it."""
        until = min(stream.now() + READOUT, self._until)
        while stream.now() < until and await stream.read(min(stream.now() + QUIET, until)):
            pass

    async def _read_out(self, found: Found) -> Found:
        """Add what a readout says: how many lines, errors, clock; a meter that gives none is found all the same."""
        url = found.url
        self._tell("  reading it out")
        try:
            try:
                received = await self._sent(url, settle=False)
            except TimedOut as error:
                if url.mode == Mode.D.value:
                    raise
                self._tell(f"  {error}; once more when it is quiet")
                received = await self._sent(url, settle=True)
        except CosemError as error:
            self._tell(f"  {error}")
            return found
        readout = Readout.of(received.identification, received.data, received.check, received.fault)
        if readout.fault is not None:
            self._tell(f"  {readout.fault}")
            return found
        sound = [each for each in readout.sets if each.error is None and each.values]
        health = tuple([(each.obis, each.values[0].text) for each in sound if each.obis and _is_shown(each.obis)])
        return replace(found, readable=len(sound), health=health)

    async def _sent(self, url: ConnectionUrl, *, settle: bool) -> ReadoutReceived:
        """Ask a meter for its readout, or wait for it where it speaks unasked."""
        stream = await (self._open(url, CONNECT) if settle else self._where_it_waits(url))
        sign_ons = {} if settle else {"sign_ons": 1}
        exchange = LocalExchange(HandHeldUnit(reader_settings(url, answer=READOUT, **sign_ons)), stream)
        try:
            if settle:
                await self._settle(stream)
            if url.mode == Mode.D.value:
                exchange.unit.listen(stream.now(), UNASKED)
            else:
                exchange.unit.sign_on(stream.now(), Option.READOUT)
            return await exchange.until(ReadoutReceived)
        finally:
            await exchange.drop()

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
            return await look(at, access, services, speech, tell=self._tell, now=self._now)
        finally:
            await services.exchange.close()

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

WITH_PARITY: Final = "7E1"
SERIAL_NUMBER: Final = re.compile(r"[0-9]{4,32}")
"""What may be a serial number in the words of an identification."""

FOLLOWED: Final = {Speech.P1: "p1", Speech.TIC: "tic", Speech.SML: "sml"}
"""The framing of meters that only speak."""

NOTES: Final = {
    Speech.SML: "SML is a neighbour of DLMS/COSEM, which German meters push through their optical ports; it is "
    'followed with the extra sml: pip install "cosem[sml]"'
}

_ENOUGH: Final = 8192
_MAY_BECOME_MORE: Final = frozenset({Speech.ECHO, Speech.NOISE, Speech.IDENTIFICATION, Speech.C12_18, Speech.READOUT})
"""What may turn out to be something else with the octets that follow."""


def _answer_frame(heard: Recognised) -> Frame | None:
    """Return the frame that answers an SNRM; None where there are only others, such as pushes."""
    frames: tuple[Frame, ...] = heard.evidence if heard.speech is Speech.HDLC else ()
    answers = (Kind.UNNUMBERED_ACKNOWLEDGE, Kind.DISCONNECTED_MODE, Kind.FRAME_REJECT)
    return next((each for each in frames if each.kind in answers), None)


def _waiting(heard: Recognised) -> Identification | None:
    """Return who has told who it is and waits for the option select, on a line that is as it should be."""
    who = heard.evidence
    if not isinstance(who, Identification) or who.mode not in (Mode.C, Mode.E) or heard.parity or heard.echoed:
        return None
    return who


def _addressed(url: ConnectionUrl, frame: Frame) -> ConnectionUrl:
    """Return the URL of the station that has sent a frame, and of the client that it went to."""
    address, client = HdlcAddress.decode(frame.source), HdlcAddress.decode(frame.destination).upper
    return replace(url, server=address.upper, physical=address.lower, address_size=address.size, client=client)


def _line_of(heard: Recognised, url: ConnectionUrl) -> dict[str, str]:
    """Return what a URL has to say of a line on which octets came like this."""
    said = {"parity": "software"} if heard.parity else {}
    said |= {"format": WITH_PARITY} if heard.parity and url.format is not None else {}
    return said | ({"echo": "strip"} if heard.echoed else {})


def _said_first(heard: Recognised) -> Identity:
    """Return who a P1 meter says it is, in the first line of a telegram."""
    if heard.speech is not Speech.P1:
        return Identity()
    name = bytes(heard.evidence[0]).partition(b"\r\n")[0].removeprefix(b"/").decode("latin-1")
    return Identity(name, maker_of(name[:LETTERS].encode("latin-1")))


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


def _is_wrong(error: CosemError) -> bool:
    """Tell whether the meter has counted a failed authentication."""
    return isinstance(error, AssociationRejected) and AcseServiceUser.AUTHENTICATION_FAILURE in error.evidence


def _wanted(error: CosemError) -> tuple[str, ...]:
    """Say what has to be given to a meter that was found and lets nobody in without."""
    return ("--password or --ek and --ak",) if isinstance(error, AssociationRejected | SecurityError) else ()


def _shown(heard: Recognised) -> str:
    frame = _answer_frame(heard)
    if frame is not None:
        return f": {frame.kind.value} of server {HdlcAddress.decode(frame.source)}"
    return f": {heard.evidence}" if isinstance(heard.evidence, Identification) else ""


def _is_shown(instance: Obis) -> bool:
    """Tell whether a line of a readout says how the meter is: errors, alarms, time and date."""
    is_clock = (instance.c, instance.d, instance.e) in CLOCK_LINES
    return is_clock or (instance.c == 97 and instance.d in HEALTH)
