"""`cosem decode`: what octets from a log, a forum or a manual mean; offline, with or without keys."""

from __future__ import annotations

import sys
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer

from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Json, key, private_key, public_key
from cosem.cli.paste import Part, parts
from cosem.cli.report import escaped, put, put_json, say
from cosem.cli.telegrams import headings, pasted, plain, set_aside, show, telegrams_in
from cosem.cli.zone import LocalZone, named_zone
from cosem.client.follow import Heard
from cosem.errors import ConfigurationError
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.codec.dissect import as_dict, render
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import PUBLISHED_AUTHENTICATION_KEY, P1Keys, Telegram
from cosem.protocol.iec21.tic import Frame
from cosem.protocol.profile.dissect import Dissector, Finding, with_titles
from cosem.protocol.values.system_title import TITLE_OCTETS

STANDARD_INPUT = "-"


def decode(
    octets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HEX]",
            help="Octets in any usual form, lines of a log or a trace; - or nothing reads them from standard input.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Read them from a file.", show_default=False)
    ] = None,
    encryption_key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Encryption key: file:PATH, env:NAME or hex.", show_default=False),
    ] = None,
    authentication_key: Annotated[
        str | None,
        typer.Option("--auth-key", metavar="KEY", help="Authentication key, in the same forms.", show_default=False),
    ] = None,
    broadcast_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Key of what is sent to many, in the same forms.", show_default=False),
    ] = None,
    master_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Master key, for general-ciphering with a wrapped key.", show_default=False),
    ] = None,
    agreement_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Private agreement key, for general-ciphering with an agreed key: of the recipient, or of either side "
            "where neither key was made for one message.",
            show_default=False,
        ),
    ] = None,
    peer_agreement_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Public agreement key of the other side.", show_default=False)
    ] = None,
    peer_signing_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Public signing key of the sender.", show_default=False)
    ] = None,
    system_title: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HEX",
            help="System title of whoever sent a ciphered APDU, where neither it nor an AARQ or AARE says so; "
            "may be given for each side.",
            show_default=False,
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Zone of a P1 or TIC meter, whose times tell none, as Europe/Amsterdam.",
            show_default="this machine's",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Decode octets: HDLC frames, wrapped APDUs, APDUs with or without LLC header, or Data; the layer is guessed.

    Eats what -vv prints (TX: and RX: lines), logs of other tools, 0x prefixes, spaces, colons and quotes. Ciphered
    APDUs show their header; with --key what is in them as well, and with --auth-key whether it is authentic. Telegrams
    of P1 meters and of the French TIC are recognised as text.

    \b
    Examples:
      cosem decode 7EA0080221219305D17E
      cosem read tcp://192.0.2.7:4059 1.8.0 -vv 2>&1 | cosem decode
      cosem decode --file trace.txt --key file:ek.hex --auth-key file:ak.hex
    """
    text = _text(octets or [], file)
    own, authentication = key("--key", encryption_key), key("--auth-key", authentication_key)
    heard = pasted(text)
    if heard:
        show_pasted(heard, named_zone(zone), as_json=json)
        return
    dissector = Dissector(
        own,
        authentication,
        [_title(text) for text in system_title or ()],
        key("--broadcast-key", broadcast_key),
        _general_keys(master_key, agreement_key, peer_agreement_key, peer_signing_key),
    )
    every = parts(text)
    heard = [each for part in every for each in telegrams_in(part.octets, _p1_keys(own, authentication))]
    if heard:
        show_pasted(heard, named_zone(zone), as_json=json)
        return
    found = [(part, dissector.dissect(part.octets)) for part in every]
    findings = [each for _, those in found for each in those]
    if json:
        put_json({"parts": [_plain(part, those) for part, those in found]})
    else:
        for part, those in found:
            _show(part, those)
    if any(each.closed for each in findings):
        say("hint: some of this is ciphered; --key and --auth-key look into it")
    if not all(each.sound for each in findings):
        raise Ended(SOME_FAILED)


def show_pasted(heard: list[Heard | Discarded], zone: tzinfo, *, as_json: bool) -> None:
    """Show telegrams, and of those whose check is wrong what they say all the same."""
    if isinstance(zone, LocalZone) and any(isinstance(each, Telegram | Frame) for each in heard):
        say(zone.taken)
    if as_json:
        put_json({"telegrams": [plain(each, zone) for each in heard]})
    else:
        headings()
        for each in heard:
            if isinstance(each, Discarded):
                set_aside(each)
            else:
                show(each, zone, believed_only=False)
    if any(isinstance(each, Discarded) or (isinstance(each, Telegram) and each.error is not None) for each in heard):
        raise Ended(SOME_FAILED)


def _p1_keys(encryption_key: Key | None, authentication_key: Key | None) -> P1Keys | None:
    if encryption_key is None:
        return None
    return P1Keys(encryption_key=encryption_key, authentication_key=authentication_key or PUBLISHED_AUTHENTICATION_KEY)


def _general_keys(master: str | None, own: str | None, peer: str | None, signing: str | None) -> GeneralKeys | None:
    if not any((master, own, peer, signing)):
        return None
    return GeneralKeys(
        master_key=key("--master-key", master),
        agreer=private_key("--agreement-key", own),
        peer_agreement_key=public_key("--peer-agreement-key", peer),
        peer_signing_key=public_key("--peer-signing-key", signing),
    )


def _text(octets: list[str], file: Path | None) -> str:
    if file is not None:
        if octets:
            raise ConfigurationError("give the octets or --file, not both")
        try:
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError as problem:
            raise ConfigurationError(f"cannot read {file}: {problem.strerror}") from None
    if octets and octets != [STANDARD_INPUT]:
        return " ".join(octets)
    if sys.stdin.isatty():
        say("paste the octets, then Ctrl-D (on Windows Ctrl-Z and Enter)")
    return sys.stdin.read()


def _title(text: str) -> bytes:
    try:
        title = bytes.fromhex(text.removeprefix("0x").replace(":", " "))
    except ValueError:
        title = b""
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError(f"--system-title {text!r}: write {2 * TITLE_OCTETS} hex digits, as 4B464D1020304050")
    return title


def _show(part: Part, findings: list[Finding]) -> None:
    for finding in findings:
        words = [part.direction, part.time, f"{finding.layer}, {len(finding.octets)} octets"]
        put(escaped(" ".join(filter(None, words))))
        for line in render(with_titles(finding.tree, finding.octets), finding.octets).splitlines():
            put(escaped(line.rstrip()))
        put("")


def _plain(part: Part, findings: list[Finding]) -> dict[str, Any]:
    return {
        "direction": part.direction or None,
        "time": part.time or None,
        "octets": part.octets.hex().upper(),
        "layers": [
            {
                "layer": finding.layer,
                "octets": finding.octets.hex().upper(),
                "sound": finding.sound,
                "tree": as_dict(with_titles(finding.tree, finding.octets)),
            }
            for finding in findings
        ],
    }
