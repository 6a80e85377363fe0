"""A day of one meter with the clients of gurux-dlms and pydlms-client, who agree with the ledger of what it answered.

Each as far as it can: gurux-dlms transfers no whole image, so pydlms-client does; the key is transferred by gurux-dlms
and used by both. Over the wrapper and over HDLC, both on TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.fleet.ledger import Answer, answers, value_of
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights, Server
from cosem.meter.demo import LOAD_PROFILE, furnish
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.profile.session import SapPair
from cosem.protocol.values.data import (
    BitString,
    Data,
    DoubleLongUnsigned,
    Integer,
    Number,
    OctetString,
    Structure,
)
from interop.served import running

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
EK, AK, NEW, MASTER = (
    "8f1c5ae07d3342b6990fd1c2aa54e31b",
    "27b8e46f10c95d8834aef2619c70d50b",
    "c4d90a6be1573f822cb4680d99fe1375",
    "5e02b7d9943acf6811d83ba5e0427c9f",
)
GURUX_TITLE, PYDLMS_TITLE = "4142434445464748", "5152535455565758"
BREAKER = DisconnectControl("0.0.96.3.10.255")
IMAGE_OBJECT = ImageTransfer()
SETUP = "0.0.43.0.1.255"
ENERGIES = ("1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255")
CLOCK = "0.0.1.0.0.255"
SCHEMES = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}
PROFILE = str(LOAD_PROFILE.instance)
IMAGE = bytes(range(256)) * 3
BLOCK = 200


class Day:
    """The meter, its clock, what it answered, and who knocks with which keys."""

    def __init__(self, gurux: Any, pydlms: Any, framing: str) -> None:
        self.now = MIDNIGHT
        self.framing = framing
        self.ek = EK
        self.ledger: list[Answer] = []
        self._gurux, self._pydlms = gurux, pydlms
        self.meter = meter = Meter("KFM1020012345678", clock=lambda: self.now)
        furnish(meter, 12_345_678)
        meter.add(BREAKER, control_mode=4)
        meter.add(IMAGE_OBJECT, image_block_size=BLOCK)
        keys = (Key(bytes.fromhex(each)) for each in (EK, AK))
        meter.offer(
            AssociationDescription(
                client=1,
                mechanism=MECHANISMS[5],
                keys=Keys(*keys, temporary=True, general=GeneralKeys(master_key=Key(bytes.fromhex(MASTER)))),
                protection=AUTHENTICATED_ENCRYPTION,
                rights=Rights(Access.MANAGE),
            )
        )

    def at(self, hours: int, minutes: int = 0) -> None:
        self.now = MIDNIGHT + timedelta(hours=hours, minutes=minutes)

    def gurux(self, *operations: list[Any]) -> tuple[list[Any], list[Answer]]:
        return self._visit(
            lambda port: self._gurux(
                port, list(operations), client=1, auth="gmac", ek=self.ek, ak=AK, system_title=GURUX_TITLE,
                counter=self._counter(), framing=self.framing,
            )
        )  # fmt: skip

    def pydlms(self, *operations: list[Any]) -> tuple[list[Any], list[Answer]]:
        given = {"client": 1, "mechanism": 5, "ek": self.ek, "ak": AK, "title": PYDLMS_TITLE, "framing": self.framing}
        return self._visit(lambda port: self._pydlms(port, list(operations), counter=self._counter(), **given))

    def _counter(self) -> int:
        """Counters of a client go on from session to session."""
        return 1 + int((self.now - MIDNIGHT).total_seconds()) * 100

    def _visit(self, session: Any) -> tuple[list[Any], list[Answer]]:
        with self._served() as port:
            answer = session(port)
        assert "error" not in answer, answer["error"]
        assert answer["released"]
        noted, self.ledger = self.ledger, []
        return answer["results"], noted

    @contextmanager
    def _served(self) -> Iterator[int]:
        def witness(pair: SapPair, request: object, response: object) -> None:
            self.ledger += answers(self.meter.time(), self.meter.name, pair.client, request, response)

        with running(Server(self.meter, f"{SCHEMES[self.framing]}://127.0.0.1:0", witness=witness)) as port:
            yield port


def said(noted: list[Answer], class_id: int, instance: str, attribute: int) -> list[str]:
    """Return what the ledger has for an attribute, in order."""
    return [each.value for each in noted if each.reference == f"{class_id}/{instance}/{attribute}"]


def number(value: str) -> int:
    decoded = axdr.decode_all(bytes.fromhex(value))
    assert isinstance(decoded, Number)
    return int(decoded)


def data(value: Data) -> str:
    return axdr.encode(value).hex()


def image_operations() -> list[list[Any]]:
    """Initiate, transfer all blocks but the second, look at the bitmap, send it, verify, look, activate, look."""
    instance = str(IMAGE_OBJECT.instance)
    blocks = [IMAGE[at : at + BLOCK] for at in range(0, len(IMAGE), BLOCK)]

    def block(place: int) -> list[Any]:
        return ["act", instance, 18, 2, data(Structure((DoubleLongUnsigned(place), OctetString(blocks[place]))))]

    identify = data(Structure((OctetString(b"v2"), DoubleLongUnsigned(len(IMAGE)))))
    missing = [place for place in range(len(blocks)) if place != 1]
    return [
        ["set", instance, 18, 5, "0301"],
        ["act", instance, 18, 1, identify],
        *(block(place) for place in missing),
        ["get", instance, 18, 3],
        block(1),
        ["get", instance, 18, 3],
        ["act", instance, 18, 3, data(Integer(0))],
        ["get", instance, 18, 6],
        ["act", instance, 18, 4, data(Integer(0))],
        ["get", instance, 18, 6],
    ]


def clock_at(noted: list[Answer]) -> list[str]:
    """Return the times of the clock that the ledger has: without the day of the week, deviation and status."""
    octets = [bytes.fromhex(value) for value in said(noted, 8, CLOCK, 2)]
    return [
        datetime(int.from_bytes(each[2:4], "big"), *each[4:6], *each[7:10]).isoformat()  # type: ignore[arg-type]
        for each in octets
    ]


@pytest.mark.parametrize("framing", SCHEMES)
def test_a_day(gurux: Any, pydlms: Any, framing: str) -> None:
    day = Day(gurux, pydlms, framing)

    day.at(0, 10)  # registers, one request
    (listed,), noted = day.gurux(["list", [[3, name, 2] for name in ENERGIES]])
    truth = [number(value) for name in ENERGIES for value in said(noted, 3, name, 2)]
    assert listed["value"] == truth
    assert truth[0] == truth[1] + truth[2] > 0

    day.at(6, 2)  # rows by range
    (ranged,), _ = day.gurux(["range", PROFILE, "2026-03-02T00:00:00+00:00", "2026-03-02T06:00:00+00:00"])
    rows = ranged["value"]["rows"]
    assert [row[0]["time"] for row in rows] == [
        (MIDNIGHT + timedelta(minutes=15 * place)).isoformat() for place in range(25)
    ]
    energies = [row[2] for row in rows]
    assert energies == sorted(energies)

    day.at(9)  # the clock is set on by a minute, and the breaker opened
    results, noted = day.gurux(
        ["act", 8, CLOCK, 6, "INT16", 60],
        ["act", 70, str(BREAKER.instance), 1, "INT8", 0],
        ["read", 70, str(BREAKER.instance), 2],
        ["read", 8, CLOCK, 2],
    )
    shifted, opened, output, clock = results
    assert not any("refused" in each for each in (shifted, opened))
    assert output["value"]["raw"] is False
    assert said(noted, 70, str(BREAKER.instance), 2) == ["0300"]
    assert clock["value"]["typed"]["time"] == "2026-03-02T09:01:00+00:00"

    day.at(9, 30)  # and closed by the other
    results, noted = day.pydlms(
        ["get", str(BREAKER.instance), 70, 2],
        ["act", str(BREAKER.instance), 70, 2, data(Integer(0))],
        ["get", str(BREAKER.instance), 70, 2],
        ["list", [[name, 3, 2] for name in ENERGIES]],
    )
    before, reconnected, after, values = results
    assert [before["value"].lower(), after["value"].lower()] == said(noted, 70, str(BREAKER.instance), 2)
    assert (before["value"], after["value"]) == ("0300", "0301")
    assert "value" in reconnected
    assert [each.lower() for each in values["value"]] == [said(noted, 3, name, 2)[0] for name in ENERGIES]

    day.at(10)  # the clock is written by one, ten minutes too late
    results, noted = day.pydlms(
        ["get", CLOCK, 8, 2],
        ["call", "set_clock", {"time": "2026-03-02T10:11:00+00:00"}],
        ["get", CLOCK, 8, 2],
    )
    assert [results[0]["value"].lower(), results[2]["value"].lower()] == said(noted, 8, CLOCK, 2)
    assert clock_at(noted) == ["2026-03-02T10:01:00", "2026-03-02T10:11:00"]
    assert day.meter.time() == MIDNIGHT + timedelta(hours=10, minutes=11)

    day.at(10, 30)  # and set right by the other; what both of them read then is the same
    results, noted = day.gurux(
        ["read", 8, CLOCK, 2], ["clock", CLOCK, "2026-03-02T10:30:00+00:00"], ["read", 8, CLOCK, 2]
    )
    read = [each["value"]["typed"]["time"].removesuffix("+00:00") for each in (results[0], results[2])]
    assert read == clock_at(noted) == ["2026-03-02T10:41:00", "2026-03-02T10:30:00"]
    assert day.meter.time() == MIDNIGHT + timedelta(hours=10, minutes=30)
    day.at(10, 31)
    (read_by_other,), noted = day.pydlms(["get", CLOCK, 8, 2])
    assert [read_by_other["value"].lower()] == said(noted, 8, CLOCK, 2)
    assert clock_at(noted) == ["2026-03-02T10:31:00"]

    day.at(12)  # an image with a block that comes late
    results, noted = day.pydlms(*image_operations())
    assert all("value" in each for each in results), results
    looked = [each["value"].lower() for each in results if isinstance(each["value"], str)]
    instance = str(IMAGE_OBJECT.instance)
    assert said(noted, 18, instance, 3) == [data(BitString("1011")), data(BitString("1111"))]
    assert [each for each in looked if each[:2] == "04"] == said(noted, 18, instance, 3)
    done = (ImageTransferStatus.VERIFICATION_SUCCESSFUL, ImageTransferStatus.ACTIVATION_SUCCESSFUL)
    states = [f"16{state:02x}" for state in done]
    assert [each for each in looked if each[:2] == "16"] == said(noted, 18, instance, 6) == states

    day.at(18)  # a new key, from one of them
    (transferred,), _ = day.gurux(["transfer", SETUP, MASTER, 0, NEW])
    assert "value" in transferred
    day.ek = NEW

    day.at(18, 1)  # and both go on under it
    (energy,), noted = day.gurux(["read", 3, ENERGIES[0], 2])
    assert energy["value"]["raw"] == number(said(noted, 3, ENERGIES[0], 2)[0])
    day.at(23, 59)
    (whole, energy), noted = day.pydlms(["get", PROFILE, 7, 2], ["get", ENERGIES[0], 3, 2])
    assert energy["value"].lower() == said(noted, 3, ENERGIES[0], 2)[0]
    buffer = axdr.decode_all(bytes.fromhex(whole["value"]))
    assert said(noted, 7, PROFILE, 2) == [value_of(buffer)]
    assert int(buffer[-1][2]) <= number(energy["value"])  # type: ignore[index,arg-type]
