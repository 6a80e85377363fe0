"""A control system by the c104 library: connects to an IEC 60870-5-104 server and does what lines on stdin say.

Argument: JSON with "host", "port", the common address "ca", and "commands", the points to command, each as [address,
type, "direct" or "select"]. Points that it is told of are made as they are met.
Lines in:  ["interrogate"] ["counters"] ["read", address] ["command", address, type, value] ["test"] ["clock"] ["mute"]
Lines out: {"did": …, "result": …} for each line in, and {"point": …} for each value that arrives.

The library compares the annotations of its callbacks as they stand: they must not be put off.
"""

import json
import sys
import threading
import time
from typing import Any

import c104

lock = threading.Lock()


def say(**told: Any) -> None:
    with lock:
        print(json.dumps(told, default=str), flush=True)


def show(point: c104.Point, message: c104.IncomingMessage) -> None:
    info = message.info
    recorded = info.recorded_at
    value = info.value
    say(
        point=message.io_address,
        type=str(message.type).rpartition(".")[2],
        cause=str(message.cot).rpartition(".")[2],
        value=value if isinstance(value, (bool, int, float)) else getattr(value, "value", str(value)),
        text=str(value),
        quality=str(info.quality),
        time=None if recorded is None else str(recorded),
    )


def on_receive(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    show(point, message)
    return c104.ResponseState.SUCCESS


def on_new_point(client: c104.Client, station: c104.Station, io_address: int, point_type: c104.Type) -> None:
    point = station.add_point(io_address, point_type)
    if point is None:
        say(error=f"no point {io_address} of {point_type}")
        return
    point.on_receive(callable=on_receive)


def on_unexpected_message(connection: c104.Connection, message: c104.IncomingMessage, cause: c104.Umc) -> None:
    say(unexpected=str(cause), type=str(message.type).rpartition(".")[2], raw=c104.explain_bytes_dict(message.raw))


def main() -> None:
    settings = json.loads(sys.argv[1])
    patience = settings.get("patience", 20.0)
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=int(patience * 1000))
    client.on_new_point(callable=on_new_point)
    connection = client.add_connection(ip=settings["host"], port=settings["port"], init=c104.Init.NONE)
    connection.on_unexpected_message(callable=on_unexpected_message)
    station = connection.add_station(common_address=settings.get("ca", 1))
    commands = {}
    for address, kind, mode in settings.get("commands", []):
        chosen = c104.CommandMode.SELECT_AND_EXECUTE if mode == "select" else c104.CommandMode.DIRECT
        commands[address, kind] = station.add_point(address, getattr(c104.Type, kind), command_mode=chosen)
    client.start()
    for _ in range(200):
        if connection.state == c104.ConnectionState.OPEN:  # and no longer muted
            break
        if connection.state == c104.ConnectionState.OPEN_MUTED:  # it may overlook that it wanted to be unmuted
            connection.unmute()
        time.sleep(0.05)
    say(connected=connection.state == c104.ConnectionState.OPEN, state=str(connection.state))

    def command(address: int, kind: str, value: Any) -> bool:
        point = commands[address, kind]
        for _ in range(4):
            point.value = value
            began = time.monotonic()
            done = point.transmit(cause=c104.Cot.ACTIVATION)
            if done or time.monotonic() - began < patience:
                return done
        return False  # more than once: it overlooks answers that come before it waits for them

    doing = {
        "interrogate": lambda: connection.interrogation(settings.get("ca", 1)),
        "counters": lambda: connection.counter_interrogation(settings.get("ca", 1)),
        "clock": lambda: connection.clock_sync(settings.get("ca", 1)),
        "test": lambda: connection.test(settings.get("ca", 1)),
        "read": lambda address: station.get_point(address).read(),
        "command": command,
        "mute": connection.mute,
        "unmute": connection.unmute,
        "state": lambda: str(connection.state),
    }
    for line in sys.stdin:
        name, *words = json.loads(line)
        try:
            say(did=name, result=doing[name](*words))
        except Exception as error:
            say(did=name, error=f"{type(error).__name__}: {error}")
    client.stop()


if __name__ == "__main__":
    main()
