"""The tables [supply] and [[power]]: what a meter can do without power, and when it has none."""

from __future__ import annotations

from datetime import datetime, timedelta

from cosem.errors import ConfigurationError
from cosem.meter.device import Meter
from cosem.meter.power import LONG, LONGEST_OUTAGE, Outage
from cosem.protocol.model.table import Table


def add_power(meter: Meter, whole: Table) -> None:
    """Let the outages of all [[power]] come, to a meter that is as [supply] says."""
    reserve, long = None, LONG
    if "supply" in whole:
        table = whole.table("supply")
        reserve = _seconds(table, "clock_reserve")
        long = _seconds(table, "long_failure") or LONG
        table.finish()
    outages = [_outage(table) for table in whole.tables("power")]
    if outages or "supply" in whole:
        meter.power.describe(outages, reserve=reserve, long=long)


def _outage(table: Table) -> Outage:
    at, length, every = table.given("at", _moment), _seconds(table, "length"), _seconds(table, "every")
    table.finish()
    if length is None:
        raise table.refusal("length", "this key is missing")
    return table.guarded(lambda: Outage(at=at, length=length, every=every))


def _moment(given: object) -> datetime:
    if not isinstance(given, datetime):
        raise ConfigurationError("expected a time with its offset, such as 2026-03-01T08:00:00+01:00")
    return given


def _seconds(table: Table, key: str) -> timedelta | None:
    number = table.optional_integer(key)
    if number is None:
        return None
    most = int(LONGEST_OUTAGE.total_seconds())
    if not 0 <= number <= most:
        raise table.refusal(key, f"expected 0 to {most} seconds")
    return timedelta(seconds=number)
