"""Any APDU as an annotated tree, going into user information and, where it can be opened, into ciphered octets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from cosem.errors import CosemError
from cosem.protocol.apdu.choice import decode, kind_of
from cosem.protocol.apdu.gateway import GatewayRequest, GatewayResponse
from cosem.protocol.apdu.protected import GeneralSigning
from cosem.protocol.codec.dissect import MALFORMED, Node
from cosem.protocol.codec.reader import DEFAULT, Limits, Octets

Unprotect: TypeAlias = Callable[[bytes], bytes | None]
"""Takes the octets of a protected APDU and returns those of the plain one, or None without a key for it."""


_CARRIERS: Final[dict[bytes, type[GatewayRequest] | type[GatewayResponse]]] = {
    GatewayRequest.TAG: GatewayRequest,
    GatewayResponse.TAG: GatewayResponse,
}

LAYERS: Final = 8
"""How many APDUs may lie in one another before a dissection goes no further."""


def dissect(octets: Octets, unprotect: Unprotect | None = None, limits: Limits = DEFAULT, layers: int = LAYERS) -> Node:
    """Return the tree of an APDU; wrong octets do not raise, the tree then ends in a node named `malformed`.

    `unprotect` is called for each ciphered or signed APDU, also for one within an AARQ; a CosemError of it is shown in
    the tree. Of APDUs in one another no more than `layers` are gone into.
    """
    octets = bytes(octets)

    def inside(envelope: bytes) -> Node | None:
        if layers < 2:
            return Node("plain", 0, 0, "not gone into: too many layers")
        carrier = _CARRIERS.get(envelope[:1])
        if carrier is not None:
            carried = carrier.decode(envelope, limits).apdu
            return Node("carried", 0, 0, "", (dissect(carried, unprotect, limits, layers - 1),), carried)
        signed = GeneralSigning.decode(envelope).content if envelope[:1] == GeneralSigning.TAG else None
        text = ""
        try:
            plain = None if unprotect is None else unprotect(envelope)
        except CosemError as error:
            # What is only signed can be read by everybody, whoever signed it.
            plain, text = signed, f"not {'verified' if signed else 'opened'}: {error}"
        else:
            if plain is None and signed is not None:
                plain, text = signed, "signature not checked"
        if plain is None:
            return Node("plain", 0, 0, text) if text else None
        return Node("plain", 0, 0, text, (dissect(plain, unprotect, limits, layers - 1),), plain)

    kind = kind_of(octets)
    if kind is None:
        return _unknown(octets, limits)
    return kind.dissect(octets, limits, inside)


def _unknown(octets: bytes, limits: Limits) -> Node:
    try:
        decode(octets, limits)
    except CosemError as error:
        return Node("apdu", 0, len(octets), "", (Node(MALFORMED, 0, len(octets), str(error)),))
    raise AssertionError("an APDU of no known kind was decoded")
