"""The lower address from the serial number, as makers derive it; expected values are those of real meters."""

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.link.hdlc.serial_number import RULES, rule_of


def test_a_gama_that_is_known():
    """Serial number 02141421 answers to 00 02 24 EB: upper 1, lower 2421 (parts of a public capture)."""
    assert rule_of("elgama").physical("02141421") == 2421


@pytest.mark.parametrize(
    ("name", "serial", "physical"),
    [("landis-gyr", "35012345", 3345), ("EMH", "12340000", 256), ("milur", "7", 23), ("10000+1000", "02141421", 2421)],
)
def test_rules(name, serial, physical):
    assert rule_of(name).physical(serial) == physical


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_a_rule_gives_is_an_address(rule):
    assert 0 < rule.physical("0") <= rule.physical("9999") < 0x3FFE


@pytest.mark.parametrize("text", ["", "hexing", "0+1", "10000", "1+-1", "x" * 99])
def test_rules_that_are_none(text):
    with pytest.raises(ConfigurationError, match="landis-gyr"):
        rule_of(text)


@pytest.mark.parametrize("serial", ["", "LGZ123", "-1", "1" * 33])
def test_serial_numbers_that_are_none(serial):
    with pytest.raises(ConfigurationError, match="decimal digits"):
        rule_of("emh").physical(serial)
