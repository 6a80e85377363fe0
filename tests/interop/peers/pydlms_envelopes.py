"""Makes and opens envelopes with pydlms-client; runs only under the peer's Python.

The first argument is a JSON list of jobs, each with the peer's "context" (the arguments of its SecurityContext: octets
in hex, keys in PEM) and

    "do"       "cipher" (general-ciphering), "sign" (general-signing), "open" (anything)
    "apdu"     what to put into the envelope, or the envelope to open, hex
    "recipient", "transaction_id", "key_info" (arguments of the peer's KeyInfo)

It prints a list of {"octets": hex, "originator": hex} or {"failed": what the peer raised}.
"""

from __future__ import annotations

import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydlms.exceptions import DlmsError
from pydlms.security import general
from pydlms.security.ciphering import unwrap
from pydlms.security.context import SecurityContext
from pydlms.security.suites import SecurityPolicy


def main() -> int:
    answers: list[dict] = []
    for job in json.loads(sys.argv[1]):
        try:
            answers.append(DOES[job["do"]](context(job["context"]), bytes.fromhex(job["apdu"]), job))
        except DlmsError as error:
            answers.append({"failed": f"{type(error).__name__}: {error}"})
    json.dump({"answers": answers}, sys.stdout)
    return 0


def context(given: dict) -> SecurityContext:
    return SecurityContext(**{name: value(name, each) for name, each in given.items()})


def cipher(context: SecurityContext, apdu: bytes, job: dict) -> dict:
    octets = general.wrap_general_ciphering(
        context,
        apdu,
        bytes.fromhex(job["recipient"]),
        general.KeyInfo(**job["key_info"]),
        bytes.fromhex(job["transaction_id"]),
    )
    return {"octets": octets.hex().upper()}


def sign(context: SecurityContext, apdu: bytes, job: dict) -> dict:
    octets = general.wrap_general_signing(
        context, apdu, bytes.fromhex(job["recipient"]), bytes.fromhex(job["transaction_id"])
    )
    return {"octets": octets.hex().upper()}


def open_envelope(context: SecurityContext, apdu: bytes, _job: dict) -> dict:
    opened = unwrap(context, apdu)
    return {"octets": opened.plaintext.hex().upper(), "originator": opened.system_title.hex().upper()}


DOES = {"cipher": cipher, "sign": sign, "open": open_envelope}


def value(name: str, given: object) -> object:
    if name == "policy":
        return SecurityPolicy(given)
    if not isinstance(given, str) or name in ("general_aad", "signing_form"):
        return given
    if given.startswith("-----BEGIN PUBLIC KEY"):
        return load_pem_public_key(given.encode())
    if given.startswith("-----BEGIN"):
        return load_pem_private_key(given.encode(), None)
    return bytes.fromhex(given)


if __name__ == "__main__":
    raise SystemExit(main())
