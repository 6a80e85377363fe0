"""The meter that is read over HDLC: registers and a load profile; prints its port, serves until killed."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

from cosem import Meter, ProfileGeneric, Register, Unit
from cosem.meter import AssociationDescription, serving
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, Unsigned
from cosem.protocol.values.obis import Obis

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = 6


def described(rows, registers):
    meter = Meter("KFM1020012345678", clock=lambda: BEGIN + rows * timedelta(minutes=15))
    for number, name in enumerate(registers):
        meter.add(Register(name), value=DoubleLongUnsigned(12_345_678 + number), scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(
        ProfileGeneric("1.0.99.1.0.255"),
        capture_objects=[
            CaptureObject(8, Obis("0.0.1.0.0.255"), 2),
            CaptureObject(1, Obis("0.0.96.10.1.255"), 2),
            *(CaptureObject(3, Obis(name), 2) for name in registers[:COLUMNS]),
        ],
        capture_period=900,
        buffer=[
            (
                BEGIN + timedelta(minutes=15 * row),
                Unsigned(row % 4),
                *(DoubleLongUnsigned(1_000_000 * (column + 1) + 7 * row) for column in range(COLUMNS)),
            )
            for row in range(rows)
        ],
    )
    meter.offer(AssociationDescription(client=16))
    return meter


async def main(rows, agreed, *registers):
    query = "&".join(f"{name}={value}" for name, value in json.loads(agreed).items())
    async with serving(described(int(rows), registers), f"hdlc+tcp://127.0.0.1:0?{query}") as server:
        print(server.url.port, flush=True)
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
