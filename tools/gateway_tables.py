"""Write the columns of the gateway's tables and the number types into docs/gateway.md: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cosem.gateway.config.columns import DEVICES, OUTPUTS, PORTS, SETTINGS, SIGNALS, Column
from cosem.gateway.config.elgama_jobs import DATA_SETS
from cosem.gateway.value import NumberType
from cosem.protocol.elgama import models

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "gateway.md"

BEGIN = "<!-- tables: written by tools/gateway_tables.py -->\n"

HEADINGS = ("column", "required", "empty means", "allowed", "meaning", "also called")


def tables() -> str:
    """Return all tables as Markdown."""
    lines: list[str] = []
    for title, drivers in (("Devices", DEVICES), ("Signals", SIGNALS)):
        for driver, columns in drivers.items():
            lines += [f"\n## {title}: {driver.value}\n", *_table(each for each in columns if not each.beyond)]
            if title == "Devices":
                lines += ["\nBeyond the original:\n", *_table(each for each in columns if each.beyond)]
    beyond = {each.name: each for columns in SIGNALS.values() for each in columns if each.beyond}
    lines += ["\n## Signals: beyond the original, for all drivers\n", *_table(beyond.values())]
    for title, columns in (("Outputs", OUTPUTS), ("Ports", PORTS), ("Settings: a name and a value in a row", SETTINGS)):
        lines += [f"\n## {title}\n", *_table(columns)]
    return "\n".join([*lines, *_jobs(), *_number_types()]) + "\n"


def _jobs() -> Iterator[str]:
    yield "\n## Jobs of Elgama\n"
    yield from _head(("meter_model", "meter", "job_todo", "tag_job_todo"))
    for number, word in models.NUMBERS.items():
        for name, data_set in DATA_SETS.get(word, {}).items():
            yield _line((number, word, f"`{data_set.written(name)}`", data_set.tags))


def _number_types() -> Iterator[str]:
    yield "\n## number_type\n"
    yield from _head(("number_type", "IEC 60870-5-104: type, with time tag", "Modbus", "OPC UA"))
    for each in NumberType:
        plain, tagged = each.iec104 or ("", "")
        modbus = {None: "not carried", 0: "coil", 1: "1 register"}.get(each.registers, f"{each.registers} registers")
        yield _line((str(each.value), f"{plain}, {tagged}" if each.iec104 else "not carried", modbus, each.opcua))


def _table(columns: Iterable[Column]) -> Iterator[str]:
    yield from _head(HEADINGS)
    for each in columns:
        default = "" if each.default is None else str(each.default)
        required = "yes" if each.required else ""
        cells = (f"`{each.name}`", required, default, each.kind.allowed, each.meaning, ", ".join(each.synonyms))
        yield _line(cells)


def _head(headings: Iterable[str]) -> Iterator[str]:
    names = tuple(headings)
    yield _line(names)
    yield _line("---" for _ in names)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def main() -> None:
    """Write the tables behind what people have written."""
    kept, _, _ = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(kept + BEGIN + tables(), "utf-8")


if __name__ == "__main__":
    main()
