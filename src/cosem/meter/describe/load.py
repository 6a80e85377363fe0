"""The table [load]: what flows where the meter is, which its registers show."""

from __future__ import annotations

from cosem.meter.device import Meter
from cosem.meter.feed import Feed, seed_of
from cosem.protocol.model.table import Table


def feed_from(meter: Meter, table: Table) -> Feed:
    """Return the load of [load]; its seed follows from the name of the meter where none is given."""
    kind = table.text("kind")
    seed = table.integer("seed", seed_of(meter.management))
    table.finish()
    return table.guarded(lambda: Feed(kind, seed, meter, meter.management), "kind")
