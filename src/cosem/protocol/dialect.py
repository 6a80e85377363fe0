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

    fields_in_tag: bool = False
    """The tag of general-ciphering covers the five fields before key-info too, lengths and values.

    The Green Book says so, and no published example shows it. Gurux.DLMS and pydlms-client leave them out, and are all
    the peers there are to talk to: hence the default.
    """

    content_length_signed: bool = False
    """The signature of general-signing covers the length of the content too (Green Book; Gurux.DLMS and pydlms-client
    sign the content alone)."""

    ephemeral_key_signed_with_scheme: bool = False
    """The signature over the ephemeral key of one-pass Diffie-Hellman covers the octet 01 before it (Gurux.DLMS)."""

    any_transaction_id: bool = False
    """Take an answer that does not repeat the transaction-id of the request (the simulator of pydlms-client)."""


STANDARD = Dialect()
