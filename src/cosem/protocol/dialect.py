"""Where a peer may deviate from the standard and still be understood: one documented field for each tolerance."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from cosem.danger import Weakness
from cosem.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Dialect:
    """Tolerated deviations; the defaults are what the standard says, or what so many do that refusing helps nobody.

    Deviations with a place of their own are switched there: `bcc` of a connection URL and the identification of IEC
    62056-21, tags that are not verified (`cosem.danger`), the types of values (`cosem.protocol.model.shape.TOLERANCES`,
    a date-time with and without its tag among them). Lines without unit or with a fault, blocks out of order, octets
    behind a block of IEC 62056-21, P1 telegrams in plain text from a meter whose keys are known, and classes that
    nobody knows are never fatal: they are handed out with what is wrong, or as raw Data.
    """

    any_invoke_id: bool = False
    """Take an answer whose invoke-id is not that of the request (meters with a fixed invoke-id; a switch of the driver
    of MasterOPC). Weakens identity: see `weaknesses`."""

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

    octets_after_apdu: bool = False
    """Take an APDU with further octets behind it, which are left out (a lenient switch that field reports ask for)."""

    accepted_without_initiate: bool = False
    """Take an AARE that accepts and has no user-information, as if everything that was proposed had been granted, with
    PDUs of 128 octets (Landis+Gyr ZCXi120 and ZMXi320 leave it out of an AARE that rejects, which is always taken)."""

    empty_system_title: bool = False
    """Take a message in a general envelope whose system title has no octets as one of the meter that is configured
    (Elgama G15 and G35, gas meters of UNI/TS 11291). Weakens identity: see `weaknesses`."""

    link: frozenset[str] = frozenset()
    """Tolerances of HDLC beside the usual ones, by the names of `cosem.protocol.link.hdlc.Tolerance`."""

    @property
    def weaknesses(self) -> frozenset[Weakness]:
        """What of this weakens identity, and has to be permitted through `cosem.danger`."""
        asked = {
            Weakness.ANY_INVOKE_ID: self.any_invoke_id,
            Weakness.FOREIGN_STATION: bool(self.link & FOREIGN),
            Weakness.EMPTY_SYSTEM_TITLE: self.empty_system_title,
        }
        return frozenset(weakness for weakness, on in asked.items() if on)

    def check(self, permitted: frozenset[Weakness]) -> None:
        """Raise ConfigurationError unless all that is weak here is permitted."""
        for weakness in sorted(self.weaknesses - permitted, key=lambda each: each.name):
            raise ConfigurationError(
                f"this dialect is off by default: {weakness.value}; permit it with "
                f"danger.allow(Weakness.{weakness.name}), --allow {option_of(weakness)} at the command line"
            )

    def permitted(self, permitted: frozenset[Weakness]) -> Dialect:
        """Return what of this is left without what is weak and not permitted."""
        return replace(
            self,
            any_invoke_id=self.any_invoke_id and Weakness.ANY_INVOKE_ID in permitted,
            empty_system_title=self.empty_system_title and Weakness.EMPTY_SYSTEM_TITLE in permitted,
            link=self.link if Weakness.FOREIGN_STATION in permitted else self.link - FOREIGN,
        )


FOREIGN: Final = frozenset({"OTHER_SERVER", "OTHER_CLIENT"})
"""Tolerances of HDLC that take the word of stations that were not asked."""


def option_of(weakness: Weakness) -> str:
    """Return the word for a weakness at the command line: `any-invoke-id`."""
    return weakness.name.lower().replace("_", "-")


STANDARD = Dialect()
"""What the standard says, and what everybody puts up with."""


@dataclass(frozen=True, slots=True)
class KnownDialect:
    """A line of `dialects.toml`: whose meters deviate, how, and where that is said. `model` "" means all models."""

    maker: str
    model: str
    dialect: Dialect
    source: str

    @property
    def name(self) -> str:
        """As it is written at the command line: `LGZ/ZMF100`."""
        return f"{self.maker}/{self.model}".rstrip("/")

    def means(self, maker: str, model: str) -> bool:
        """Tell whether it is about meters of that maker and model."""
        return self.maker == maker.upper() and self.model.upper() in model.upper()


@cache
def known_dialects() -> tuple[KnownDialect, ...]:
    """Return every line of `dialects.toml`. Raises ConfigurationError for a field that there is not."""
    text = resources.files("cosem.protocol").joinpath("dialects.toml").read_text("utf-8")
    return tuple(map(_known, tomllib.loads(text)["dialect"]))


def known_of(maker: str) -> tuple[KnownDialect, ...]:
    """Return what is known of any meters of a maker, by its FLAG letters."""
    return tuple(each for each in known_dialects() if each.maker == maker.upper())


def dialect_of(maker: str, model: str = "") -> Dialect:
    """Return what is known of the meters of a maker, by its FLAG letters, and of a model; STANDARD for nothing.

    What holds for some models only is left out where the model is not known. It may hold what has to be permitted: see
    `Dialect.check` and `Dialect.permitted`.
    """
    found = STANDARD
    for each in known_dialects():
        if each.means(maker, model):
            switched: dict[str, Any] = {
                field.name: True for field in fields(Dialect) if getattr(each.dialect, field.name) is True
            }
            found = replace(found, link=found.link | each.dialect.link, **switched)
    return found


def _known(row: Mapping[str, Any]) -> KnownDialect:
    names = {field.name for field in fields(Dialect)} - {"link"}
    switched = row.get("fields", [])
    unknown = set(switched) - names
    if unknown:
        raise ConfigurationError(f"a dialect has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(names))}")
    dialect = Dialect(**dict.fromkeys(switched, True), link=frozenset(row.get("link", ())))
    return KnownDialect(row["maker"], row.get("model", ""), dialect, row["source"])
