"""The table [[billing]]: a profile of billing periods, and what counts them."""

from __future__ import annotations

from cosem.meter.billing import Billing
from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_billing(meter: Meter, table: Table) -> None:
    """Let the periods of one [[billing]] be counted; its objects must be there."""
    device = device_of(meter, table)
    profile = table.converted("profile", Obis)
    table.name(str(profile))
    counted = (table.optional(key, Obis) for key in ("counter", "available", "time"))
    billing = Billing(profile, *counted)
    table.finish()
    table.guarded(lambda: billing.attach(device))
