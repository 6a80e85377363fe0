"""Object lists as meters gave them, kept for the next time: to read one takes longer than all the rest of a browse.

An entry is of one meter and association, and holds as long as the meter tells the same of its configuration. It is
only a shortcut: what cannot be read or kept is as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.store.directory import default_state_directory
from cosem.store.durable import SYSTEM, Disk, replace

LONGEST: Final = 4 << 20
"""Octets of an entry."""

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class KnownList:
    """An object list, as the octets of its Data, and how many attributes the meter took in one list of a request."""

    octets: bytes
    most: int | None = None


class ObjectLists:
    """Object lists in a directory, a file for each meter and association."""

    def __init__(self, directory: Path, *, disk: Disk = SYSTEM) -> None:
        self._directory = directory
        self._disk = disk

    def find(self, association: str, configuration: str) -> KnownList | None:
        """Return the list of the association that is identified so, None where its configuration was another one."""
        try:
            octets = self._disk.read(self._path(association), LONGEST)
            found = None if octets is None or len(octets) > LONGEST else json.loads(octets)
        except (OSError, ValueError, RecursionError):
            return None
        return _known(found, configuration)

    def keep(self, association: str, configuration: str, known: KnownList) -> None:
        """Keep a list in place of the one before; does nothing where that cannot be done."""
        entry = {
            "format": FORMAT,
            "configuration": configuration,
            "object_list": known.octets.hex().upper(),
            "most": known.most,
        }
        with suppress(ConfigurationError, OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace(self._path(association), json.dumps(entry).encode(), self._disk)

    def _path(self, association: str) -> Path:
        """Return where an entry is, by a name that tells nobody which meters there are."""
        return self._directory / f"{hashlib.sha256(association.encode()).hexdigest()[:40]}.json"


def default_object_lists() -> ObjectLists:
    """Return the object lists of this user."""
    return ObjectLists(default_state_directory() / "object-lists")


def _known(found: Any, configuration: str) -> KnownList | None:
    if not isinstance(found, dict):
        return None
    entry = cast("dict[str, Any]", found)
    octets, most = entry.get("object_list"), entry.get("most")
    if (entry.get("format"), entry.get("configuration")) != (FORMAT, configuration) or not isinstance(octets, str):
        return None
    try:
        return KnownList(bytes.fromhex(octets), most if isinstance(most, int) and most > 0 else None)
    except ValueError:
        return None
