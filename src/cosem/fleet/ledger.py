"""The ledger of truth: what each meter answered, written down where it was said, and compared with what was stored."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self

from cosem.errors import ConfigurationError, CosemError
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.codec import axdr
from cosem.protocol.values.data import Number
from cosem.readings.reading import Reading

WHOLE_OCTETS: Final = 64
"""A value that takes more octets is written down by its digest."""


class Answer(NamedTuple):
    """What a meter answered to a client of one attribute: its value as `value_of` writes it, or why there was none."""

    time: datetime
    meter: str
    client: int
    reference: str
    value: str


def answers(time: datetime, meter: str, client: int, request: object, response: object) -> Iterator[Answer]:
    """Give what was answered to a request; of services other than GET nothing."""
    read = _ANSWERED.get((type(request), type(response)))
    for attribute, value in read(request, response) if read is not None else ():
        reference = f"{attribute.class_id}/{attribute.instance_id}/{attribute.attribute_id}"
        yield Answer(time, meter, client, reference, value_of(value))


def value_of(value: Any) -> str:
    """Return a value as a ledger has it: the hexadecimal octets of its Data, or their digest; of none, the reason."""
    if isinstance(value, DataAccessResult):
        return f"refused {value.name.lower().replace('_', '-')}"
    octets = axdr.encode(value)
    return octets.hex() if len(octets) <= WHOLE_OCTETS else f"sha256 {hashlib.sha256(octets).hexdigest()}"


class Ledger:
    """Writes answers into a file, a JSON object a line, as they are given; also a context manager that closes.

    Raises ConfigurationError when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as problem:
            raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem

    def record(self, answer: Answer) -> None:
        """Write one answer down."""
        self._file.write(json.dumps({**answer._asdict(), "time": answer.time.isoformat()}) + "\n")
        self.written += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> Iterator[Answer]:
    """Give the answers of a file. Raises ConfigurationError for a line that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    said = json.loads(line)
                    yield Answer(datetime.fromisoformat(said.pop("time")), **said)
                except (ValueError, TypeError, KeyError) as problem:
                    raise ConfigurationError(f"{path}, line {number}: this is no answer of a ledger") from problem
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {problem.strerror}") from problem


@dataclass(frozen=True, slots=True)
class Comparison:
    """How what was stored compares with what was answered.

    Attributes:
        true: how many spot readings have a value that the meter answered.
        false: those whose meter answered other values only.
        unheard: those of which no answer is known.
    """

    true: int
    false: tuple[Reading, ...]
    unheard: tuple[Reading, ...]


def compare(readings: Iterable[Reading], answered: Iterable[Answer]) -> Comparison:
    """Compare the spot readings of a store with a ledger; a value counts as often as it was answered, in any order."""
    values: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in answered:
        values[each.meter, each.reference][_raw(each.value)] += 1
    true = 0
    false: list[Reading] = []
    unheard: list[Reading] = []
    for reading in readings:
        if reading.profile is not None:
            continue
        found = values.get((reading.meter, reading.reference))
        if found is None:
            unheard.append(reading)
        elif found[str(reading.raw)] > 0:
            found[str(reading.raw)] -= 1
            true += 1
        else:
            false.append(reading)
    return Comparison(true, tuple(false), tuple(unheard))


def _raw(value: str) -> str:
    """Return a number as a reading has it; anything else as it is written."""
    try:
        decoded, _ = axdr.decode(bytes.fromhex(value))
    except (ValueError, CosemError):
        return value
    return str(int(decoded)) if isinstance(decoded, Number) else value


def _one(request: GetRequestNormal, response: GetResponseNormal) -> Iterable[tuple[Any, Any]]:
    return ((request.attribute, response.result),)


def _list(request: GetRequestWithList, response: GetResponseWithList) -> Iterable[tuple[Any, Any]]:
    return ((each.attribute, result) for each, result in zip(request.attributes, response.results, strict=True))


_ANSWERED: Final[Mapping[tuple[type, type], Callable[[Any, Any], Iterable[tuple[Any, Any]]]]] = MappingProxyType(
    {(GetRequestNormal, GetResponseNormal): _one, (GetRequestWithList, GetResponseWithList): _list}
)
"""What is to be written down, by request and response."""
