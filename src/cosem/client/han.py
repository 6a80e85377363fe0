"""Reading a customer (HAN) port: pushes in HDLC frames on a line, in clear or ciphered, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from cosem.client.reception import Pushed, PushingMeter, PushReception
from cosem.danger import NOTHING, Weakness, allow
from cosem.errors import CosemError, RemoteProtocolError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.association.services import GENERAL_GLOBAL
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Keys
from cosem.protocol.link.hdlc import HdlcListener
from cosem.protocol.model.push_list import PushList
from cosem.protocol.profile.listening import Heard, ListenerSession
from cosem.readings.han import HanTelegram, list_of
from cosem.store.memory import MemoryCounterStore

_HERE: Final = "line"


class HanReader:
    """Finds the pushes of one meter in the octets of a line; see `cosem.protocol.iec21` for the verbs.

    Args:
        lists: tell what the values are that do not say it.
        keys: open ciphered pushes; without an authentication key, those that are encrypted and nothing more.
        permitted: `Weakness.REPLAYED_TELEGRAM` takes a push whose invocation counter does not grow, and
            `Weakness.UNVERIFIED_CIPHERTEXT` keys without one for authentication.

    Raises:
        ConfigurationError: keys without one for authentication, and without that permission.
    """

    def __init__(
        self, lists: Iterable[PushList], keys: P1Keys | None = None, permitted: frozenset[Weakness] = NOTHING
    ) -> None:
        self._lists = tuple(lists)
        self._keys = keys
        self._any_counter = Weakness.REPLAYED_TELEGRAM in permitted
        self._link = HdlcListener()
        self._session = ListenerSession(self._link)
        self._counters: Counter[str] = Counter()
        self._unverified = permitted & allow(Weakness.UNVERIFIED_CIPHERTEXT)
        if keys is not None:
            _reception(keys, keys.system_title or bytes(8), self._unverified)
        self._title = None if keys is None else keys.system_title
        self._reception: PushReception | None = None
        self._events: list[HanTelegram | Discarded] = []

    @property
    def counters(self) -> Mapping[str, int]:
        """The quality of the line, frame by frame and push by push."""
        return {**self._link.counters, **self._counters}

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets; never raises, whatever they are."""
        self._session.receive(octets, now)
        self._collect()

    def outgoing(self) -> bytes:
        """Return nothing: such a meter only speaks."""
        return b""

    def events(self) -> list[HanTelegram | Discarded]:
        """Hand over the pushes since the last call, and what was none."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when what is under way has to go on."""
        return self._session.deadline()

    def tick(self, now: float) -> None:
        """Let time pass: what does not go on is given up."""
        self._session.tick(now)
        self._collect()

    def finish(self) -> None:
        """The line has ended: what is under way is given up."""
        self.tick(inf)

    def _collect(self) -> None:
        for heard in self._session.events():
            if not isinstance(heard, Heard):
                self._set_aside(b"", heard.error)
                continue
            try:
                telegram = self._telegram(heard.apdu)
            except CosemError as error:
                self._set_aside(heard.apdu, error)
            else:
                self._counters["pushes"] += 1
                self._events.append(telegram)

    def _set_aside(self, octets: bytes, error: CosemError) -> None:
        self._counters["pushes_set_aside"] += 1
        self._events.append(Discarded(octets, error))

    def _telegram(self, octets: bytes) -> HanTelegram:
        if octets[:1] != bytes((GENERAL_GLOBAL,)):
            if self._keys is not None:
                raise SecurityError("the push is in clear, and keys were given")
            told = apdus.decode(octets)
            if not isinstance(told, DataNotification):
                raise RemoteProtocolError(f"{type(told).__name__} is no push of a customer port")
            return HanTelegram(octets, told, list_of(self._lists, told.body))
        pushed = self._opened(octets)
        told = pushed.notification
        if not isinstance(told, DataNotification):
            raise RemoteProtocolError(f"{told.NAME} is no push of a customer port")
        return HanTelegram(
            told.encode(),
            told,
            list_of(self._lists, told.body),
            pushed.system_title,
            pushed.invocation_counter,
            Protection.AUTHENTICATION in pushed.protection,
        )

    def _opened(self, octets: bytes) -> Pushed:
        keys = self._keys
        if keys is None:
            raise SecurityError("the push is encrypted: give the encryption key of the meter")
        title = octets[2 : 2 + TITLE_OCTETS]
        if self._title not in (None, title):
            raise SecurityError(f"the push is of the meter {title.hex().upper()}")
        reception = self._reception or _reception(keys, title, self._unverified)
        event = reception.receive(octets, _HERE)
        if not isinstance(event, Pushed):
            raise event.error
        self._title = title  # the first that is right under the keys is the meter, whoever else speaks on the line
        self._reception = None if self._any_counter else reception
        return event


def _reception(keys: P1Keys, title: bytes, permitted: frozenset[Weakness]) -> PushReception:
    authenticated = keys.authentication_key is not None
    meter = PushingMeter(
        system_title=title,
        encryption_key=keys.encryption_key,
        authentication_key=keys.authentication_key or keys.encryption_key,
        required=AUTHENTICATED_ENCRYPTION if authenticated else Protection.ENCRYPTION,
    )
    return PushReception(_OWN_TITLE, [meter], MemoryCounterStore(), permitted=permitted)


_OWN_TITLE: Final = b"COS\0\0\0\0\0"
"""Ours, which a push does not name."""
