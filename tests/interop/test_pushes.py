"""One-way pushes: pydlms-client's listener understands those of our meter; no peer at hand sends any by itself."""

from __future__ import annotations

import subprocess

import pytest

from cosem.meter.push import PushSender
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto.key import Key
from cosem.protocol.profile import PROFILES
from cosem.protocol.profile.communication import Station
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString, Structure
from cosem.store.memory import MemoryCounterStore
from interop.conftest import AUTHENTICATION_KEY, ENCRYPTION_KEY, peer

TITLE = bytes.fromhex("4B464D1020304050")
TIME = bytes.fromhex("07E4020F06011922FF800000")
BODY = Structure((OctetString(bytes.fromhex("0100010800FF")), DoubleLongUnsigned(12_345_678)))


def pushed(framing: str, *, protected: bool) -> bytes:
    """Return the octets of one push as our meter sends it."""
    security = None
    if protected:
        counter = InvocationCounter(MemoryCounterStore(), "push")
        keys = Key(bytes.fromhex(ENCRYPTION_KEY)), Key(bytes.fromhex(AUTHENTICATION_KEY))
        security = SecurityContext(0, TITLE, None, *keys, counter=counter)
    sender = PushSender(PROFILES[framing, "tcp"].lower_layers.server(Station(frozenset((1,)))), 16, 1, security)
    sender.push(DataNotification(0x40000001, TIME, BODY), 0.0)
    return sender.outgoing()


@pytest.mark.interop(feature="DataNotification", peer="pydlms-client", role="server")
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("protected", [False, True])
def test_the_listener_of_pydlms_takes_our_pushes(framing: str, protected: bool) -> None:
    keys = ["--key", ENCRYPTION_KEY, "--auth-key", AUTHENTICATION_KEY] if protected else []
    done = subprocess.run(
        [peer("pydlms"), "push", "-", "--framing", framing, *keys, "--once"],
        input=pushed(framing, protected=protected).hex() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "12345678" in done.stdout, done.stdout + done.stderr
    assert "2020-02-15" in done.stdout or "1.0.1.8.0.255" in done.stdout
