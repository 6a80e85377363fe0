"""`cosem image`: how far the transfer of a firmware image is, and sending, verifying and activating one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cosem.cli.failure import BAD_USAGE, SESSION_LOST, SOME_FAILED, Ended
from cosem.cli.options import Connection, connected
from cosem.cli.progress import counting
from cosem.cli.report import put_json, put_table, say, value_text
from cosem.cli.session import prepared, session
from cosem.cli.writing import Write
from cosem.client.client import Client
from cosem.client.image import PATIENCE, POLL, ImageState, words_of
from cosem.errors import ConfigurationError, ConnectionLost, TransportError
from cosem.protocol.crypto.key import octets_from_hex
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.values.data import OctetString

LARGEST_FILE = 256 * 1024 * 1024
"""A larger file is certainly no image for a meter, and is not read."""


@connected
def image(
    connection: Connection,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The image to send.", show_default=False)
    ] = None,
    identifier: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|0xHEX",
            help="The name that the meter knows the image by. Left out: the name of the file.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was begun, without beginning anew.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Send it and no more.")] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Activate it once it is verified; without FILE, the one that is there.")
    ] = False,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long the meter may take to verify or to activate.")
    ] = PATIENCE,
    object_: Annotated[str, typer.Option("--object", metavar="OBIS", help="The image transfer object.")] = str(
        ImageTransfer().instance
    ),
    write: Write = False,
) -> None:
    """Show how far an image is, or send one: what is missing of it, as often as need be.

    A meter that restarts into the new image and so breaks the connection off is looked for until it is there again.

    \b
    Examples:
      cosem image tcp://192.0.2.7:4059
      cosem image 'tcp://192.0.2.7?client=1' firmware.bin --identifier V2.1 --write --ek file:ek.hex --ak file:ak.hex
      cosem image 'tcp://192.0.2.7?client=1' --activate --write --ek file:ek.hex --ak file:ak.hex
    """
    where, octets = ImageTransfer(object_), _content(file)
    if no_verify and activate:
        raise ConfigurationError("--activate needs an image that is verified: leave --no-verify out")
    if file is None and (identifier is not None or resume or no_verify):
        raise ConfigurationError("--identifier, --resume and --no-verify are about a FILE to send")
    with session(connection) as client:
        state = client.image_state(where)
        if not write or (octets is None and not activate):
            _show(connection, state)
            if octets is not None or activate:
                size = "" if octets is None else f" of {len(octets)} octets"
                say(f"nothing was sent{size}; add --write to do it")
                raise Ended(BAD_USAGE)
            return
        if octets is None:
            broken = _activated(client, where, patience)
        else:
            assert file is not None
            blocks = -(-len(octets) // (state.block_size or len(octets)))
            with counting("blocks", blocks) as told:
                client.send_image(
                    octets,
                    _identifier(identifier, file),
                    where,
                    resume=resume,
                    verify=not no_verify,
                    progress=told,
                    patience=patience,
                    write=True,
                )
            broken = activate and _activated(client, where, patience)
        if not broken:
            state = client.image_state(where)
    _show(connection, _after_restart(connection, where, patience) if broken else state)


def _activated(client: Client, where: ImageTransfer, patience: float) -> bool:
    """Activate what is there; return whether the meter broke the connection off over it, as many do that restart."""
    try:
        client.activate_image(where, patience=patience, write=True)
    except ConnectionLost as error:
        say(f"the meter restarts, it seems ({error}); looking again")
        return True
    return False


def _after_restart(connection: Connection, where: ImageTransfer, patience: float) -> ImageState:
    """Wait until a meter is there again that restarts into another image, and return how far it is."""
    until = time.monotonic() + patience
    while True:
        client = prepared(connection, connection.address())
        try:
            client.connect()
            state = client.image_state(where)
        except TransportError as error:
            found = str(error)
        else:
            if state.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL:
                return state
            found = "it tells no status" if state.status is None else f"it says {words_of(state.status)}"
            if state.status is not ImageTransferStatus.ACTIVATION_INITIATED:
                say(f"error: the image was not activated: {found}")
                raise Ended(SOME_FAILED)
        finally:
            client.close()
        if time.monotonic() + POLL > until:
            say(f"error: the meter did not come back with the image: {found}")
            raise Ended(SESSION_LOST)
        time.sleep(POLL)


def _content(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        with file.expanduser().open("rb") as opened:
            octets = opened.read(LARGEST_FILE + 1)
    except OSError as problem:
        raise ConfigurationError(f"cannot read {file}: {problem.strerror}") from None
    if not octets or len(octets) > LARGEST_FILE:
        raise ConfigurationError(f"{file} is {'empty' if not octets else 'too large for an image'}")
    return octets


def _identifier(given: str | None, file: Path) -> bytes:
    if given is None:
        return file.name.encode()
    return octets_from_hex(given) if given[:2].lower() == "0x" else given.encode()


def _show(connection: Connection, state: ImageState) -> None:
    if connection.json:
        put_json({"url": connection.url, **_plain(state)})
        return
    arrived = ""
    if state.blocks is not None and state.missing is not None:
        arrived = f"{state.blocks - len(state.missing)} of {state.blocks}"
    rows = [
        ("status", "" if state.status is None else words_of(state.status)),
        ("enabled", "" if state.enabled is None else "yes" if state.enabled else "no"),
        ("block size", "" if state.block_size is None else f"{state.block_size} octets"),
        ("blocks arrived", arrived),
        ("first missing block", "" if state.first_missing is None else str(state.first_missing)),
    ]
    for each in state.to_activate:
        name = value_text(OctetString(each.image_to_activate_identification))
        rows.append(("ready to activate", f"{name}, {each.image_to_activate_size} octets"))
    put_table(("", ""), rows)


def _plain(state: ImageState) -> dict[str, Any]:
    return {
        "status": None if state.status is None else state.status.name.lower(),
        "enabled": state.enabled,
        "block_size": state.block_size,
        "blocks": state.blocks,
        "missing": None if state.missing is None else list(state.missing),
        "first_missing": state.first_missing,
        "to_activate": [
            {
                "size": each.image_to_activate_size,
                "identification": bytes(each.image_to_activate_identification).hex().upper(),
                "signature": bytes(each.image_to_activate_signature).hex().upper(),
            }
            for each in state.to_activate
        ],
    }
