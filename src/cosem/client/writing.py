"""The leave to write: every operation here that changes a meter asks for it by name."""

from __future__ import annotations

from cosem.errors import ConfigurationError


def require(write: bool, what: str) -> None:
    """Raise ConfigurationError unless the caller has said that the meter may be changed."""
    if not write:
        raise ConfigurationError(f"this {what}: say write=True when that is meant")
