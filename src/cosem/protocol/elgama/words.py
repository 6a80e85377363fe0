"""Tables of EPQS and EPQM/LZQM by name: the octets that ask for each, and its content as texts (EXPERIMENTAL).

asked("epqs", "daily:0:1").octets
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from cosem.errors import ConfigurationError
from cosem.protocol.elgama import models, tables

Rows: TypeAlias = list[tuple[str, str]]


class Asked(NamedTuple):
    """One table: how it was written, the octets that ask for it, and what its own octets say."""

    text: str
    octets: bytes
    read: Callable[[bytes], Rows]


def _octets(data: bytes) -> Rows:
    return [("octets", data.hex(" ").upper() or "none")]


def _clock(read: Callable[[bytes], tables.ClockRecord]) -> Callable[[bytes], Rows]:
    def rows(data: bytes) -> Rows:
        record = read(data)
        return [
            ("local time", record.time.isoformat(" ")),
            ("interval", f"{record.interval} s"),
            ("not understood", record.rest.hex(" ").upper() or "none"),
        ]

    return rows


def _profile(data: bytes) -> Rows:
    record = tables.epqs_profile_record(data)
    return [(f"number {at}", f"{record.scale.value(number):f}") for at, number in enumerate(record.numbers)]


def _registers(data: bytes) -> Rows:
    record = tables.epqs_register_record(data)
    return [
        (f"period {period}, tariff {tariff}", "absent" if number is None else f"{record.scale.value(number):f}")
        for period, numbers in enumerate(record.periods)
        for tariff, number in enumerate(numbers, 1)
    ]


def _records(split: Callable[[bytes], tuple[bytes, ...]]) -> Callable[[bytes], Rows]:
    return lambda data: [(f"record {at}", each.hex(" ").upper()) for at, each in enumerate(split(data))]


class _Word(NamedTuple):
    numbers: tuple[str, ...]
    request: Callable[..., bytes]
    read: Callable[[bytes], Rows]


_EPQS: Final[Mapping[str, _Word]] = MappingProxyType(
    {
        "model": _Word((), lambda: tables.EPQS_MODEL, _octets),
        "clock": _Word((), lambda: tables.EPQS_CLOCK, _clock(tables.epqs_clock)),
        "profile": _Word(("CHANNEL", "INDEX"), tables.epqs_profile, _profile),
        "monthly": _Word(
            ("PERIOD", "CHANNEL"),
            partial(tables.epqs_registers, tables.MONTHLY),
            _registers,
        ),
        "daily": _Word(
            ("PERIOD", "CHANNEL"),
            partial(tables.epqs_registers, tables.DAILY),
            _registers,
        ),
        "events": _Word(("INDEX",), tables.epqs_events, _records(tables.events)),
    }
)
_EPQM: Final[Mapping[str, _Word]] = MappingProxyType(
    {
        "clock": _Word((), lambda: tables.EPQM_CLOCK, _clock(tables.epqm_clock)),
        "profile": _Word(("CHANNEL", "DAY"), tables.epqm_profile, _octets),
        "daily": _Word(
            ("NUMBER",),
            tables.epqm_daily,
            _records(lambda data: tables.epqm_records(data, tables.EPQM_DAILY_OCTETS)),
        ),
        "monthly": _Word(
            ("NUMBER",),
            tables.epqm_monthly,
            _records(lambda data: tables.epqm_records(data, tables.EPQM_MONTHLY_OCTETS)),
        ),
        "power-fails": _Word((), lambda: tables.EPQM_POWER_FAILS, _octets),
        "phase-fails": _Word((), lambda: tables.EPQM_PHASE_FAILS, _octets),
    }
)
_WORDS: Final = {models.EPQS.word: _EPQS, models.EPQM.word: _EPQM}


def asked(model: str, text: str) -> Asked:
    """Return what a word such as `profile:0:3` asks for; octets in hexadecimal ask for themselves.

    Raises ConfigurationError for a word that the model does not have.
    """
    words = _WORDS[models.named(model, experimental=True).word]
    name, *numbers = text.split(":")
    word = words.get(name.lower())
    if word is None:
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = b""
        if not octets:
            known = ", ".join(":".join((each, *known.numbers)) for each, known in words.items())
            raise ConfigurationError(
                f"{text[:40]!r} is no table of this model: write {known}, or octets in hexadecimal"
            )
        return Asked(text, octets, _octets)
    if len(numbers) != len(word.numbers) or not all(each.isdecimal() and each.isascii() for each in numbers):
        raise ConfigurationError(f"{text[:40]!r}: write {':'.join((name, *word.numbers))}, with decimal numbers")
    return Asked(text, word.request(*(int(each[:9]) for each in numbers)), word.read)
