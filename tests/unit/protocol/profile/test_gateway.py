"""A gateway's session with one client: no device says anything in the name of another."""

from __future__ import annotations

import pytest

from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.link.wrapper import WrapperServer
from cosem.protocol.profile.gateway import REFUSAL, GatewaySession, Route

DEVICE = GatewayAddress(0, b"M1")
GET = bytes.fromhex("C001C100080000010000FF0200")
GOT = "C401C1000600BC614E"


def framed(apdu: bytes, source: int, destination: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in (1, source, destination, len(apdu))) + apdu


@pytest.mark.parametrize("answer", [f"E700024D32{GOT}", f"E600024D32{GOT}", "E7"])
@pytest.mark.parametrize("device", [None, DEVICE])
def test_an_answer_with_a_prefix_of_its_own_is_refused(device: GatewayAddress | None, answer: str) -> None:
    session = GatewaySession(WrapperServer(), (None, DEVICE))
    session.receive(framed(GET if device is None else device.request(GET), 16, 1), 0.0)
    (passed,) = session.events()
    assert passed.route == Route(device, 16, 1)
    session.answer(passed.route, bytes.fromhex(answer), 0.0)
    assert session.outgoing() == framed(REFUSAL if device is None else device.response(REFUSAL), 1, 16)
    assert session.counters["answers_refused"] == 1
