"""Where a peer may deviate from the standard and still be understood: one documented field for each tolerance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """Tolerated deviations; the defaults are what the standard says, or what so many do that refusing helps nobody."""

    any_invoke_id: bool = False
    """Take an answer whose invoke-id is not that of the request (meters with a fixed invoke-id)."""

    release_without_user_information: bool = False
    """Send RLRQ without the protected InitiateRequest in a ciphered context (meters that refuse it there)."""

    no_release_request: bool = False
    """Leave by closing the lower layer only (meters that do not implement RLRQ)."""


STANDARD = Dialect()
