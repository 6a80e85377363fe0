"""Reads a meter with the client of pydlms-client and prints what it got as JSON; runs only under the peer's Python.

The first argument is one JSON object of settings, the second a JSON list of operations, run in one session, in order.
Data go in and come out as the hex of their A-XDR encoding.

settings: host, port, client (16), server (1), framing ("wrapper" | "hdlc"), physical, udp (false), mechanism (0),
password, logical_names (true), ek, ak, title, counter, suite, and "settings" / "context": further arguments of the
peer's AssociationSettings and SecurityContext (hex for octets, PEM for keys, a number for the conformance block).

    ["get", obis, class_id, attribute]
    ["select", obis, class_id, attribute, selector, data]   GET with selective access
    ["list", [[obis, class_id, attribute], …]]
    ["set", obis, class_id, attribute, data]
    ["set_list", [[obis, class_id, attribute, data], …]]
    ["act", obis, class_id, method, data | null]
    ["act_list", [[obis, class_id, method, data], …]]
    ["access", [["get", obis, class_id, attribute] | ["set", …, data] | ["act", …, data]], break_on_error]
    ["objects"]                                             the object list
    ["profile", obis, resolve]                              the whole buffer; with deltas added up where asked so
    ["call", method of the peer's client, arguments…]       anything else; octets as {"hex": …},
                                                            a time as {"time": ISO 8601}

The answer is {"conformance": …, "results": […], "released": …}; a result has a "value", or "refused" with the number
the meter gave, or "failed" with what the peer raised. What ends the session early is in "error", with its phase.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydlms.apdu import xdlms
from pydlms.client import AccessAction, AccessGet, AccessSet, DlmsClient
from pydlms.cosem.data import DlmsData, decode_data, encode_data
from pydlms.exceptions import DlmsError, ServiceError
from pydlms.security.context import SecurityContext
from pydlms.security.general import KeyInfo
from pydlms.security.v44 import v44_decompressor


def main() -> int:
    given, operations = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    answer: dict = {"results": [], "released": False}
    phase = "connect"
    with contextlib.redirect_stdout(sys.stderr):
        client = connection(given)
        try:
            client.connect()
            answer["conformance"] = int(client.conformance)
            for position, (name, *words) in enumerate(operations):
                phase = f"operation {position} ({name})"
                answer["results"].append(outcome(client, name, words))
            phase = "release"
            client.close()
            answer["released"] = True
        except Exception as error:  # whatever the peer raises is the finding
            answer["error"] = {"type": type(error).__name__, "text": str(error), "phase": phase}
    json.dump(answer, sys.stdout)
    return 0


def connection(given: dict) -> DlmsClient:
    settings = {name: value(name, each) for name, each in given.get("settings", {}).items()}
    if "conformance" in settings:
        settings["conformance"] = xdlms.Conformance(settings["conformance"])
    if given.get("ek") or given.get("context"):
        octets = {"ek": "encryption_key", "ak": "authentication_key", "title": "client_system_title"}
        context = {name: bytes.fromhex(given[short]) for short, name in octets.items() if given.get(short)}
        context |= {name: value(name, each) for name, each in given.get("context", {}).items()}
        settings["security"] = SecurityContext(
            **context, invocation_counter=given.get("counter", 1), suite=given.get("suite", 0)
        )
    elif given.get("title"):
        settings["client_system_title"] = bytes.fromhex(given["title"])
    settings |= {"mechanism": given.get("mechanism", 0), "logical_names": given.get("logical_names", True)}
    settings |= {"password": given.get("password"), "timeout": given.get("timeout", 10.0)}
    place = (given.get("host", "127.0.0.1"), given["port"], given.get("client", 16), given.get("server", 1))
    if given.get("udp"):
        return DlmsClient.udp(*place, **settings)
    hdlc = given.get("framing", "wrapper") == "hdlc"
    return DlmsClient.tcp(*place, given.get("physical"), hdlc, **settings)


def outcome(client: DlmsClient, name: str, words: list) -> dict:
    try:
        return {"value": plain(OPERATIONS[name](client, *words))}
    except ServiceError as refused:
        return {"refused": int(refused.result) if refused.result is not None else None, "text": str(refused)}
    except DlmsError as error:
        return {"failed": type(error).__name__, "text": str(error)}


def data(text: str | None) -> DlmsData | None:
    return None if text is None else decode_data(bytes.fromhex(text))[0]


def access_operation(kind: str, obis: str, class_id: int, member: int, *rest: str | None) -> object:
    if kind == "get":
        return AccessGet(obis, class_id, member)
    return (AccessSet if kind == "set" else AccessAction)(obis, class_id, member, data(*rest))


def access(client: DlmsClient, operations: list, break_on_error: bool = False) -> list:
    outcomes = client.access([access_operation(*each) for each in operations], break_on_error=break_on_error)
    return [{"result": int(each.result), "data": plain(each.data)} for each in outcomes]


def select(client: DlmsClient, obis: str, class_id: int, attribute: int, selector: int, parameters: str) -> object:
    chosen = data(parameters)
    assert chosen is not None
    return client.get(obis, class_id, attribute, xdlms.SelectiveAccess(selector, chosen))


def objects(client: DlmsClient) -> list:
    return [
        {"class_id": each.class_id, "version": each.version, "obis": str(each.logical_name), "base": each.base_name}
        for each in client.get_association_view()
    ]


OPERATIONS = {
    "get": lambda client, *words: client.get(*words),
    "select": select,
    "list": lambda client, items: client.get_many([tuple(each) for each in items]),
    "set": lambda client, obis, class_id, attribute, value: client.set(obis, class_id, attribute, data(value)),
    "set_list": lambda client, items: client.set_many([(*each[:3], data(each[3])) for each in items]),
    "act": lambda client, obis, class_id, method, value: client.action(obis, class_id, method, data(value)),
    "act_list": lambda client, items: client.action_many([(*each[:3], data(each[3])) for each in items]),
    "access": access,
    "objects": objects,
    "profile": lambda client, obis, resolve=False: client.read_profile(obis, resolve_deltas=resolve).rows,
    "call": lambda client, name, *words: getattr(client, name)(*map(argument, words)),
}


def argument(given: object) -> object:
    if isinstance(given, dict):
        if "hex" in given:
            return bytes.fromhex(given["hex"])
        if "data" in given:
            return data(given["data"])
        if "time" in given:
            return datetime.datetime.fromisoformat(given["time"])
        return {int(name): argument(each) for name, each in given.items()}
    return value("", given)


def value(name: str, given: object) -> object:
    """What a setting stands for: keys in PEM, octets in hex where the name says so, anything else as it is."""
    if name == "key_info":
        return KeyInfo(**given)
    if name == "decompressor":
        return v44_decompressor(**given)
    if not isinstance(given, str):
        return given
    if given.startswith("-----BEGIN PUBLIC KEY"):
        return load_pem_public_key(given.encode())
    if given.startswith("-----BEGIN"):
        return load_pem_private_key(given.encode(), None)
    return bytes.fromhex(given) if name.endswith(("key", "title")) else given


def plain(found: object) -> object:
    if isinstance(found, DlmsData):
        return encode_data(found).hex().upper()
    if isinstance(found, bytes | bytearray):
        return {"octets": bytes(found).hex().upper()}
    if found is None or isinstance(found, bool | str | float):
        return found
    if isinstance(found, int):
        return int(found)
    if isinstance(found, dict):
        return {str(name): plain(each) for name, each in found.items()}
    if isinstance(found, list | tuple):
        return [plain(each) for each in found]
    return {"text": str(found)}


if __name__ == "__main__":
    raise SystemExit(main())
