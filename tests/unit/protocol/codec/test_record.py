"""Records: what a frozen dataclass with slots is, they are."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from cosem.protocol.codec.record import record


@record
class Point:
    """Two fields, one with a default, one that is not shown."""

    x: int
    y: int = 0
    hidden: int = dataclasses.field(default=7, repr=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("too small")


@record
class Empty:
    """No field at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """What the library makes of the same."""

    x: int
    y: int = 0
    hidden: int = dataclasses.field(default=7, repr=False)


def test_it_behaves_as_the_dataclass_of_the_library() -> None:
    for values in ((1,), (1, 2), (1, 2, 3)):
        made, twin = Point(*values), Twin(*values)
        assert dataclasses.astuple(made) == dataclasses.astuple(twin)  # type: ignore[call-overload]
        assert repr(made) == repr(twin).replace("Twin", "Point")
        assert made == Point(*values)
        assert hash(made) == hash(Point(*values))
        assert made != twin
        assert not hasattr(made, "__dict__")
        assert Point.__match_args__ == Twin.__match_args__  # type: ignore[attr-defined]
    assert Point(1, 2) != Point(1, 3)
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)  # type: ignore[type-var]
    assert Empty() == Empty()
    assert repr(Empty()) == "Empty()"


def test_nothing_can_be_set_or_deleted() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        del point.x


def test_the_constructor_checks() -> None:
    with pytest.raises(ValueError, match="too small"):
        Point(-1)
    with pytest.raises(TypeError, match="missing 1 required"):
        Point()  # type: ignore[call-arg]


def test_it_can_be_copied_and_pickled() -> None:
    point = Point(1, 2, 3)
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.deepcopy(point) == point
