"""How the profiles of a meter were read the last time, kept for the next: what a meter refuses is not asked again.

It is only a shortcut: what cannot be read or kept is as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.protocol.values.obis import Obis
from cosem.store.directory import default_state_directory
from cosem.store.durable import SYSTEM, Disk, replace

LONGEST: Final = 1 << 16
"""Octets of the file of one meter."""


class ProfileWays(MutableMapping[Obis, int]):
    """The ways of one meter by the logical name of the profile, in a file that is written at each change."""

    def __init__(self, path: Path, *, disk: Disk = SYSTEM) -> None:
        self._path = path
        self._disk = disk
        self._known = self._read()

    def __getitem__(self, instance: Obis) -> int:
        return self._known[instance]

    def __setitem__(self, instance: Obis, way: int) -> None:
        if self._known.get(instance) != way:
            self._known[instance] = int(way)
            self._keep()

    def __delitem__(self, instance: Obis) -> None:
        del self._known[instance]
        self._keep()

    def __iter__(self) -> Iterator[Obis]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _read(self) -> dict[Obis, int]:
        try:
            octets = self._disk.read(self._path, LONGEST)
            found: Any = {} if octets is None or len(octets) > LONGEST else json.loads(octets)
            given = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
            return {Obis(name): way for name, way in given.items() if type(way) is int}
        except (OSError, ValueError, RecursionError, ConfigurationError):
            return {}

    def _keep(self) -> None:
        with suppress(ConfigurationError, OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace(self._path, json.dumps({str(name): way for name, way in self._known.items()}).encode(), self._disk)


def default_profile_ways(meter: str) -> ProfileWays:
    """Return what this user knows of a meter, which is named by where it is and who asks it."""
    name = hashlib.sha256(meter.encode()).hexdigest()[:40]
    return ProfileWays(default_state_directory() / "profile-ways" / f"{name}.json")
