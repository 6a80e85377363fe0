"""The door to weaker security is shut unless it is opened by name."""

from __future__ import annotations

from cosem import danger


def test_nothing_is_permitted_by_default() -> None:
    assert not danger.NOTHING
    assert danger.allow() == danger.NOTHING


def test_what_is_permitted_is_exactly_what_was_named() -> None:
    permitted = danger.allow(danger.Weakness.MD5_AUTHENTICATION)
    assert set(permitted) == {danger.Weakness.MD5_AUTHENTICATION}


def test_every_weakness_says_what_it_costs() -> None:
    for weakness in danger.Weakness:
        assert len(weakness.value) > 20
