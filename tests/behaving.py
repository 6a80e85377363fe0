"""A clock that a test turns, and short ways to run what a client may run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cosem.meter import Meter
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Integer

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


class Now:
    """A clock that a test turns."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time

    def later(self, **by: float) -> None:
        self.time += timedelta(**by)


def run(meter: Meter, method: MethodRef[Any, Any], argument: Any = Integer(0)) -> Any:  # noqa: B008 - a value
    """Run a method as dispatch does, without asking for rights."""
    meter.settle()
    visit = meter.management.visit()
    item = meter.management.find(method.instance)
    assert item is not None
    run_it = item.method(method.index)
    assert run_it is not None
    return run_it(visit, item, method.argument.encode(argument))


def write(meter: Meter, reference: AttributeRef[Any], value: Any) -> None:
    """Write an attribute as dispatch does, without asking for rights."""
    meter.settle()
    visit = meter.management.visit()
    item = meter.management.find(reference.instance)
    assert item is not None
    meter.management.owned(item).write(visit, reference.index, reference.encode(value))
