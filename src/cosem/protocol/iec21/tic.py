"""The French TIC (IEC 62056-3-1, one-way local data; Enedis-NOI-CPT_54E): frames of groups, historique and standard.

    STX  LF label SP data SP checksum CR …  ETX                   historique, 1200 baud 7E1
    STX  LF label HT [time HT] data HT checksum CR …  ETX         standard, 9600 baud 7E1

The checksum is 20 plus the low six bits of the sum of the octets from the label on: to the data in historique, to the
separator behind the data in standard. Each group is judged by its own: a frame that was interrupted keeps those that
came.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final, TypeAlias

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.moment import Moment, tic_moment
from cosem.protocol.iec21.one_way import OneWayReader
from cosem.protocol.iec21.telegram import Value
from cosem.protocol.values.obis import Obis

LAYER: Final = "TIC"
STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04


class Mode(Enum):
    """Which of the two forms a group has: what separates its parts, and whether the last separator is summed."""

    HISTORIQUE = "historique"
    STANDARD = "standard"

    @property
    def separator(self) -> bytes:
        return b" " if self is Mode.HISTORIQUE else b"\t"


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a label: its meaning, the unit of its number (None for a text), the OBIS code of the same."""

    meaning: str
    unit: str | None = None
    obis: Obis | None = None


@dataclass(frozen=True, slots=True)
class TicSettings:
    """Limits of one reader. `silence` is how many seconds may pass within a frame without an octet."""

    frame_octets: int = 8192
    silence: float | None = 3.0

    def __post_init__(self) -> None:
        if self.frame_octets < 64:
            raise ConfigurationError(f"frame_octets: expected at least 64, not {self.frame_octets}")


@dataclass(frozen=True, slots=True)
class Group:
    """One group: label, time where it has one (as sent, maybe none that can be read), and data; its place in the frame.

    Of a group with an `error` the parts are what could be made out: `octets` has it as it was sent, without LF and CR.
    """

    label: str
    data: str
    time: str | None = None
    mode: Mode = Mode.HISTORIQUE
    octets: bytes = b""
    offset: int = 0
    error: DecodeError | None = None

    @property
    def known(self) -> Label | None:
        """What the label means; None for one that is not in the tables."""
        return labels().get(self.label)

    @property
    def moment(self) -> Moment | None:
        """The time of the group; None where it has none that can be read."""
        return None if self.time is None else tic_moment(self.time)

    @property
    def value(self) -> Value:
        """The data with its unit, where the label has one."""
        known = self.known
        return Value(self.data, "" if known is None else known.unit or "")

    def encode(self) -> bytes:
        """Return the group as it is sent, from LF to CR, with its checksum."""
        separator = self.mode.separator
        parts = [self.label, self.data] if self.time is None else [self.label, self.time, self.data]
        body = separator.join(part.encode("latin-1") for part in parts)
        return b"\n" + body + separator + bytes((checksum(body, self.mode),)) + b"\r"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame with its groups; `complete` is False when it was interrupted, or joined by the next one."""

    octets: bytes
    groups: tuple[Group, ...]
    complete: bool = True

    @property
    def mode(self) -> Mode:
        """The mode of most of its groups."""
        standard = sum(group.mode is Mode.STANDARD for group in self.groups)
        return Mode.STANDARD if 2 * standard > len(self.groups) else Mode.HISTORIQUE

    @property
    def moment(self) -> Moment | None:
        """The meter's clock (DATE); a meter in historique mode has none."""
        found = self.find("DATE")
        return None if found is None else found.moment

    @property
    def meter(self) -> str | None:
        """The address of the meter (ADSC or ADCO)."""
        found = self.find("ADSC") or self.find("ADCO")
        return None if found is None else found.data

    def find(self, label: str) -> Group | None:
        """Return the first sound group of a label."""
        return next((group for group in self.groups if group.label == label and group.error is None), None)


TicEvent: TypeAlias = Frame | Discarded


class TicReader(OneWayReader[Frame]):
    """Finds frames in the octets of a line; see `cosem.protocol.iec21` for the verbs.

    `counters` counts frames, groups that are sound and those that are not, interruptions, and octets between frames.
    """

    LAYER = LAYER
    DISCARDED = "frames_interrupted"

    def __init__(self, settings: TicSettings | None = None) -> None:
        self._settings = settings or TicSettings()
        super().__init__(self._settings.frame_octets, self._settings.silence)

    def _end(self) -> None:
        self._interrupted(len(self._buffer), "the frame stopped before its end")

    def _step(self) -> bool:
        buffer, limit = self._buffer, self._settings.frame_octets
        if not self._begun:
            start = buffer.find(STX)
            self._skip(len(buffer) if start < 0 else start)
            self._begun, self._at = start >= 0, 1
            return self._begun
        found = _CONTROL.search(buffer, self._at, limit)
        if found is None:
            self._at = len(buffer)
            if len(buffer) < limit:
                return False
            self._interrupted(limit, f"no end of the frame within {limit} octets")
        elif found[0] == b"\x03":
            self._put(found.end(), complete=True)
        elif found[0] == b"\x04":
            self._interrupted(found.end(), "the meter interrupted the frame")
        else:
            self._interrupted(found.start(), "another frame began before the end of this")
        return True

    def _interrupted(self, size: int, why: str) -> None:
        if any(group.error is None for group in groups(bytes(self._buffer[1:size]))):
            self.counters[self.DISCARDED] += 1
            self._put(size, complete=False)
        else:
            self._discard(size, why)

    def _put(self, size: int, *, complete: bool) -> None:
        octets = bytes(self._buffer[:size])
        self._drop(size)
        found = groups(octets.rstrip(b"\x03\x04")[1:], 1)
        self.counters["frames"] += complete
        bad = sum(group.error is not None for group in found)
        self.counters["groups"] += len(found) - bad
        self.counters["groups_not_understood"] += bad
        self._events.append(Frame(octets, found, complete))


def frames(octets: bytes) -> list[TicEvent]:
    """Return the frames in octets that are all there is, and what was none."""
    reader = TicReader()
    reader.receive(octets, 0.0)
    reader.finish()
    return reader.events()


def groups(body: bytes, offset: int = 0) -> tuple[Group, ...]:
    """Parse the groups between STX and ETX. Never raises: what is wrong is said by the group that has it."""
    found: list[Group] = []
    for part in body.split(b"\n"):
        if part.strip(b"\r"):
            found.append(_group(part, offset))
        offset += len(part) + 1
    return tuple(found)


def frame(made: Iterable[Group]) -> bytes:
    """Return a frame as it is sent."""
    return b"\x02" + b"".join(group.encode() for group in made) + b"\x03"


def checksum(body: bytes, mode: Mode) -> int:
    """Return the checksum of label, separators and data, without the separator behind the data."""
    total = sum(body) + (sum(mode.separator) if mode is Mode.STANDARD else 0)
    return (total & 0x3F) + 0x20


@cache
def labels() -> Mapping[str, Label]:
    """Return every known label; no label means two things in the two modes."""
    text = resources.files("cosem.protocol.iec21").joinpath("tic.toml").read_text("utf-8")
    found: dict[str, Label] = {}
    for table in tomllib.loads(text).values():
        for label, (meaning, *rest) in table.items():
            unit, obis = (*rest, None, None)[:2]
            found[label] = Label(meaning, unit, None if obis is None else Obis(obis))
    return MappingProxyType(found)


def _group(part: bytes, offset: int) -> Group:
    octets = part.rstrip(b"\r")
    mode = Mode.STANDARD if b"\t" in octets else Mode.HISTORIQUE
    separator = mode.separator
    body, said = octets[:-2], octets[-1:]
    fields = body.split(separator) if mode is Mode.STANDARD else body.split(separator, 1)
    text = [field.decode("latin-1") for field in fields]
    label, data = octets.split(separator, 1)[0].decode("latin-1"), text[-1] if len(text) > 1 else ""
    time = text[1] if len(text) == _WITH_TIME else None
    error = None
    if not part.endswith(b"\r"):
        error = "the group stops before its end"
    elif _UNCLEAN.search(octets):
        error = "an octet is no character of a group"
    elif octets[-2:-1] != separator or not label or not 2 <= len(text) <= _WITH_TIME:
        error = "expected label, data and checksum"
    elif said[0] != checksum(body, mode):
        error = f"the checksum is {chr(said[0])!r}, the octets give {chr(checksum(body, mode))!r}"
    problem = None if error is None else DecodeError(error, offset, layer=LAYER)
    return Group(label, data, time, mode, octets, offset, problem)


_WITH_TIME: Final = 3
_CONTROL: Final = re.compile(rb"[\x02\x03\x04]")
_UNCLEAN: Final = re.compile(rb"[^\t\x20-\x7e]")
