"""The security set-up of an association, to be read: policy, suite and system titles (class 64)."""

from __future__ import annotations

from typing import Final

from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.association.security import Protection
from cosem.protocol.values.data import Data, Enumerated, OctetString

POLICY, SUITE, CLIENT_TITLE, SERVER_TITLE = range(2, 6)

_POLICIES: Final = {
    Protection.NONE: 0,
    Protection.AUTHENTICATION: 1,
    Protection.ENCRYPTION: 2,
    Protection.AUTHENTICATION | Protection.ENCRYPTION: 3,
}
"""The security policy of version 0: what all messages must have."""


def _policy(visit: Visit, _: Item) -> Data:
    return Enumerated(_POLICIES[Protection.NONE if visit.association is None else visit.association.protection])


def _suite(_: Visit, __: Item) -> Data:
    return Enumerated(0)


def _client_title(visit: Visit, _: Item) -> Data:
    return OctetString((visit.negotiated is not None and visit.negotiated.peer_title) or b"")


def _server_title(visit: Visit, _: Item) -> Data:
    return OctetString(visit.device.system_title)


BEHAVIOUR: Final = Behaviour(
    reads={POLICY: _policy, SUITE: _suite, CLIENT_TITLE: _client_title, SERVER_TITLE: _server_title}
)
