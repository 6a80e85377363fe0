"""Serves the example meter of pydlms-client with more settings than its command line has; runs under the peer's Python.

The settings are one JSON object; all may be left out:

    framing            "wrapper" (default) or "hdlc"
    window             HDLC receive window
    title              system title, hex
    ek, ak             keys, hex; turn ciphering on
    suite              0 (default), 1, 2
    conformance        names of bits to grant besides the peer's default ones
    max_pdu            the meter's max-receive-pdu-size
    gbt                {"window", "streaming", "drop": [own blocks to lose once], "drop_requests": [the client's]}
    clients            {sap: {"mechanism", "secret", "ciphered", "public_key" (PEM)}}
    signing_key        private key of the meter (PEM), mechanism 7
    context            further arguments of the peer's SecurityContext (octets in hex, keys in PEM)
    image              block size of an image transfer object 0.0.44.0.0.255, which the example meter does not have,
                       or what the peer's ImageTransferTarget takes
    methods            [[class_id, obis, method, data]]: methods that return those data, in hex
    pushes             sent before the answers: [{"apdu": hex, "protection": null|"glo"|"general-glo", "hdlc_frame"}]

It says "listening on 127.0.0.1:PORT" on stderr and serves until it is ended.
"""

from __future__ import annotations

import json
import sys
import threading

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydlms.apdu.xdlms import Conformance
from pydlms.cosem.data import decode_data
from pydlms.security.context import SecurityContext
from pydlms.security.hls import Mechanism
from pydlms.simulator import ClientProfile, ImageTransferTarget, MeterSimulator, example_meter, serve


def main() -> int:
    settings = json.loads(sys.argv[1])
    meter = example_meter(**keywords(settings))
    for name in settings.get("conformance", ()):
        meter.conformance |= Conformance[name]
    if "ek" in settings:
        cipher(meter, settings)
    gbt = settings.get("gbt")
    if gbt is not None:
        meter.conformance |= Conformance.GENERAL_BLOCK_TRANSFER
        meter.gbt_window, meter.gbt_streaming = gbt.get("window", 1), gbt.get("streaming", True)
        meter.drop_gbt_blocks, meter.drop_gbt_requests = set(gbt.get("drop", ())), set(gbt.get("drop_requests", ()))
    if "signing_key" in settings:
        meter.signing_key = value("signing_key", settings["signing_key"])
    for sap, client in settings.get("clients", {}).items():
        meter.clients[int(sap)] = profile(client)
    if "image" in settings:
        image = settings["image"]
        image = dict(image) if isinstance(image, dict) else {"block_size": image}
        if isinstance(image.get("drop_blocks"), dict):  # JSON has no numbers for keys
            image["drop_blocks"] = {int(number): times for number, times in image["drop_blocks"].items()}
        ImageTransferTarget(**image).install(meter)
    for class_id, obis, method, octets in settings.get("methods", ()):
        found, _ = decode_data(bytes.fromhex(octets))
        meter.add_method(class_id, obis, method, lambda _meter, _argument, found=found: found)
    for push in settings.get("pushes", ()):
        meter.push_before_response(
            bytes.fromhex(push["apdu"]), protection=push.get("protection"), hdlc_frame=push.get("hdlc_frame", "ui")
        )
    hdlc = settings.get("framing", "wrapper") == "hdlc"
    server = serve(meter, "127.0.0.1", 0, hdlc=hdlc, hdlc_window=settings.get("window", 1))
    print(f"listening on 127.0.0.1:{server.server_address[1]}", file=sys.stderr, flush=True)
    threading.Event().wait()
    return 0


def keywords(settings: dict) -> dict:
    found = {"system_title": bytes.fromhex(settings["title"])} if "title" in settings else {}
    return {**found, **({"max_pdu": settings["max_pdu"]} if "max_pdu" in settings else {})}


def cipher(meter: MeterSimulator, settings: dict) -> None:
    """Give the meter its keys: its own way of taking them knows suite 0 only."""
    meter.encryption_key, meter.authentication_key = (bytes.fromhex(settings[name]) for name in ("ek", "ak"))
    meter.security = SecurityContext(
        meter.encryption_key,
        meter.authentication_key,
        client_system_title=meter.system_title,
        suite=settings.get("suite", 0),
        **{name: value(name, given) for name, given in settings.get("context", {}).items()},
    )
    meter.last_client_ic = 0  # publishes the object that holds it


def profile(client: dict) -> ClientProfile:
    secret, public_key = client.get("secret"), client.get("public_key")
    return ClientProfile(
        Mechanism(client.get("mechanism", 0)),
        secret=None if secret is None else secret.encode(),
        ciphered=client.get("ciphered", False),
        client_public_key=None if public_key is None else load_pem_public_key(public_key.encode()),
    )


def value(name: str, given: object) -> object:
    """What a setting stands for: keys in PEM, octets in hex, anything else as it is."""
    if not isinstance(given, str):
        return given
    if given.startswith("-----BEGIN PUBLIC KEY"):
        return load_pem_public_key(given.encode())
    if given.startswith("-----BEGIN"):
        return load_pem_private_key(given.encode(), None)
    return bytes.fromhex(given) if name.endswith(("key", "title")) else given


if __name__ == "__main__":
    raise SystemExit(main())
