"""Commands by short names: `--naming sn` reads, browses, writes and runs alike, and a refusal says what to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cosem.meter.associations import BY_LOGICAL_NAMES
from interop.served import served
from unit.client.test_short_names import described

Cosem = Callable[..., Any]


@pytest.fixture
def url() -> Iterator[str]:
    with served(described()) as port:
        yield f"tcp://127.0.0.1:{port}?client=1&server=1"


def test_reading_and_browsing(cosem: Cosem, url: str) -> None:
    (reading,) = cosem("read", url, "1.8.0", "--naming", "sn", "--json").json["readings"]
    assert (reading["value"], reading["unit"]) == (12345678, "Wh")
    (device,) = cosem("browse", url, "--naming", "sn", "--json").json["devices"]
    objects = {each["obis"]: each for each in device["objects"]}
    assert {"1.0.1.8.0.255", "0.0.40.0.0.255"} <= objects.keys()
    assert objects["1.0.1.8.0.255"]["attributes"][1]["value"] == 12345678
    ran = cosem("browse", url, "--naming", "sn", "--snapshot", "nowhere.json")
    assert (ran.code, "--naming ln" in ran.err) == (64, True)
    ran = cosem("profile", url, "1.0.99.1.0.255", "--naming", "sn", "--json")
    assert ran.code == 0


def test_writing_and_running(cosem: Cosem, url: str) -> None:
    assert cosem("set", url, "0.0.96.1.0.255", "9", "--type", "long-unsigned", "--write", "--naming", "sn").code == 0
    (reading,) = cosem("read", url, "0.0.96.1.0.255", "--naming", "sn", "--json").json["readings"]
    assert reading["value"] == 9
    assert cosem("act", url, "0.0.1.0.0.255:adjust_to_minute", "--write", "--naming", "sn").code == 0


def test_a_meter_of_the_other_names_and_a_wrong_word(cosem: Cosem) -> None:
    with served(described(naming=BY_LOGICAL_NAMES)) as port:
        ran = cosem("read", f"tcp://127.0.0.1:{port}?client=1&server=1", "1.8.0", "--naming", "sn")
    assert ran.code != 0
    assert "--naming ln" in ran.err
    ran = cosem("read", "tcp://127.0.0.1:1", "1.8.0", "--naming", "xx")
    assert "write ln or sn" in ran.err
