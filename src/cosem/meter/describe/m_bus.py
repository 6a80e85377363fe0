"""The table [[m_bus]]: a sub-meter at a channel."""

from __future__ import annotations

from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.meter.feed import Feed, seed_of
from cosem.meter.m_bus import PERIOD, SubMeter
from cosem.protocol.model.table import Table


def add_sub_meter(meter: Meter, table: Table) -> None:
    """Put the sub-meter of one [[m_bus]] at its channel."""
    device = device_of(meter, table)
    channel = table.integer("channel")
    table.name(str(channel))
    load, seed = table.text("load"), table.integer("seed", seed_of(device) + channel)
    serial, maker = table.integer("serial", usual_serial(channel)), table.text("maker", "KFM")
    address, period = table.integer("address", channel), table.integer("period", PERIOD)
    table.finish()

    def attach() -> None:
        feed = Feed(load, seed, meter, device, channel)
        SubMeter(channel, feed, serial, maker, address).attach(device, period)

    table.guarded(attach)


def usual_serial(channel: int) -> int:
    """Return the serial number of a sub-meter of which none is described."""
    return 10_000_000 + channel
