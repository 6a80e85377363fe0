"""Letters of makers, and their names."""

from __future__ import annotations

import re

import pytest

from cosem.protocol.values.maker import maker, maker_of, maker_text, makers


@pytest.mark.parametrize("letters", ["", "KA", "KAMS", "KA1", "KÄM", "K M"])
def test_what_is_no_three_letters(letters: str) -> None:
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
