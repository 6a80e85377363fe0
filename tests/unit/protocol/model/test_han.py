"""Tables [[han]] of companions: what is said of a customer port, and what is refused."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.model.companion import companion, load, names
from cosem.protocol.model.han import Form, HeadTime, Sealed
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

FILE = """
name = "mine"
title = "mine"
source = ["none"]
licence = "none"

[[push]]
name = "short"
leading = [{ obis = "1.0.1.7.0.255", unit = "W", scaler = -1 }]

[[han]]
name = "port"
form = "values"
frame = { destination = "01", source = "0201", control = 0x13 }
values = [{ obis = "1.*.*.7.*.255", type = "long-unsigned", unit = "var", scaler = 3 }]

[[han.lists]]
list = "short"
every = 2.5
"""


def test_the_ports_that_come_along() -> None:
    there = {name: [each.name for each in companion(name).han_ports] for name in names() if companion(name).han_ports}
    assert there == {
        "norway": ["kaifa", "aidon", "kamstrup"],
        "sweden": ["aidon", "kaifa", "kamstrup"],
        "austria": ["e450", "wiener-netze"],
        "switzerland": ["e450"],
    }


def test_unit_and_scaler_of_the_list_count_before_those_of_the_port() -> None:
    (port,) = load(FILE, "mine.toml").han_ports
    (short,) = port.lists
    written = port.written(short, 0)
    assert (port.form, port.date_time, port.protection, short.every) == (Form.VALUES, HeadTime.PLAIN, Sealed.NONE, 2.5)
    assert (written.type, written.unit, written.scaler) == ("long-unsigned", Unit.WATT, -1)


def test_unit_and_scaler_of_the_port_where_its_list_says_none() -> None:
    aidon = companion("norway").han_port("aidon")
    at = [each.obis for each in aidon.lists[1].objects].index(Obis("1.0.31.7.0.255"))
    written = aidon.written(aidon.lists[1], at)
    assert (written.type, written.unit, written.scaler) == ("long", Unit.AMPERE, -1)


@pytest.mark.parametrize(
    ("this", "that", "why"),
    [
        ('list = "short"', 'list = "long"', "no \\[\\[push\\]\\] of this name, but short"),
        ("every = 2.5", "every = 0", "expected seconds"),
        ("every = 2.5", "every = inf", "expected seconds"),
        ("every = 2.5", "every = nan", "expected seconds"),
        ("every = 2.5", 'every = "often"', "expected a number"),
        ('form = "values"', 'form = "verses"', "'verses' is none of values, pairs"),
        ('type = "long-unsigned"', 'type = "word"', "no data type 'word'"),
        ("every = 2.5", "every = 2.5\nobjects = [7]", "7 is no object"),
        ("every = 2.5", "every = 2.5\nevry = 3", "this key is not known"),
        ("[[han.lists]]", "[[others]]", "at least one list"),
    ],
)
def test_what_is_refused(this: str, that: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load(FILE.replace(this, that), "mine.toml")


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(
        ConfigurationError, match="norway has no customer port 'iskra'; there is kaifa, aidon, kamstrup"
    ):
        companion("norway").han_port("iskra")
