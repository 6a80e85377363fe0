"""The worked example that a template begins with: one device of each kind with its signals, outputs, ports.

The first device is the meter that `cosem simulate` serves, and in use; all others are off (enable 0) until they are
made to fit. The short names, tables and OBIS codes are those that `cosem.protocol.elgama` knows; ITS cl cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Rows: TypeAlias = tuple[Mapping[str, Any], ...]

_DEMO: Final = "demo"

DEVICES: Final[Rows] = (
    {
        "name": "Simulated meter",
        "description": "what cosem simulate serves: try it, then delete this row",
        "device_alias": _DEMO,
        "enable": 1,
        "protocol": "DLMS",
        "logical_address": 1,
        "client_address": "10",
        "type": "LN",
        "mode": "DLMS-WRAPPER",
        "auth": "None",
        "ip": "127.0.0.1",
        "port": 4059,
    },
    {
        "name": "DLMS meter on RS-485",
        "description": "password from the environment variable METER_PASSWORD",
        "device_alias": "rs485",
        "enable": 0,
        "protocol": "DLMS",
        "physical_address": 17,
        "logical_address": 1,
        "address_size": 2,
        "client_address": "20",
        "type": "LN",
        "mode": "DLMS-HDLC",
        "auth": "Low",
        "password": "env:METER_PASSWORD",
        "device": "PORT1",
        "baudrate": 9600,
        "databits": 8,
        "stopbits": 1,
        "parity": "none",
    },
    {
        "name": "Meter with an optical port",
        "description": "IEC 62056-21 mode C; serialnumber 0 calls any meter",
        "device_alias": "optical",
        "enable": 0,
        "protocol": "IEC 62056-21",
        "serialnumber": "0",
        "type": "C",
        "device": "PORT2",
        "baudrate": 300,
        "databits": 7,
        "stopbits": 1,
        "parity": "even",
    },
    *(
        {
            "name": name,
            "description": said,
            "device_alias": alias,
            "enable": 0,
            "protocol": "Elgama",
            "device": "PORT1",
            "baudrate": 9600,
            "timeout_ms": 3000,
            "id": "2141421",
            "meter_model": model,
            "use_time": 0,
        }
        for model, alias, name, said in (
            (0, "lzqm", "EPQM or LZQM", "EXPERIMENTAL: values may be wrong"),
            (1, "epqs", "EPQS", "EXPERIMENTAL: values may be wrong"),
            (2, "gama300", "GAMA 300", "three phases; with a password as client 20"),
            (3, "gama100", "GAMA 100", "one phase"),
        )
    ),
)


def _signal(device: str, short: str, name: str, **others: Any) -> Mapping[str, Any]:
    return {"signal_name": name, "device_alias": device, "signal_alias": f"{device}.{short}", "enable": 1, **others}


_GAMA: Final = (
    ("energy", "Active energy import", "1.8.0", "DOUBLE"),
    ("energy_t1", "Active energy import, tariff 1", "1.8.1", "DOUBLE"),
    ("power", "Active power", "16.7.0", "FLOAT"),
    ("voltage_l1", "Voltage, phase 1", "32.7.0", "FLOAT"),
    ("current_l1", "Current, phase 1", "31.7.0", "FLOAT"),
    ("frequency", "Frequency", "14.7.0", "FLOAT"),
)
_THREE_PHASES: Final = (
    ("voltage_l2", "Voltage, phase 2", "52.7.0", "FLOAT"),
    ("voltage_l3", "Voltage, phase 3", "0x5108", "FLOAT"),
)


def _gama(device: str, rows: tuple[tuple[str, str, str, str], ...]) -> Rows:
    return tuple(
        _signal(device, short, name, number_type=number_type, job_todo="registers", tag_job_todo=tag)
        for short, name, tag, number_type in rows
    )


SIGNALS: Final[Rows] = (
    _signal(_DEMO, "energy", "Active energy import", number_type="DOUBLE", obis_job="1.0.1.8.0.255", units="Wh"),
    _signal(_DEMO, "power", "Active power import", number_type="FLOAT", obis_job="1.0.1.7.0.255", publish_on_change=1),
    _signal(_DEMO, "clock", "Time of the meter", number_type="TIME", obis_job="0.0.1.0.0.255:2"),
    _signal(_DEMO, "online", "Whether it answers", source="status"),
    _signal(
        "rs485",
        "energy",
        "Active energy import",
        log=1,
        number_type="DOUBLE",
        obis_job="1.0.1.8.0.255",
        profile="1.0.99.1.0.255",
        units="kWh",
        multiply="0.001",
    ),
    _signal("rs485", "scaler", "The scaler and unit, as they are", number_type="TEXT", obis_job="1.0.1.8.0.255:3"),
    _signal("optical", "energy", "Active energy import", number_type="DOUBLE", tag_job_todo="1.8.0"),
    _signal("optical", "last_energy", "The same at the reset before", number_type="DOUBLE", tag_job_todo="1.8.0*24"),
    _signal("optical", "error", "Fatal error", number_type="TEXT", tag_job_todo="F.F"),
    _signal("lzqm", "time", "Time", number_type="TIME", job_todo="clock", tag_job_todo="local time"),
    _signal("lzqm", "daily", "Daily record 0, octets", number_type="TEXT", job_todo="daily:0", tag_job_todo="record 0"),
    _signal("epqs", "time", "Time", number_type="TIME", job_todo="clock", tag_job_todo="local time"),
    _signal(
        "epqs",
        "month_t1",
        "Register of the month, channel 24, tariff 1",
        number_type="DOUBLE",
        job_todo="monthly:0:24",
        tag_job_todo="period 0, tariff 1",
    ),
    _signal(
        "epqs",
        "profile",
        "Load profile, channel 24, first number",
        number_type="DOUBLE",
        job_todo="profile:24:0",
        tag_job_todo="number 0",
    ),
    *_gama("gama300", (*_GAMA, *_THREE_PHASES)),
    *_gama("gama100", _GAMA),
)

OUTPUTS: Final[Rows] = (
    {"kind": "csv", "name": "log", "enable": 1, "address": "gateway-values.csv"},
    {"kind": "mqtt", "name": "broker", "enable": 0, "address": "127.0.0.1:1883"},
    {"kind": "modbus", "name": "plc", "enable": 0, "address": "127.0.0.1:5020"},
    {"kind": "iec104", "name": "scada", "enable": 0, "address": "127.0.0.1:2404"},
    {"kind": "rest", "name": "api", "enable": 0, "address": "127.0.0.1:8080"},
)

PORTS: Final[Rows] = ({"port": "PORT1", "device": "/dev/ttyUSB0"}, {"port": "PORT2", "device": "/dev/ttyUSB1"})

SETTINGS: Final[Rows] = (
    {"name": "buffer", "value": "gateway-buffer.sqlite"},
    {"name": "buffer_mb", "value": 256},
    {"name": "page", "value": "127.0.0.1:8088"},
)
