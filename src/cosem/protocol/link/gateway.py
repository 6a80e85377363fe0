"""A client's link through a gateway: every APDU goes out behind the prefix of annex C of IEC 62056-5-3 and comes so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from cosem.errors import RemoteProtocolError
from cosem.protocol.apdu.gateway import RESPONSE, GatewayAddress, GatewayResponse
from cosem.protocol.link import ApduReceived, ClientLink, LinkEvent

LAYER: Final = "gateway prefix"


class GatewayClient:
    """A `ClientLink` over another one, for the device that `address` names; what stands above knows nothing of it.

    An APDU from another device behind the same gateway is counted and left aside; it is never taken for an answer.

    Raises (from `receive`, `events` and `tick`):
        RemoteProtocolError: an APDU came without the prefix, so that nobody knows from which device.
        DecodeError: the prefix is malformed, or there is another one behind it.
    """

    def __init__(self, link: ClientLink, address: GatewayAddress) -> None:
        self._link = link
        self._address = address
        self._counters: Counter[str] = Counter()

    @property
    def counters(self) -> Mapping[str, int]:
        """Those of the link below, and `apdus_from_other_devices`."""
        return {**self._link.counters, **self._counters}

    @property
    def progressed(self) -> float:
        """When a part of an APDU last came on in the link below."""
        return self._link.progressed

    @property
    def awaiting(self) -> bool:
        """Whether it is the gateway's turn to speak."""
        return self._link.awaiting

    @property
    def echoed(self) -> bool:
        """Whether nothing but our own octets has come back."""
        return self._link.echoed

    @property
    def ends_associations(self) -> bool:
        """The link ends at the gateway; the device behind it hears nothing of that."""
        return False

    @property
    def octets_in_a_turn(self) -> int | None:
        """How long an APDU may be to go out at once, behind the prefix."""
        longest = self._link.octets_in_a_turn
        return None if longest is None else longest - len(self._address.request(b"\x00")) + 1

    def connect(self, now: float) -> None:
        """Bring the link to the gateway up."""
        self._link.connect(now)

    def send(self, apdu: bytes, now: float, *, confirmed: bool = True) -> None:
        """Send one APDU behind the prefix."""
        self._link.send(self._address.request(apdu), now, confirmed=confirmed)

    def poll(self, now: float) -> None:
        """Ask for one more APDU, as the link below does."""
        self._link.poll(now)

    def disconnect(self, now: float) -> None:
        """Take the link to the gateway down."""
        self._link.disconnect(now)

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        self._link.receive(octets, now)

    def outgoing(self) -> bytes:
        """Hand over the octets to write."""
        return self._link.outgoing()

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened, APDUs without their prefix."""
        happened: list[LinkEvent] = []
        for event in self._link.events():
            if not isinstance(event, ApduReceived):
                happened.append(event)
                continue
            if event.apdu[:1] != RESPONSE:
                raise RemoteProtocolError(
                    f"an APDU without the prefix of a gateway came back (it begins with 0x{event.apdu[:1].hex()}); "
                    "is there a gateway at this address?",
                    layer=LAYER,
                )
            answer = GatewayResponse.decode(event.apdu)
            if GatewayAddress.of(answer) == self._address:
                happened.append(event._replace(apdu=answer.apdu))
            else:
                self._counters["apdus_from_other_devices"] += 1
        return happened

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        return self._link.deadline()

    def tick(self, now: float) -> None:
        """Act on the time that has passed."""
        self._link.tick(now)
