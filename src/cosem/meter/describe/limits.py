"""The table [limits]: what the meter takes from outside at most, as `cosem.meter.limits` says."""

from __future__ import annotations

from cosem.io.aio.listening import ListenLimits
from cosem.meter.attend import ConnectionLimits
from cosem.meter.device import Meter
from cosem.meter.limits import MeterLimits, inner, limits_from
from cosem.protocol.model.table import Table
from cosem.protocol.profile.timing import ServerTiming


def limit(meter: Meter, table: Table) -> None:
    """Let whoever serves a meter keep the limits of a table; [limits.lockout] and [limits.association] were read."""
    meter.limits = MeterLimits(
        listen=limits_from(table, ListenLimits()),
        connection=inner(table, "connection", ConnectionLimits()),
        timing=inner(table, "timing", ServerTiming()) if "timing" in table else None,
    )
    if "association" in table and not meter.described:
        raise table.refusal("association", "there is no [[association]] that these limits could be of")
    table.finish()
