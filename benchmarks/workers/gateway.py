"""The gateway reading very many meters: runs for some scans and prints, as JSON, what that cost one core.

Arguments: how many meters, the address and port of the first, signals of each, scan rate in seconds, scans.
"""

import asyncio
import ipaddress
import json
import sys
import tempfile
import time
from pathlib import Path

from cosem.gateway.config import Configuration, Device, DlmsJob, DlmsParameters, DriverName, OutputRow, Signal
from cosem.gateway.engine import Gateway
from cosem.protocol.values.obis import Obis

CODES = (
    *(f"1.0.{code}.8.0.255" for code in (1, 2)),
    *("1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.1.7.0.255", "1.0.2.7.0.255", "1.0.14.7.0.255"),
    *(f"1.0.{20 * phase + base}.7.0.255" for phase in (1, 2, 3) for base in (11, 12)),
)


class Sink:
    """An output that only counts, so that what is measured is the gateway."""

    buffered = False

    def __init__(self, row):
        self.samples = 0
        self.bad = 0

    async def start(self, points, obey):
        pass

    async def publish(self, samples):
        self.samples += len(samples)
        self.bad += sum(each.value is None for each in samples)

    async def close(self):
        pass

    def plan(self, points):
        return ()

    def map(self):
        return ()


def configuration(count, first, port, signals, rate):
    devices, rows = [], []
    for number in range(count):
        alias = f"m{number}"
        parameters = DlmsParameters(
            ip=str(ipaddress.ip_address(first) + number), port=port, type="LN", mode="DLMS-WRAPPER", logical_address=1,
            scan_rate_ms=int(rate * 1000), timeout_ms=30_000,
        )  # fmt: skip
        devices.append(Device(alias=alias, name=alias, driver=DriverName.DLMS, parameters=parameters))
        for at in range(signals):
            # as often as there are codes with scaler and unit, and then the number alone
            job = DlmsJob(Obis(CODES[at % len(CODES)]), None if at < len(CODES) else 2, class_id=3)
            rows.append(Signal(alias=f"{alias}.s{at}", name="", device=alias, job=job))
    return Configuration(devices=tuple(devices), signals=tuple(rows), outputs=(OutputRow(kind="count", name="count"),))


async def main(count, first, port, signals, rate, scans):
    sinks = []

    def make(row):
        sinks.append(Sink(row))
        return sinks[-1]

    with tempfile.TemporaryDirectory() as folder:
        tables = configuration(count, first, port, signals, rate)
        gateway = Gateway(Path(folder), make_output=make, claims=Path(folder) / "claims")
        began = time.process_time()
        await gateway.start(tables)
        while sinks[0].samples < count * signals:  # the first scan connects, and learns what the numbers mean
            await asyncio.sleep(0.05)
        first_scan = time.process_time() - began
        before, wall, cpu = sinks[0].samples, time.monotonic(), time.process_time()
        await asyncio.sleep(rate * scans)
        samples, wall, cpu = sinks[0].samples - before, time.monotonic() - wall, time.process_time() - cpu
        attended = gateway.devices.values()
        print(
            json.dumps(
                {
                    "meters": count,
                    "signals": signals,
                    "first_scan_cpu": first_scan,
                    "core": cpu / wall,
                    "samples": samples,
                    "all_samples": sinks[0].samples,
                    "wanted": count * signals * wall / rate,
                    "without_value": sinks[0].bad,
                    "overruns": sum(each.overruns for each in attended),
                    "lost": sum(each.lost for each in attended),
                    "cpu_ms_of_a_scan": 1000 * cpu / max(1, samples / signals),
                }
            ),
            flush=True,
        )
        await gateway.close()


count, first, port, signals, rate, scans = sys.argv[1:]
asyncio.run(main(int(count), first, int(port), int(signals), float(rate), int(scans)))
