"""Who is where in a fleet, written out so that a head-end can be filled with it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, TextIO

from cosem.errors import ConfigurationError
from cosem.fleet.fleet import Fleet
from cosem.meter.associations import PUBLIC_CLIENT
from cosem.meter.demo import MANAGEMENT_CLIENT
from cosem.meter.faults import words


class Listed(NamedTuple):
    """One meter of an inventory; keys in hexadecimal, empty where they were not asked for.

    `faults` is what it does wrong, in the words of `cosem simulate --fault`, empty where it behaves well.
    """

    name: str
    url: str
    client: int
    system_title: str
    kind: str
    security: str
    encryption_key: str
    authentication_key: str
    faults: str


class Inventory:
    """The meters of a fleet in order.

    Without `with_keys` the keys are named only: "demo", or "derived" from the fleet's secret and the system title.
    """

    def __init__(self, fleet: Fleet, *, with_keys: bool = False) -> None:
        self._fleet = fleet
        self.with_keys = with_keys
        self.count = fleet.population.count

    def __iter__(self) -> Iterator[Listed]:
        population = self._fleet.population
        keys = population.keys
        for number in range(self.count):
            title, shown = population.title(number), ("", "")
            client, security = PUBLIC_CLIENT, "none"
            if keys is not None and population.secured(number):
                client, security = MANAGEMENT_CLIENT, "demo" if keys.is_demonstration else "derived"
                if self.with_keys:
                    found = keys.of(title)
                    shown = (found.encryption.reveal().hex().upper(), found.authentication.reveal().hex().upper())
            kind = population.kind(number)
            url = str(self._fleet.url(number))
            wrong = " ".join(words(population.faults(number)))
            yield Listed(population.name(number), url, client, title.hex().upper(), kind, security, *shown, wrong)

    def write(self, path: Path) -> None:
        """Write a .csv or .json file; with keys only this user can read it. Raises ConfigurationError."""
        written = FORMS.get(path.suffix.lower())
        if written is None:
            raise ConfigurationError(f"{path}: an inventory is written as {' or '.join(FORMS)}")
        try:
            path.unlink(missing_ok=True)  # an old one might be open to others
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if self.with_keys else 0o644)
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                written(file, self)
        except OSError as problem:
            raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def _csv(file: TextIO, listed: Iterable[Listed]) -> None:
    writer = csv.writer(file)
    writer.writerow(Listed._fields)
    writer.writerows(listed)


def _json(file: TextIO, listed: Iterable[Listed]) -> None:
    separator = '{"meters": [\n'
    for each in listed:
        file.write(separator + json.dumps(each._asdict()))
        separator = ",\n"
    file.write("\n]}\n")


FORMS: Final[Mapping[str, Callable[[TextIO, Iterable[Listed]], None]]] = MappingProxyType(
    {".csv": _csv, ".json": _json}
)
"""How an inventory is written, by the ending of the file."""
