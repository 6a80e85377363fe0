"""One-way pushes: the listeners of the peers understand those of our meter, and our listener those that peers make.

Each peer finds the push in the frames of the medium and takes its protection off. pydlms-client and dlms-cosem then
read it whole. The client of gurux-dlms does so with a DataNotification, and raises when it sets the object that another
tells of; its own translator reads what it got. It expects the time of an InformationReport without the octet that says
there is one, so it gets one without a time.

The notifier of gurux-dlms and the codec of dlms-cosem make pushes, which we carry to our listener. gurux-dlms raises
where it should protect anything but a DataNotification; what it makes in clear is asked in a session, where it may
come. It leaves the weekday out. dlms-cosem writes 01 in the place of the length of a time, so it is asked for none.
"""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest

from cosem import Obis
from cosem.client.listen import PushListener
from cosem.client.reception import Pushed, PushingMeter, PushReception, Quarantined
from cosem.io.aio import connect_tcp
from cosem.meter.push import PushSender
from cosem.protocol.apdu.descriptor import AttributeDescriptor
from cosem.protocol.apdu.notification import DataNotification, EventNotification
from cosem.protocol.apdu.short_name import InformationReportRequest, VariableName
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.services import Notification
from cosem.protocol.crypto.key import Key
from cosem.protocol.profile import PROFILES
from cosem.protocol.profile.communication import Station
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString, Structure
from cosem.store.memory import MemoryCounterStore
from interop.conftest import AUTHENTICATION_KEY, ENCRYPTION_KEY, drive, peer
from interop.matrix import asks

TITLE = bytes.fromhex("4B464D1020304050")
TIME = bytes.fromhex("07E4020F06011922FF800000")
NAME = OctetString(bytes.fromhex("0100010800FF"))
VALUE = DoubleLongUnsigned(12_345_678)
DATA = DataNotification(0x40000001, TIME, Structure((NAME, VALUE)))
EVENT = EventNotification(TIME, AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2), VALUE)
REPORT = InformationReportRequest(TIME, (VariableName(0x1008),), (VALUE,))
REPORT_WITHOUT_TIME = InformationReportRequest(None, (VariableName(0x1008),), (VALUE,))

FRAMINGS = ("wrapper", "hdlc")


def pushed(notification: Notification, framing: str, *, protected: bool) -> bytes:
    """Return the octets of one push as our meter sends it."""
    security = None
    if protected:
        counter = InvocationCounter(MemoryCounterStore(), "push")
        keys = Key(bytes.fromhex(ENCRYPTION_KEY)), Key(bytes.fromhex(AUTHENTICATION_KEY))
        security = SecurityContext(0, TITLE, None, *keys, counter=counter)
    sender = PushSender(PROFILES[framing, "tcp"].lower_layers.server(Station(frozenset((1,)))), 16, 1, security)
    sender.push(notification, 0.0)
    return sender.outgoing()


def words(framing: str, *, protected: bool) -> str:
    """Return the settings of a listener of ours that runs under a peer."""
    keys = {"ek": ENCRYPTION_KEY, "ak": AUTHENTICATION_KEY, "meter_title": TITLE.hex()} if protected else {}
    return json.dumps({"framing": framing, "title": "4D4D4D0000000001", **keys})


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize(
    ("notification", "shown"),
    [
        pytest.param(
            DATA, "1.0.1.8.0.255  12345678", marks=asks("pydlms-client", "server", "DataNotification"), id="data"
        ),
        pytest.param(
            EVENT, "1.0.1.8.0.255  12345678", marks=asks("pydlms-client", "server", "EventNotification"), id="event"
        ),
        pytest.param(REPORT, "12345678", marks=asks("pydlms-client", "server", "InformationReport"), id="report"),
    ],
)
def test_the_listener_of_pydlms(notification: Notification, shown: str, framing: str, protected: bool) -> None:
    """It shows the value an InformationReport has under a short name, and not the short name."""
    keys = ["--key", ENCRYPTION_KEY, "--auth-key", AUTHENTICATION_KEY] if protected else []
    done = subprocess.run(
        [peer("pydlms"), "push", "-", "--framing", framing, *keys, "--once"],
        input=pushed(notification, framing, protected=protected).hex() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout and "2020-02-15 01:25:34" in done.stdout, done.stdout + done.stderr


VALUE_OF_EVENT = [["ClassId", "0003"], ["InstanceId", "0100010800FF"], ["AttributeId", "02"], ["UInt32", "00BC614E"]]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize(
    ("notification", "found"),
    [
        pytest.param(
            DATA,
            {
                "command": "DATA_NOTIFICATION",
                "time": "2020-02-15T01:25:34",
                "value": ["0100010800FF", 12_345_678],
            },
            marks=asks("gurux-dlms", "server", "DataNotification"),
            id="data",
        ),
        pytest.param(
            EVENT,
            {"command": "EVENT_NOTIFICATION", "content": [["Time", TIME.hex().upper()], *VALUE_OF_EVENT]},
            marks=asks("gurux-dlms", "server", "EventNotification"),
            id="event",
        ),
        pytest.param(
            REPORT_WITHOUT_TIME,
            {"command": "INFORMATION_REPORT", "content": [["VariableName", "1008"], ["UInt32", "00BC614E"]]},
            marks=asks("gurux-dlms", "server", "InformationReport"),
            id="report",
        ),
    ],
)
def test_the_client_of_gurux(notification: Notification, found: object, framing: str, protected: bool) -> None:
    octets = pushed(notification, framing, protected=protected)
    assert drive("gurux_listener.py", words(framing, protected=protected), octets.hex()) == found


@pytest.mark.interop(feature="DataNotification", peer="dlms-cosem", role="server")
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("protected", [False, True])
def test_the_codec_of_dlms_cosem(framing: str, protected: bool) -> None:
    octets = pushed(DATA, framing, protected=protected)
    answer = drive("dlms_cosem_listener.py", words(framing, protected=protected), octets.hex())
    assert answer == {"invoke_id": 1, "time": answer.get("time"), "body": ["0100010800FF", 12_345_678]}
    assert str(answer["time"]).startswith("2020-02-15T01:25:34"), answer


async def heard(framing: str, octets: bytes, *, key: str = ENCRYPTION_KEY) -> Pushed | Quarantined:
    """Send octets to our listener, and return what becomes of them."""
    keys = {"encryption_key": Key(bytes.fromhex(key)), "authentication_key": Key(bytes.fromhex(AUTHENTICATION_KEY))}
    reception = PushReception(b"HES\0\0\0\0\1", [PushingMeter(system_title=TITLE, **keys)], MemoryCounterStore())
    scheme = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}[framing]
    async with PushListener(f"{scheme}://127.0.0.1:0", reception) as listener:
        stream = await connect_tcp("127.0.0.1", listener.url.port or 0)
        await stream.write(octets)
        found = await listener.next()
        await stream.close()
    return found


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(
    ("driver", "more", "notification"),
    [
        pytest.param(
            "gurux_notifier.py",
            {"kind": "data", "time": "2020-02-15T01:25:34+00:00"},
            DataNotification(0xC0000001, bytes.fromhex("07E4020FFF01192200000000"), VALUE),
            marks=asks("gurux-dlms", "client", "DataNotification"),
        ),
        pytest.param(
            "dlms_cosem_notifier.py",
            {"body": "02020906" + "0100010800FF" + "0600BC614E"},
            DataNotification(0x40000001, b"", DATA.body),
            marks=asks("dlms-cosem", "client", "DataNotification"),
        ),
    ],
)
def test_our_listener(driver: str, more: dict[str, str], notification: DataNotification, framing: str) -> None:
    given = {"framing": framing, "title": TITLE.hex(), **more}
    octets = bytes.fromhex(
        drive(driver, json.dumps({**given, "ek": ENCRYPTION_KEY, "ak": AUTHENTICATION_KEY}))["octets"]
    )
    push = asyncio.run(heard(framing, octets))
    assert isinstance(push, Pushed), push
    assert (push.system_title, push.notification, push.invocation_counter) == (TITLE, notification, 1)
    assert isinstance(asyncio.run(heard(framing, octets, key=AUTHENTICATION_KEY)), Quarantined)
