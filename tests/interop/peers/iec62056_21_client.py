"""Reads a local port with the client of iec62056-21 and prints what it got as JSON; runs only under the peer's Python.

The first argument is one JSON object: {"port": TCP port} or {"path": serial port}, perhaps with "password"; the second
a JSON list of operations, run in one session, in order:

    ["readout"]                  the standard readout, mode C; with another mode, such as "manufacturer6", that one
    ["identification"]           maker, baud character and words of the meter that was read out
    ["programming"]              sign on into programming mode and send the password
    ["read", address]            R1
    ["write", address, value]    W1
    ["break"]                    B0

The answer is {"results": […]}; data sets are [address, value, unit]. What ends the session early is in "error".
"""

from __future__ import annotations

import contextlib
import json
import sys

from iec62056_21 import messages
from iec62056_21.client import Iec6205621Client


def main() -> int:
    given, operations = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    answer: dict = {"results": []}
    with contextlib.redirect_stdout(sys.stderr):
        try:
            client = opened(given)
            client.connect()
            for name, *words in operations:
                answer["results"].append(OPERATIONS[name](client, *words))
            client.disconnect()
        except Exception as error:  # whatever the peer raises is the finding
            answer["error"] = {"type": type(error).__name__, "text": str(error)}
    json.dump(answer, sys.stdout)
    return 0


def opened(given: dict) -> Iec6205621Client:
    words = {"password": given.get("password", "00000000"), "device_address": given.get("address", "")}
    if "path" in given:
        return Iec6205621Client.with_serial_transport(given["path"], **words)
    return Iec6205621Client.with_tcp_transport(("127.0.0.1", given["port"]), **words)


def sets(found: list) -> list:
    return [[each.address, each.value, each.unit] for each in found]


def programming(client: Iec6205621Client) -> list:
    asked = client.access_programming_mode()
    # Its own `send_password` raises: it gives a data set no address, and the type of the command as text.
    password = messages.DataSet(address="", value=client.password)
    client.transport.send(messages.CommandMessage(command="P", command_type=1, data_set=password).to_bytes())
    return [asked.command, asked.command_type, asked.data_set.value, client._recv_ack()]


def readout(client: Iec6205621Client, mode: str = "readout") -> list:
    client.startup()
    client.ack_with_option_select(mode)
    client.transport.switch_baudrate(client.switchover_baudrate)
    return sets(client.read_response().data)


OPERATIONS = {
    "readout": readout,
    "identification": lambda client: [client.manufacturer_id, client.switchover_baudrate_char, client.identification],
    "programming": programming,
    "read": lambda client, address: sets([client.read_single_value(address)]),
    "write": lambda client, address, value: client.write_single_value(address, value),
    "break": lambda client: client.send_break(),
}


if __name__ == "__main__":
    sys.exit(main())
