"""Faults that cannot befall a meter at its places are told, with the reason; where they can, nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.meter import Meter, demo_keys
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.faults import DEVIATIONS, IN_PROTECTION, LINK_DEVIATIONS, Faults
from cosem.meter.han import HanPort
from cosem.meter.in_vain import NEEDS, in_vain
from cosem.meter.one_way import SpeakingPort
from cosem.meter.p1 import P1Port
from cosem.meter.serve import Server

OPEN = '[[association]]\nclient = 16\naccess = "read"\n'
KEYED = OPEN + '[[association]]\nclient = 1\nauth = "gmac"\nprotection = "auth+enc"\nkeys = "demo"\n'
IMAGE = '[[object]]\nclass = "ImageTransfer"\ninstance = "0.0.44.0.0.255"\n'
PUSH = '[[object]]\nclass = "PushSetup"\ninstance = "0.4.25.9.0.255"\n'

GIVEN: dict[str, Any] = {
    "late_by": 5.0,
    "seed": 7,
    "wrong_keys": True,
    "counter_back": 1,
    "block_loss": 0.5,
    "verification_fails": True,
    "activation_fails": True,
    "verification_time": 5.0,
    "activation_time": 5.0,
    "activation_restarts": True,
    "latency": 0.1,
    "jitter": 0.1,
    "reboot_after": 3,
    "clock_drift": 1.0,
    **dict.fromkeys(("loss", "duplication", "damage", "truncation", "reset", "late", "reflection"), 0.1),
}
IMAGES = ("block_loss", "verification_fails", "activation_fails", "verification_time", "activation_time")
ALONG = {"seed": ("loss",), "late_by": ("late",)}
"""What a fault does nothing without."""
EVERY = sorted((*GIVEN, *DEVIATIONS, *LINK_DEVIATIONS))


def faults_of(*names: str) -> Faults:
    deviations = frozenset(names) & (DEVIATIONS | LINK_DEVIATIONS)
    return Faults(deviations=deviations, **{name: GIVEN[name] for name in names if name in GIVEN})


def described(content: str, *names: str) -> Meter:
    faults = faults_of(*names)
    told = ", ".join(f'"{each}"' for each in sorted(faults.deviations))
    lines = [f"{name} = {str(GIVEN[name]).lower()}" for name in sorted({*names} & {*GIVEN})]
    table = "\n".join(("[faults]", *lines, f"deviations = [{told}]"))
    meter = parse(f'[meter]\nname = "KFM1020012345678"\n{content}{table}\n', allow_demo_keys=True)
    assert meter.faults == faults
    return meter


def at(meter: Meter, *urls: str) -> list[Server | SpeakingPort]:
    made: dict[str, Any] = {"p1": P1Port, "han": HanPort}
    return [made.get(url.partition("+")[0], Server)(meter, url) for url in urls]


def told(content: str, urls: tuple[str, ...], *names: str) -> list[str]:
    meter = described(content, *names)
    return [name for name, _ in in_vain(meter, at(meter, *urls))]


WRAPPER, HDLC, LOCAL = "tcp://127.0.0.1:0", "hdlc+tcp://127.0.0.1:0", "iec21+tcp://127.0.0.1:0"
CAPABLE = KEYED + IMAGE
"""A meter to which everything can happen."""


def test_every_fault_is_tried() -> None:
    assert set(EVERY) == set(Faults.__dataclass_fields__) - {"deviations"} | DEVIATIONS | LINK_DEVIATIONS
    assert set(NEEDS) <= set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_everything_can_befall_a_meter_that_has_all_there_is(name: str) -> None:
    assert told(CAPABLE, (WRAPPER, HDLC), name, *ALONG.get(name, ())) == []


@pytest.mark.parametrize("name", EVERY)
def test_on_the_wrapper_what_is_of_hdlc_is_in_vain(name: str) -> None:
    assert told(CAPABLE, (WRAPPER,), name, *ALONG.get(name, ())) == ([name] if name in LINK_DEVIATIONS else [])


@pytest.mark.parametrize("name", EVERY)
def test_without_keys_what_is_of_keys_is_in_vain(name: str) -> None:
    of_keys = {"wrong_keys", "counter_back", "any_transaction_id", "empty_system_title", *IN_PROTECTION}
    assert told(OPEN + IMAGE, (WRAPPER, HDLC), name, *ALONG.get(name, ())) == ([name] if name in of_keys else [])


@pytest.mark.parametrize("name", (*IMAGES, "activation_restarts"))
def test_without_an_image_transfer_what_is_of_images_is_in_vain(name: str) -> None:
    meter = described(KEYED, name)
    ((found, why),) = in_vain(meter, at(meter, WRAPPER))
    assert (found, "class 18" in why) == (name, True)


@pytest.mark.parametrize("url", [LOCAL, "p1+tcp://127.0.0.1:0"])
@pytest.mark.parametrize("name", EVERY)
def test_where_nobody_speaks_dlms_its_line_and_its_clock_are_left(url: str, name: str) -> None:
    content = CAPABLE if url == LOCAL else 'template = "household"\n' + CAPABLE
    left = {
        *("loss", "duplication", "damage", "truncation", "reset", "late", "late_by", "reflection", "latency", "jitter"),
        *("reboot_after", "clock_drift", "seed"),
    }
    assert told(content, (url,), name, *ALONG.get(name, ())) == ([] if name in left else [name])


@pytest.mark.parametrize(("name", "other"), [("seed", "loss"), ("seed", "jitter"), ("late_by", "late")])
def test_what_does_nothing_alone(name: str, other: str) -> None:
    assert told(CAPABLE, (WRAPPER,), name) == [name]
    assert told(CAPABLE, (WRAPPER,), name, other) == []


def test_a_meter_that_pushes_says_what_it_says_wherever_it_is_served() -> None:
    names = ("MISSING_LLC", "octets_after_apdu", "wrong_keys", "empty_system_title")
    assert sorted(told(KEYED, (LOCAL,), *names)) == sorted(names)
    assert told(KEYED + PUSH, (LOCAL,), *names) == []


def test_a_customer_port_that_ciphers_uses_keys() -> None:
    meter = household(1, security="gmac", keys=demo_keys(), faults=Faults(wrong_keys=True))
    assert list(in_vain(meter, at(meter, "han+tcp://127.0.0.1:0?lists=austria:e450"))) == []
    (found,) = in_vain(meter, at(meter, "han+tcp://127.0.0.1:0?lists=norway:aidon"))
    assert found[0] == "wrong_keys"


def test_a_meter_that_does_nothing_wrong() -> None:
    meter = described(OPEN)
    assert list(in_vain(meter, at(meter, LOCAL))) == []
