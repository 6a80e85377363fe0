"""Letters of makers, with the numbers that published M-Bus headers carry for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.protocol.values.maker import letters_of, maker, maker_of, maker_text, makers, mbus_id

# As headers of these makers' meters have it, low octet first on the line: 2D 2C is Kamstrup.
PUBLISHED = [("KAM", 0x2C2D), ("LUG", 0x32A7), ("ABB", 0x0442), ("ELS", 0x1593), ("SEN", 0x4CAE), ("TCH", 0x5068)]


@pytest.mark.parametrize(("letters", "number"), PUBLISHED)
def test_the_numbers_of_published_headers(letters: str, number: int) -> None:
    assert letters_of(number) == letters
    assert letters_of(number | 0x8000) == letters  # a wireless address that is unique only nearby
    assert mbus_id(letters) == mbus_id(letters.lower()) == number


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3))
def test_letters_and_numbers_are_the_same(letters: str) -> None:
    assert letters_of(mbus_id(letters)) == letters


@given(st.integers(0, 0xFFFF))
def test_no_number_fails(number: int) -> None:
    letters = letters_of(number)
    assert letters is None or mbus_id(letters) == number & 0x7FFF


@pytest.mark.parametrize("letters", ["", "KA", "KAMS", "KA1", "KÄM", "K M"])
def test_what_is_no_three_letters(letters: str) -> None:
    with pytest.raises(ConfigurationError, match="three letters"):
        mbus_id(letters)
    assert maker(letters) is None


def test_names() -> None:
    assert maker("LGZ") == maker("LGz") == "Landis Gyr"
    assert maker("ISK") == "Iskraemeco, Slovenia"
    assert maker("QQQ") is None
    assert maker_text("ISK") == "ISK: Iskraemeco, Slovenia"
    assert maker_text("QQQ") == "QQQ"


def test_devices_begin_with_the_letters_of_their_maker() -> None:
    assert maker_of(b"ISK1234567890123") == "Iskraemeco, Slovenia"
    assert maker_of(bytes.fromhex("49534B0000BC614E")) == "Iskraemeco, Slovenia"
    assert maker_of(b"QQQ1") is maker_of(b"") is maker_of(b"\xff\x00\x80") is None


def test_the_list() -> None:
    assert len(makers()) > 1500
    assert all(re.fullmatch("[A-Z]{3}", letters) for letters in makers())
    assert all(name == name.strip() and name.isprintable() and name for name in makers().values())
