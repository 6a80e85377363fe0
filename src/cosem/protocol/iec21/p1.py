"""P1 telegrams: DSMR and ESMR 2.2 to 5, and their relatives in Belgium, Luxembourg, Hungary, Austria and the north.

    /ISK5\\2M550T-1012            identification, then an empty line (a DSMR 2.2 meter may leave it out)
    1-3:0.2.8(50)                data lines, see `cosem.protocol.iec21.telegram`
    0-0:1.0.0(240112231803W)
    !3BB5                        the end, and CRC-16/ARC from `/` to `!`; DSMR 2.2 meters send none

A meter that encrypts sends the telegram in a general-glo-ciphering APDU, whose authentication key the P1 companions
publish, or has it encrypted from behind the identification.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError, DecodeError, SecurityError
from cosem.protocol.codec.crc import crc16_arc
from cosem.protocol.crypto.gcm import TAG_OCTETS, nonce, unseal
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.moment import Moment, p1_moment
from cosem.protocol.iec21.one_way import OneWayReader
from cosem.protocol.iec21.telegram import DataSet, Value, data_sets, encode
from cosem.protocol.values.maker import LETTERS, maker
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.system_title import TITLE_OCTETS

LAYER: Final = "P1"

PUBLISHED_AUTHENTICATION_KEY: Final = Key(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
"""The authentication key of encrypted telegrams, the same for all meters: with the security control octet before it,
it is the published additional authenticated data 3000112233445566778899AABBCCDDEEFF."""

SECURITY_CONTROL: Final = 0x30
GENERAL_GLO_CIPHERING: Final = 0xDB
CLOCK: Final = Obis("0.0.1.0.0.255")
VERSION: Final = Obis("1.3.0.2.8.255")
BELGIAN_VERSION: Final = Obis("0.0.96.1.4.255")


@dataclass(frozen=True, slots=True, kw_only=True)
class P1Settings:
    """Limits of one reader. `silence` is how many seconds may pass within a telegram without an octet.

    `permitted` may hold `Weakness.REPLAYED_TELEGRAM`: sealed telegrams count whatever their invocation counter, as of a
    meter that begins anew after each loss of power.
    """

    telegram_octets: int = 16384
    silence: float | None = 2.0
    permitted: frozenset[Weakness] = NOTHING

    def __post_init__(self) -> None:
        if self.telegram_octets < 64:
            raise ConfigurationError(f"telegram_octets: expected at least 64, not {self.telegram_octets}")


@dataclass(frozen=True, slots=True, kw_only=True)
class P1Keys:
    """What opens the encrypted telegrams of one meter.

    `authentication_key` None is for meters whose tag covers the ciphertext alone. `system_title` is needed where the
    meter leaves its own out of the telegram; a meter that tells its title is held to the one it tells.
    """

    encryption_key: Key
    authentication_key: Key | None = PUBLISHED_AUTHENTICATION_KEY
    system_title: bytes | None = None

    def __post_init__(self) -> None:
        if self.system_title is not None and len(self.system_title) != TITLE_OCTETS:
            raise ConfigurationError(f"a system title has {TITLE_OCTETS} octets, not {len(self.system_title)}")


class Check(Enum):
    """What vouches for a telegram as a whole."""

    RIGHT = "right"
    """Its CRC is right."""
    SEALED = "sealed"
    """It has no CRC of its own that could be checked, and was encrypted with a tag that is right."""
    ABSENT = "absent"
    """It has no CRC, as meters before DSMR 4 send it; each line stands for itself."""
    WRONG = "wrong"
    """Its CRC is wrong, or is missing in a version that has one: none of its values may be believed."""
    REPLAYED = "replayed"
    """It was sealed with an invocation counter that is not above that of the telegram before: it is an old one, sent
    again by whoever recorded it, and none of its values may be believed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """How a telegram was encrypted: the sender's system title, and the invocation counter of this telegram."""

    system_title: bytes
    invocation_counter: int


@dataclass(frozen=True)
class Telegram:
    """One telegram: `identification` is what follows the `/`, `sets` its data sets in order.

    `octets` is the telegram in clear, from `/` to the CRC. `crc` is the CRC it carries, `computed` the one it should.
    """

    octets: bytes
    identification: str
    sets: tuple[DataSet, ...]
    check: Check
    crc: int | None
    computed: int
    seal: Seal | None = None

    @property
    def error(self) -> DecodeError | SecurityError | None:
        """Why none of the values may be believed; None where nothing speaks against the telegram as a whole."""
        if self.check is Check.REPLAYED and self.seal is not None:
            return SecurityError(
                f"the invocation counter {self.seal.invocation_counter} was there before, or a higher one: "
                "the telegram is an old one, sent again"
            )
        if self.check is not Check.WRONG:
            return None
        if self.crc is None:
            return DecodeError(f"a telegram of version {self.version} has a CRC, and this has none", layer=LAYER)
        return DecodeError(
            f"the CRC is wrong: the telegram says {self.crc:04X}, its octets give {self.computed:04X}", layer=LAYER
        )

    @property
    def manufacturer(self) -> str:
        """The three letters of the FLAG identification."""
        return self.identification[:LETTERS]

    @property
    def maker(self) -> str | None:
        """Who made the meter, by name; None for letters that the list of makers does not have."""
        return maker(self.manufacturer)

    @cached_property
    def version(self) -> str | None:
        """The version of P1 that the meter says it speaks, `50` or `50217`; None where it says none."""
        return self.text(VERSION) or self.text(BELGIAN_VERSION)

    @cached_property
    def moment(self) -> Moment | None:
        """The meter's clock when it sent the telegram; None where there is none that can be read."""
        found = self.find(CLOCK)
        return None if found is None or not found.values else p1_moment(found.values[0].text)

    @cached_property
    def devices(self) -> tuple[Device, ...]:
        """The M-Bus devices that the meter tells of, by channel."""
        channels: dict[int, list[DataSet]] = {}
        for each in self.sets:
            code = each.obis
            if code is not None and each.error is None and _is_of_device(code):
                channels.setdefault(code.b, []).append(each)
        return tuple(Device(channel, tuple(channels[channel])) for channel in sorted(channels))

    def find(self, obis: Obis) -> DataSet | None:
        """Return the first sound set of an address."""
        return next((each for each in self.sets if each.error is None and each.obis == obis), None)

    def text(self, obis: Obis) -> str | None:
        """Return the first value of an address as text; None where it is missing or empty."""
        found = self.find(obis)
        return (found.values[0].text or None) if found is not None and found.values else None


@dataclass(frozen=True, slots=True)
class Device:
    """An M-Bus device at one channel of the meter, with the data sets that tell of it."""

    channel: int
    sets: tuple[DataSet, ...]

    @property
    def type(self) -> int | None:
        """The device type of M-Bus: 3 gas, 4 heat, 6 warm water, 7 water …; None where it is not told."""
        value = self._first(_DEVICE_TYPE)
        return int(value.text) if value is not None and value.text.isascii() and value.text.isdecimal() else None

    @property
    def identification(self) -> str | None:
        """Its equipment identifier, decoded; None where it has none: nothing is connected then, as a rule."""
        value = self._first(_EQUIPMENT)
        return None if value is None or not value.text else hexadecimal_text(value.text)

    def _first(self, quantities: frozenset[tuple[int, int, int]]) -> Value | None:
        for each in self.sets:
            code = each.obis
            if code is not None and (code.c, code.d, code.e) in quantities and each.values:
                return each.values[0]
        return None


def hexadecimal_text(text: str) -> str:
    """Return what octets in hexadecimal say, where they say printable characters; else the text as it was sent.

    A few decimal digits are taken as the number that they are: some meters send plain serial numbers.
    """
    if len(text) % 2 or not _HEXADECIMAL.fullmatch(text) or (text.isdecimal() and len(text) < _SHORTEST_DIGITS):
        return text
    said = bytes.fromhex(text).decode("latin-1").rstrip("\x00 ")
    return said if said and said.isprintable() and said.isascii() else text


P1Event: TypeAlias = Telegram | Discarded


class P1Reader(OneWayReader[Telegram]):
    """Finds telegrams in the octets of a line, whatever stands between them; see `cosem.protocol.iec21` for the verbs.

    `counters` counts telegrams by their check, octets skipped between them, and what was discarded. Memory is bounded
    by `telegram_octets`, and each octet is looked at a bounded number of times. A sealed telegram whose invocation
    counter is not above the last of that system title is marked `Check.REPLAYED`; with the permission for it
    (`P1Settings.permitted`) it is taken, and counted in `counters_that_did_not_grow`.
    """

    LAYER = LAYER
    BETWEEN = frozenset(b"\r\n\x00")

    def __init__(self, keys: P1Keys | None = None, settings: P1Settings | None = None) -> None:
        self._settings = settings or P1Settings()
        super().__init__(self._settings.telegram_octets, self._settings.silence)
        self._keys = keys
        self._sealed: _Envelope | None = None
        self._last: dict[bytes, int] = {}
        """The highest invocation counter of each system title that the key of the meter has opened."""

    def _step(self) -> bool:
        if not self._begun:
            return self._hunt()
        if self._sealed is not None:
            return self._unseal(self._sealed)
        return self._collect()

    def _end(self) -> None:
        if self._sealed is None and (end := _END.search(self._buffer, max(self._at - 1, 0))):
            self._take(end.end(), end)
        else:
            self._discard(len(self._buffer), "the telegram stopped before its end")

    def _hunt(self) -> bool:
        """Look for the beginning of a telegram, and skip what is before it."""
        buffer = self._buffer
        found = _BEGIN.search(buffer)
        if found is None:
            # What might be the front of a beginning stays until it is known.
            front = _FRONT.search(buffer)
            self._skip(len(buffer) if front is None else front.start())
            return False
        self._skip(found.start())
        self._begun, self._at = True, 1
        if buffer[0] == GENERAL_GLO_CIPHERING:
            self._sealed = _Envelope(0)
        return True

    def _collect(self) -> bool:
        """Look for the end of a telegram in clear, or for the beginning of another one."""
        buffer, limit = self._buffer, self._settings.telegram_octets
        while found := _LINE_START.search(buffer, self._at, limit):
            at = found.end() - 1
            octet = buffer[at]
            if octet == _SLASH:
                self._discard(at, "another telegram began before the end of this")
                return True
            if octet == _EXCLAMATION:
                end = _COMPLETE.match(buffer, at)
                if end is None:
                    self._at = found.start()
                    return False
                self._take(end.end(), end)
                return True
            if octet in _SEALING and _HEADING.fullmatch(buffer, 0, at):
                self._sealed = _Envelope(at)
                return True
            self._at = at + 1
        if len(buffer) >= limit:
            self._discard(limit, f"no end of the telegram within {limit} octets")
            return True
        self._at = max(self._at, len(buffer) - 1)
        return False

    def _unseal(self, envelope: _Envelope) -> bool:
        try:
            size = envelope.size(self._buffer, self._settings.telegram_octets)
        except DecodeError as error:
            self._give_up(envelope.start + 1, error)
            return True
        if size is None or len(self._buffer) < size:
            return False
        octets = bytes(self._buffer[:size])
        self._drop(size)
        try:
            telegram = unsealed(octets, self._keys)
        except (SecurityError, ConfigurationError, DecodeError) as error:
            self.counters["telegrams_not_opened"] += 1
            self._events.append(Discarded(octets, error))
        else:
            self._put(self._judged(telegram))
        return True

    def _judged(self, telegram: Telegram) -> Telegram:
        """Return a telegram that was opened, marked where its counter does not grow."""
        seal = telegram.seal
        if seal is None:
            return telegram
        last = self._last.get(seal.system_title, -1)
        self._last[seal.system_title] = max(last, seal.invocation_counter)
        if seal.invocation_counter > last:
            return telegram
        self.counters["counters_that_did_not_grow"] += 1
        if telegram.error is not None or Weakness.REPLAYED_TELEGRAM in self._settings.permitted:
            return telegram
        return replace(telegram, check=Check.REPLAYED)

    def _take(self, size: int, end: re.Match[bytes]) -> None:
        octets, crc = bytes(self._buffer[:size]), end["crc"]  # before the buffer changes, into which the match looks
        self._drop(size)
        self._put(_telegram(octets, end.start("end"), crc))

    def _put(self, telegram: Telegram) -> None:
        self.counters["telegrams"] += 1
        self.counters[f"telegrams_with_check_{telegram.check.value}"] += 1
        self.counters["lines_not_understood"] += sum(each.error is not None for each in telegram.sets)
        self._events.append(telegram)

    def _drop(self, size: int) -> None:
        super()._drop(size)
        self._sealed = None


def telegrams(octets: bytes, keys: P1Keys | None = None) -> list[P1Event]:
    """Return the telegrams in octets that are all there is, and what was none."""
    reader = P1Reader(keys)
    reader.receive(octets, 0.0)
    reader.finish()
    return reader.events()


def unsealed(octets: bytes, keys: P1Keys | None) -> Telegram:
    """Open an encrypted telegram, with or without its identification in clear before it.

    Raises DecodeError when it is none, ConfigurationError without the key or a title, SecurityError when it does not
    verify.
    """
    start = 0 if octets[:1] == bytes((GENERAL_GLO_CIPHERING,)) else _heading(octets)
    title, sealed = _Envelope(start).parts(octets)
    if keys is None:
        raise ConfigurationError("the telegram is encrypted; give the key of the meter")
    title = title or keys.system_title or b""
    if not title:
        raise ConfigurationError("the meter does not tell its system title; give it with the key")
    counter = int.from_bytes(sealed[1:_COUNTER_END], "big")
    control = sealed[:1]
    if control[0] != SECURITY_CONTROL:
        raise SecurityError(f"the security control octet is {control.hex()}, where authenticated encryption is 30")
    own = keys.authentication_key
    plain = unseal(
        AESGCM(keys.encryption_key.reveal()).encrypt,
        b"" if own is None else control + own.reveal(),
        nonce(title, counter),
        sealed[_COUNTER_END:],
    )
    seal = Seal(title, counter)
    whole = plain if plain.startswith(b"/") else octets[:start] + plain
    end = _END.search(whole)
    if end is None or not whole.startswith(b"/"):
        raise DecodeError("what was encrypted is no telegram", layer=LAYER)
    return _telegram(whole[: end.end()], end.start("end"), end["crc"], seal, partial=start > 0)


def telegram(
    identification: str, sets: Iterable[DataSet | tuple[str, *tuple[str, ...]]], *, crc: bool = True, blank: bool = True
) -> bytes:
    """Make a telegram: data sets, or an address and its values as in `("1-0:1.8.1", "000123.456*kWh")`.

    `crc` False and `blank` False (no empty line behind the identification) are for meters before DSMR 4.
    """
    made = [each if isinstance(each, DataSet) else data_set(*each) for each in sets]
    head = f"/{identification}\r\n".encode("latin-1") + (b"\r\n" if blank else b"")
    octets = head + encode(made) + b"!"
    return octets + (b"%04X\r\n" % crc16_arc(octets) if crc else b"\r\n")


def data_set(address: str, *values: str) -> DataSet:
    """Make a data set of an address and its values, each with its unit behind a `*` where it has one."""
    made = tuple(Value(text, unit) for text, _, unit in (value.partition("*") for value in values))
    octets = (address + "".join(map(str, made))).encode("latin-1")
    return DataSet(address, made, octets)


def seal(octets: bytes, keys: P1Keys, system_title: bytes, counter: int) -> bytes:
    """Encrypt a telegram as meters do; `counter` must never be used again under the same key."""
    own = keys.authentication_key
    associated = b"" if own is None else bytes((SECURITY_CONTROL,)) + own.reveal()
    sealed = AESGCM(keys.encryption_key.reveal()).encrypt(nonce(system_title, counter), octets, associated)
    body = bytes((SECURITY_CONTROL,)) + counter.to_bytes(4, "big") + sealed[: len(octets) + TAG_OCTETS]
    head = bytes((GENERAL_GLO_CIPHERING, TITLE_OCTETS)) + system_title
    return head + b"\x82" + len(body).to_bytes(2, "big") + body


class _Envelope:
    """Where the parts of an encrypted telegram are that begins at `start`: `DB`, title, length, and what is sealed.

    Behind an identification in clear the tag `DB` may be left out.
    """

    def __init__(self, start: int) -> None:
        self.start = start

    def size(self, octets: bytes | bytearray, limit: int) -> int | None:
        """Return where it ends, None where that has not come yet. Raises DecodeError."""
        found = self._layout(octets)
        if found is None:
            return None
        body, length = found
        if length < _COUNTER_END + TAG_OCTETS:
            raise DecodeError(f"an encrypted telegram of {length} octets has no room for a tag", body, layer=LAYER)
        if body + length > limit:
            raise DecodeError(f"an encrypted telegram of {length} octets is over the limit of {limit}", layer=LAYER)
        return body + length

    def parts(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return system title and what is sealed, with its security header."""
        found = self._layout(octets)
        if found is None or len(octets) < found[0] + found[1] or found[1] < _COUNTER_END + TAG_OCTETS:
            raise DecodeError("the encrypted telegram is not whole", layer=LAYER)
        at = self._title_at(octets)
        return octets[at + 1 : at + 1 + octets[at]], octets[found[0] : found[0] + found[1]]

    def _title_at(self, octets: bytes | bytearray) -> int:
        return self.start + (octets[self.start] == GENERAL_GLO_CIPHERING)

    def _layout(self, octets: bytes | bytearray) -> tuple[int, int] | None:
        """Return where what is sealed begins and how long it is; None where that has not come yet."""
        at = self._title_at(octets)
        if at >= len(octets):
            return None
        if octets[at] not in (0, TITLE_OCTETS):
            raise DecodeError(f"a system title has {TITLE_OCTETS} octets, not {octets[at]}", at, layer=LAYER)
        at += 1 + octets[at]
        if at >= len(octets):
            return None
        if octets[at] < 0x80:
            return at + 1, octets[at]
        count = octets[at] & 0x7F
        if not 1 <= count <= 2:
            raise DecodeError(f"a length of {count} octets is none of a telegram", at, layer=LAYER)
        if at + 1 + count > len(octets):
            return None
        return at + 1 + count, int.from_bytes(octets[at + 1 : at + 1 + count], "big")


def _telegram(octets: bytes, end: int, crc: bytes, seal: Seal | None = None, *, partial: bool = False) -> Telegram:
    """Make the telegram whose `!` is at `end`; `partial` when its CRC may not cover what stood before the seal."""
    first = octets.index(b"\n") + 1 if b"\n" in octets[:end] else end
    identification = octets[1:first].rstrip(b"\r\n").decode("latin-1")
    sets = tuple(data_sets(octets[first:end], 2, first))
    computed = crc16_arc(memoryview(octets)[: end + 1])
    said = int(crc, 16) if crc else None
    made = Telegram(octets, identification, sets, Check.ABSENT, said, computed, seal)
    if said == computed:
        check = Check.RIGHT
    elif partial or (said is None and seal is not None):
        check = Check.SEALED
    elif said is not None or _has_crc(made.version):
        check = Check.WRONG
    else:
        return made
    return Telegram(octets, identification, sets, check, said, computed, seal)


def _has_crc(version: str | None) -> bool:
    """Whether all telegrams of a version have a CRC: it came with DSMR 4."""
    return version is not None and version[:1] in "456789"


def _heading(octets: bytes) -> int:
    found = _HEADING.match(octets)
    if found is None:
        raise DecodeError("an encrypted telegram begins with DB, or its identification", 0, layer=LAYER)
    return found.end()


def _is_of_device(code: Obis) -> bool:
    """Whether an address is of an M-Bus device: of its own channel, and not of the meter."""
    return code.b != 0 and (code.a != 1) and (code.c == 24 or (code.c, code.d) in ((96, 1), (96, 3), (23, 1)))


_SLASH: Final = 0x2F
_EXCLAMATION: Final = 0x21
_COUNTER_END: Final = 5
_SEALING: Final = (0x00, TITLE_OCTETS, GENERAL_GLO_CIPHERING)
"""What no text has behind the identification: the tag, or the length of a title without it."""

_DEVICE_TYPE: Final = frozenset({(24, 1, 0)})
_EQUIPMENT: Final = frozenset({(96, 1, 0), (96, 1, 1)})

_BEGIN: Final = re.compile(rb"/[A-Za-z]{3}|\xdb\x08")
_FRONT: Final = re.compile(rb"(?:/[A-Za-z]{0,2}|\xdb)\Z")
_LINE_START: Final = re.compile(rb"[\r\n][^\r\n]")
_HEADING: Final = re.compile(rb"/[^\r\n]{3,64}(?:\r\n){1,2}")
_COMPLETE: Final = re.compile(rb"(?P<end>!)(?P<crc>[0-9A-Fa-f]{4}|[0-9A-Fa-f]{0,3}(?=[^0-9A-Fa-f]))")
_END: Final = re.compile(rb"(?<=[\r\n])(?P<end>!)(?P<crc>[0-9A-Fa-f]{0,4})")
_SHORTEST_DIGITS: Final = 16
_HEXADECIMAL: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
