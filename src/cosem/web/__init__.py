"""The files that pages are made of, ours and complete: no page asks another host for anything."""

from __future__ import annotations

from importlib import resources


def asset(name: str) -> bytes:
    """Return the octets of a file of this room, such as `page.css`."""
    return resources.files(__name__).joinpath(name).read_bytes()
