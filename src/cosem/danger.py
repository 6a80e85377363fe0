"""The only door to weaker security: each weakness has a name here, and nothing below is weak unless it is handed one.

    from cosem import danger
    permitted = danger.allow(danger.Weakness.MD5_AUTHENTICATION)

The set is an argument, never a global switch: what one association may do says nothing about the next.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Weakness(Enum):
    """What may be weakened, and what that costs."""

    MD5_AUTHENTICATION = "HLS mechanism 3: MD5 is broken, and whoever listens can guess the secret offline"
    SHA1_AUTHENTICATION = "HLS mechanism 4: SHA-1 is broken, and whoever listens can guess the secret offline"
    UNVERIFIED_CIPHERTEXT = "decryption without checking an authentication tag: whoever can send can alter every value"

    ANY_INVOKE_ID = "answers with any invoke-id: a late answer can be taken for that to another request"
    FOREIGN_STATION = "answers of or to other HDLC stations: whoever is on the line can answer for the meter"
    REPLAYED_TELEGRAM = "P1 telegrams whose counter does not grow: whoever has recorded one can send it again"
    EMPTY_SYSTEM_TITLE = "messages without a system title: which meter sent them is a matter of configuration"


NOTHING: Final[frozenset[Weakness]] = frozenset()


def allow(*weaknesses: Weakness) -> frozenset[Weakness]:
    """Return the permission for exactly these weaknesses, to be given to what is to be weakened."""
    return frozenset(weaknesses)
