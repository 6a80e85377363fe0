"""A sender as a client or meter is one, for crash tests: every message takes a counter, and is perhaps sent again."""

from __future__ import annotations

from cosem.protocol.apdu.descriptor import AttributeDescriptor
from cosem.protocol.apdu.get import GetRequestNormal
from cosem.protocol.association.counter import CounterStore, InvocationCounter, counter_name
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto.key import Key
from cosem.protocol.values.obis import Obis

EK, AK = Key(b"an encrypting k."), Key(b"an authentic. k.")
TITLE, PEER = b"COS\0\0\0\0\1", b"KFM\0\0\0\0\1"
COUNTER_AT = 3
"""Where the invocation counter stands in a glo-get-request with one octet of length."""


class Ledger:
    """What was ever on the line, by the counter it was protected with."""

    def __init__(self) -> None:
        self.sent: dict[bytes, bytes] = {}
        self.messages = 0

    def emit(self, octets: bytes) -> None:
        number = octets[COUNTER_AT : COUNTER_AT + 4]
        known = self.sent.setdefault(number, octets)
        assert known == octets, f"counter {int.from_bytes(number, 'big')} was used for two messages"

    def following(self) -> bytes:
        """Return a request that was never made before."""
        self.messages += 1
        return request(self.messages)


def request(number: int) -> bytes:
    instance = Obis.of(1, 0, 1, *number.to_bytes(3, "big"))
    return GetRequestNormal(0xC1, AttributeDescriptor(3, instance, 2), None).encode()


def sender(store: CounterStore, block: int) -> SecurityContext:
    counter = InvocationCounter(store, counter_name(EK, TITLE), block)
    return SecurityContext(0, TITLE, PEER, EK, AK, counter=counter)


def talk(store: CounterStore, ledger: Ledger, messages: int = 5, block: int = 2) -> None:
    """Send some messages, each of them twice, as a link does that has not heard an acknowledgement."""
    context = sender(store, block)
    for _ in range(messages):
        protected = context.protect(ledger.following())
        ledger.emit(protected)
        ledger.emit(protected)
