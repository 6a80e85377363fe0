"""What a meter notes of who attacks it and of what is changed in its security: each where it happens, and no flood."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from behaving import NOON, Now, run
from cosem.errors import ConfigurationError
from cosem.io.aio.memory import MemoryStream
from cosem.meter.associations import AssociationDescription, Keys, demo_keys
from cosem.meter.attend import attend
from cosem.meter.demo import EVENT_LOG, EVENT_LOG_ENTRIES, codes, household
from cosem.meter.describe import parse
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import Clock, Data, ProfileGeneric
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import Unsigned
from cosem.store.memory import MemoryCounterStore
from pair import AK, BOTH, CLIENT_TITLE, EK

LOG, CODE = ProfileGeneric("0.0.99.98.7.255"), Data("0.0.96.11.7.255")
EVENTS = list(MeterEvent)
OTHER_KEY = Key(bytes(range(0x20, 0x30)))
PASSWORD, CIPHERED = 32, 1


def meter(now: Now) -> Meter:
    made = Meter("KFM1020012345678", clock=now, counters=MemoryCounterStore())
    made.add(CODE, value=Unsigned(0))
    made.add(LOG, capture_objects=(Clock().time, CODE.value), buffer=())
    made.management.record(LOG, {event: code for code, event in enumerate(EVENTS)}, begins=False)
    made.offer(
        AssociationDescription(client=PASSWORD, name="a", mechanism=MECHANISMS[1], secret=Secret(b"12345678")),
        AssociationDescription(client=CIPHERED, name="b", mechanism=MECHANISMS[5], keys=demo_keys(), protection=BOTH),
    )
    return made


def noted(of: Meter) -> list[MeterEvent]:
    rows: Any = of.value(LOG.buffer)
    return [EVENTS[int(row[1])] for row in rows]


def said_to(of: Meter, *requests: tuple[int, bytes], peer: str = "a") -> None:
    """Send APDUs of clients, each on a connection of its own."""

    async def main() -> None:
        for client, apdu in requests:
            near = MemoryStream()
            serving = asyncio.ensure_future(attend(of, near.other, peer=peer))
            head = b"\0\1" + client.to_bytes(2, "big") + b"\0\1" + len(apdu).to_bytes(2, "big")
            await near.write(head + apdu)
            assert await near.read(near.now() + 5)
            await near.close()
            await asyncio.wait([serving])

    asyncio.run(main())


def with_password(password: bytes) -> tuple[int, bytes]:
    association = ClientAssociation(ClientSettings(mechanism=MECHANISMS[1], secret=Secret(password)))
    association.associate()
    return PASSWORD, association.outgoing()[0]


def ciphered(key: Key = EK) -> tuple[int, bytes]:
    counter = InvocationCounter(MemoryCounterStore(), "client")
    context = SecurityContext(0, CLIENT_TITLE, None, key, AK, required=BOTH, counter=counter)
    settings = ClientSettings(mechanism=MECHANISMS[5], protection=BOTH)
    association = ClientAssociation(settings, challenge=bytes(range(16)), security=context)
    association.associate()
    return CIPHERED, association.outgoing()[0]


def test_a_wrong_password_is_noted_and_a_right_one_is_not() -> None:
    made = meter(Now())
    said_to(made, with_password(b"12345678"))
    assert noted(made) == []
    said_to(made, with_password(b"guessed!"))
    assert noted(made) == [MeterEvent.AUTHENTICATION_FAILED]


def test_a_lock_out_is_noted_when_it_begins() -> None:
    made = meter(Now())
    said_to(made, *[with_password(b"guessed!")] * 2)
    assert noted(made) == [MeterEvent.AUTHENTICATION_FAILED]
    said_to(made, *[with_password(b"guessed!")] * 5)
    assert noted(made) == [MeterEvent.AUTHENTICATION_FAILED, MeterEvent.LOCKED_OUT]


def test_a_message_under_another_key_is_noted() -> None:
    made = meter(Now())
    said_to(made, ciphered(OTHER_KEY))
    assert noted(made) == [MeterEvent.DECRYPTION_FAILED]


def test_a_replayed_message_is_noted() -> None:
    made = meter(Now())
    request = ciphered()
    said_to(made, request)
    assert noted(made) == []
    said_to(made, request)
    assert noted(made) == [MeterEvent.COUNTER_REPLAYED]


def test_a_flood_costs_a_log_few_rows() -> None:
    now = Now()
    made = meter(now)
    for _ in range(120):
        said_to(made, with_password(b"guessed!"), ciphered(OTHER_KEY), peer=str(now.time))
        now.later(seconds=30)
    # an hour of two kinds, each noted at first and after 1, 2, 4, 8 and 16 minutes more
    assert len(noted(made)) == 2 * 6
    assert noted(made).count(MeterEvent.DECRYPTION_FAILED) == 6


CHANGES = {
    "password": ({"secret": Secret(b"another!")}, {MeterEvent.PASSWORD_CHANGED}),
    "policy": ({"protection": Protection.AUTHENTICATION}, {MeterEvent.POLICY_CHANGED}),
    "encryption key": ({"keys": {"encryption": OTHER_KEY}}, {MeterEvent.GLOBAL_KEY_CHANGED, MeterEvent.KEY_CHANGED}),
    "master key": ({"keys": {"general": GeneralKeys(master_key=OTHER_KEY)}}, {MeterEvent.KEY_CHANGED}),
    "nothing": ({}, set[MeterEvent]()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_in_an_association_is_noted(what: str) -> None:
    changed, events = CHANGES[what]
    made = meter(Now())
    client = PASSWORD if what == "password" else CIPHERED
    before = made.management.association(client)
    assert before is not None
    after: dict[str, Any] = dict(changed)
    if "keys" in after:
        after["keys"] = replace(before.keys or demo_keys(), **after["keys"])
    made.management.replace(client, replace(before, **after))
    assert set(noted(made)) == events
    assert len(noted(made)) == len(events)


def test_a_change_that_cannot_be_kept_is_not_noted() -> None:
    made = meter(Now())
    before = made.management.association(CIPHERED)
    assert before is not None
    lasting = Keys(*(Key(sha256(name).digest()[:16]) for name in (b"encryption", b"authentication")))
    with pytest.raises(ConfigurationError, match="nothing was given that keeps changes"):
        made.management.replace(CIPHERED, replace(before, keys=lasting))
    assert noted(made) == []


def test_a_log_that_is_cleared_notes_that_and_no_other_does() -> None:
    made = meter(Now())
    other, code = ProfileGeneric("0.0.99.98.8.255"), Data("0.0.96.11.8.255")
    made.add(code, value=Unsigned(0))
    made.add(other, capture_objects=(code.value,), buffer=())
    made.management.record(other, {MeterEvent.LOG_CLEARED: 255, MeterEvent.CLOCK_SET: 5}, begins=False)
    made.set_time(NOON + timedelta(hours=1))
    run(made, LOG.reset)
    assert noted(made) == [MeterEvent.LOG_CLEARED]
    rows: Any = made.value(other.buffer)
    assert [int(row[0]) for row in rows] == [5]
    run(made, other.reset)
    assert noted(made) == [MeterEvent.LOG_CLEARED]


# -- meters whose log is computed --------------------------------------------------------------------------------------


def logged(of: Meter) -> list[int]:
    rows: Any = of.value(EVENT_LOG.buffer)
    return [int(row[1]) for row in rows]


def test_a_meter_for_demonstrations_notes_what_happens_to_it_beside_its_history() -> None:
    now = Now()
    made = household(3, clock=now, security="low", password=Secret(b"12345678"))
    history = logged(made)
    assert history
    assert made.untouched
    made.set_time(now.time + timedelta(hours=1))
    assert logged(made) == [*history, 4, 5]
    assert int(made.value(Data("0.0.96.11.0.255").value)) == 5
    made.set_time(now.time - timedelta(hours=1))
    assert logged(made) == [*history, 4, 5, 4, 5], "in the order in which it came"
    said_to(made, with_password(b"guessed!"))
    assert logged(made) == [*history, 4, 5, 4, 5, 46]
    later = household(3, clock=Now(now.time + timedelta(days=40)), security="low", password=Secret(b"12345678"))
    now.later(days=40)
    computed = logged(later)
    assert sorted(logged(made)) == sorted([*computed, 4, 5, 4, 5, 46]), "its history goes on"


def test_a_template_notes_what_objects_do_that_a_description_adds() -> None:
    now = Now()
    breaker = '[[object]]\nclass = "DisconnectControl"\ninstance = "0.0.96.3.10.255"\n'
    text = f'[meter]\nname = "KFM1020012345678"\ntemplate = "household"\nnumber = 3\n{breaker}'
    made = parse(text, clock=now)
    history = logged(made)
    run(made, DisconnectControl().remote_disconnect)
    now.later(minutes=1)
    run(made, DisconnectControl().remote_reconnect)
    assert logged(made) == [*history, 62, 63]
    made.power.down()
    now.later(minutes=10)
    made.power.up()
    assert logged(made) == [*history, 62, 63, 1, 2]


def test_the_log_of_a_meter_for_demonstrations_holds_so_many_entries_and_not_one_more() -> None:
    now = Now()
    made = household(3, clock=now)
    for _ in range(EVENT_LOG_ENTRIES):
        now.later(seconds=1)
        made.set_time(made.time() + timedelta(seconds=1))
    assert logged(made) == [4, 5] * (EVENT_LOG_ENTRIES // 2)
    assert len(made.management.source.noted) == EVENT_LOG_ENTRIES


def test_codes_of_meters_for_demonstrations_are_those_of_idis() -> None:
    known = codes()
    assert [known[each] for each in (MeterEvent.POWER_DOWN, MeterEvent.POWER_UP, MeterEvent.IMAGE_ACTIVATED)] == [
        1,
        2,
        18,
    ]
    assert known[MeterEvent.DISCONNECTED_LOCALLY] == 64
