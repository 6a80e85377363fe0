"""`cosem ports`: the serial ports and heads of this machine, and whether this user may open them."""

from __future__ import annotations

from dataclasses import asdict

from cosem.cli.options import Json
from cosem.cli.report import put_json, put_table, say
from cosem.io.ports import serial_ports


def ports(json: Json = False) -> None:
    """List the serial ports of this machine: adapters and heads with their maker, USB id and a name that stays.

    The name that stays does not depend on the order in which adapters are plugged in: use it in a URL.

    \b
    Examples:
      cosem ports
      cosem ports --json
    """
    found = serial_ports()
    if json:
        put_json({"ports": [{**asdict(each), "url": each.url} for each in found]})
        return
    if not found:
        say("this machine has no serial port that is known to the system")
        say("  try: plug the adapter in again and see the last lines of dmesg; a container sees only what it was given")
        return
    put_table(
        ("port", "what it is", "USB id", "serial number", "name that stays"),
        [
            (
                each.device,
                ", ".join(dict.fromkeys(filter(None, (each.manufacturer, each.description, each.chip)))),
                each.usb,
                each.serial_number,
                each.stable_name,
            )
            for each in found
        ],
    )
    for each in found:
        if each.hint:
            say(f"hint: {each.device}: {each.hint}")
