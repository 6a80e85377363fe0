"""Receiving pushes without an association: what is known to come from a meter, and what is set aside as not.

Whoever can send a datagram can say that he is a meter. So a push counts only if it is protected with the keys of a
meter that was described, comes from where that meter may be, and has an invocation counter above all before. Everything
else goes into quarantine, where a person may look at it; it is never a value.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError, CosemError, RemoteProtocolError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from cosem.protocol.association.counter import CounterStore, InvocationCounter, RememberedCounter, counter_name
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.association.services import GENERAL_GLOBAL, Notification, is_confirmed
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Key
from cosem.protocol.dialect import STANDARD, Dialect

QUARANTINED: Final = 256
"""How many messages are kept in quarantine; the oldest go first."""

LONGEST_PUSH: Final = 0xFFFF
"""Octets of one push: a longer one is set aside unread, cut to this length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushingMeter:
    """A meter whose pushes are believed: its title and keys, what they must have, and from where they may come.

    Without `sources` they may come from anywhere. Pushes in envelopes that do not name their sender need one that no
    other meter has.
    """

    system_title: bytes
    encryption_key: Key
    authentication_key: Key
    suite: int = 0
    required: Protection = AUTHENTICATED_ENCRYPTION
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push of a known meter, verified: `system_title` says which."""

    system_title: bytes
    source: str
    notification: Notification
    protection: Protection
    invocation_counter: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What came from `source` and is not known to be a push of a known meter, and why."""

    source: str
    octets: bytes
    error: CosemError


PushEvent: TypeAlias = Pushed | Quarantined


class PushReception:
    """Takes whole APDUs that come unasked.

    Args:
        system_title: our own, 8 octets.
        meters: those whose pushes are believed.
        counters: keeps the last counter of each, so that nothing is taken twice, after a restart either.
        dialect: what the meters do their own way.
        permitted: weaknesses from `cosem.danger` that the dialect, or what is required of a meter, may have.
        kept: how many messages are kept in `quarantine`.
    """

    def __init__(
        self,
        system_title: bytes,
        meters: Iterable[PushingMeter],
        counters: CounterStore,
        *,
        dialect: Dialect = STANDARD,
        permitted: frozenset[Weakness] = NOTHING,
        kept: int = QUARANTINED,
    ) -> None:
        dialect.check(permitted)
        self._dialect = dialect
        self._after_apdu = 0
        self._meters: dict[bytes, PushingMeter] = {}
        self._contexts: dict[bytes, SecurityContext] = {}
        for meter in meters:
            if meter.system_title in self._meters:
                raise ConfigurationError(f"the meter {meter.system_title.hex().upper()} is described twice")
            self._meters[meter.system_title] = meter
            self._contexts[meter.system_title] = _context(system_title, meter, counters, dialect, permitted)
        self.quarantine: deque[Quarantined] = deque(maxlen=kept)
        self.refused = 0
        """How many messages went into quarantine since the beginning."""

    @property
    def tolerated(self) -> Counter[str]:
        """How often each deviation of the meters was put up with, by the name of its switch."""
        found = sum((each.tolerated for each in self._contexts.values()), Counter[str]())
        return found + Counter(octets_after_apdu=self._after_apdu)

    def receive(self, octets: bytes, source: str) -> PushEvent:
        """Take one APDU from `source`, in the words by which sources of meters are described."""
        try:
            if len(octets) > LONGEST_PUSH:
                raise RemoteProtocolError(f"a push has at most {LONGEST_PUSH} octets, this has {len(octets)}")
            return self._verified(octets, source)
        except CosemError as error:
            return self.set_aside(octets, source, error)

    def confirmation(self, event: PushEvent) -> bytes | None:
        """Return what tells the meter that its push has arrived, protected as pushes must be; None where it asks not.

        Raises SecurityError when the invocation counter is used up.
        """
        told = event.notification if isinstance(event, Pushed) else None
        if not isinstance(event, Pushed) or not isinstance(told, DataNotification) or not is_confirmed(told):
            return None
        confirm = DataNotificationConfirm(told.long_invoke_id_and_priority, b"").encode()
        return self._contexts[event.system_title].protect(confirm, general=True)

    def set_aside(self, octets: bytes, source: str, error: CosemError) -> Quarantined:
        """Put into quarantine what is no push, and why."""
        refused = Quarantined(source, octets[:LONGEST_PUSH], error)
        self.quarantine.append(refused)
        self.refused += 1
        return refused

    def _verified(self, octets: bytes, source: str) -> Pushed:
        meter = self._sender(octets, source)
        if meter.sources and source not in meter.sources:
            raise SecurityError(f"{meter.system_title.hex().upper()} does not push from {source}")
        opened = self._contexts[meter.system_title].unprotect(octets)
        if not opened.protection & meter.required:
            raise SecurityError("an error in clear is no push")
        apdu = opened.apdu
        if self._dialect.octets_after_apdu:
            apdu = apdus.first_of(apdu)
            self._after_apdu += len(apdu) < len(opened.apdu)
        notification = apdus.decode(apdu)
        if not isinstance(notification, Notification):
            raise RemoteProtocolError(f"{type(notification).__name__} is no push")
        return Pushed(meter.system_title, source, notification, opened.protection, opened.counter)

    def _sender(self, octets: bytes, source: str) -> PushingMeter:
        """Return the meter that a message names, or the only one that pushes from there."""
        if octets[:2] == bytes((GENERAL_GLOBAL, TITLE_OCTETS)):
            meter = self._meters.get(octets[2 : 2 + TITLE_OCTETS])
            if meter is None:
                raise SecurityError(f"nobody knows a meter {octets[2 : 2 + TITLE_OCTETS].hex().upper()}")
            return meter
        known = [meter for meter in self._meters.values() if source in meter.sources]
        if octets[:2] == bytes((GENERAL_GLOBAL, 0)) and self._dialect.empty_system_title and len(self._meters) == 1:
            known = list(self._meters.values())  # the tag tells whether it is of the only one there is
        if len(known) != 1:
            raise SecurityError(f"the message names no meter, and {len(known)} are known to push from {source}")
        return known[0]


def _context(
    own_title: bytes, meter: PushingMeter, counters: CounterStore, dialect: Dialect, permitted: frozenset[Weakness]
) -> SecurityContext:
    return SecurityContext(
        meter.suite,
        own_title,
        meter.system_title,
        meter.encryption_key,
        meter.authentication_key,
        required=meter.required,
        counter=InvocationCounter(counters, counter_name(meter.encryption_key, own_title)),
        received=RememberedCounter(counters, meter.encryption_key, lambda: meter.system_title, each=True),
        dialect=dialect,
        permitted=permitted,
    )
