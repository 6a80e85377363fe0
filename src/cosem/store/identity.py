"""The client's own system title: made once for each user, and kept."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from cosem.errors import ConfigurationError
from cosem.store.directory import default_state_directory
from cosem.store.durable import exclusive, replace

MANUFACTURER: Final = b"COS"
TITLE_OCTETS: Final = 8

_FILE: Final = "system-title"


def client_system_title(directory: Path | None = None) -> bytes:
    """Return the 8 octets by which meters know this user's client: three letters, and five octets of chance.

    They are made at the first call and kept in `directory`, the user's state directory unless given. Raises
    ConfigurationError when they cannot be kept or what is kept is no system title.
    """
    directory = default_state_directory() if directory is None else directory
    path = directory / _FILE
    with exclusive(directory / f"{_FILE}.lock"):
        try:
            kept = path.read_text(encoding="ascii")
        except FileNotFoundError:
            title = MANUFACTURER + secrets.token_bytes(TITLE_OCTETS - len(MANUFACTURER))
            replace(path, title.hex().upper().encode() + b"\n")
            return title
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigurationError(f"cannot read the system title in {path}") from problem
    return _parsed(kept, path)


def _parsed(text: str, path: Path) -> bytes:
    try:
        title = bytes.fromhex(text)
    except ValueError:
        title = b""
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError(
            f"{path} holds no system title: write {2 * TITLE_OCTETS} hex digits into it, or remove it to get a new one"
        )
    return title
