"""`probe` finds meters, each configured in another way, on TCP and pseudo-terminals, and `read` goes on there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosem import Client, Data, Meter, Register, Unit
from cosem.client.access import access
from cosem.client.attempts import plan, target_of
from cosem.client.probe import probe
from cosem.client.recognise import Speech
from cosem.client.verdict import Found, NotFound
from cosem.io import blocking
from cosem.meter import Access, AssociationDescription, Keys, Rights, serving
from cosem.protocol.association.context import Naming
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.iec21 import p1
from cosem.protocol.link.hdlc import HdlcAddress
from cosem.protocol.profile.address import ONE_WAY
from cosem.protocol.values.data import DoubleLongUnsigned
from lines import serial_line

ENERGY = Register("1.0.1.8.0.255")
NAME = "KFM1020012345678"
EK = Key(bytes.fromhex("5A1B2C3D4E5F60718293A4B5C6D7E8F9"))
AK = Key(bytes.fromhex("C4B1E07A93D25F6884AA10F7362B9ED3"))
AIDON = bytes.fromhex("7EA02A410883130413E6E7000F40000000000101020309060100010700FF0600002B2A02020F00161BE6BC7E")
"""A push of an Aidon meter, published in an issue of hass-AMS."""

pytestmark = pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")


def meter(*offered: AssociationDescription) -> Meter:
    made = Meter(NAME)
    made.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    made.add(Data("0.0.97.97.0.255"), value=DoubleLongUnsigned(0))
    made.offer(*(offered or (AssociationDescription(client=16, name="public", rights=Rights(Access.READ)),)))
    return made


def opened(client: int, **others: Any) -> AssociationDescription:
    return AssociationDescription(client=client, name="a", rights=Rights(Access.READ), **others)


def search(target: str, hurry: int = 20, **words: Any) -> Found | NotFound:
    """Probe as `cosem probe` does, with a part of its patience: nothing is far away here."""
    place = target_of(target)
    attempts = tuple(replace(each, wait=each.wait / hurry) for each in plan(place))
    found: list[Found | NotFound] = []
    told: list[str] = []

    async def run() -> None:
        found.append(await probe(place, Client.open_stream, told.append, attempts=attempts, **words))

    blocking.run(run())
    print("\n".join(told))
    return found[0]


def read(found: Found, **words: Any) -> None:
    """Read by the URL that was printed, as printed."""
    with Client.open(str(found.url), **words) as client:
        assert str(client.quantity(ENERGY)) == "12345678 Wh"


WORLDS: dict[str, tuple[Callable[[], Meter], str, dict[str, Any]]] = {
    "the wrapper": (meter, "tcp", {}),
    "the wrapper, for client 1 alone": (lambda: meter(opened(1)), "tcp", {}),
    "the wrapper, for client 48 alone": (lambda: meter(opened(48)), "tcp", {}),
    "HDLC with an address of one octet": (meter, "hdlc+tcp", {}),
    "HDLC with physical address 17": (meter, "hdlc+tcp?physical=17", {}),
    "HDLC with physical address 256": (meter, "hdlc+tcp?physical=256", {}),
    "HDLC with an unusual physical address": (meter, "hdlc+tcp?physical=99", {}),
    "HDLC for client 32 alone": (lambda: meter(opened(32)), "hdlc+tcp?physical=16", {}),
    "short names": (lambda: meter(opened(16, naming=frozenset({Naming.SHORT_NAMES}))), "hdlc+tcp", {"naming": "sn"}),
    "a password": (
        lambda: meter(opened(32, mechanism=MECHANISMS[1], secret=Secret(b"12345678"))),
        "tcp",
        {"password": "12345678"},
    ),
    "keys": (
        lambda: meter(
            opened(1, mechanism=MECHANISMS[5], keys=Keys(EK, AK, temporary=True), protection=AUTHENTICATED_ENCRYPTION)
        ),
        "tcp",
        {"ek": EK, "ak": AK},
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_meter_that_is_configured_in_its_own_way(name: str, monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    make, where, words = WORLDS[name]
    scheme, _, query = where.partition("?")

    async def run() -> None:
        async with serving(make(), f"{scheme}://127.0.0.1:0?{query}") as server:
            entry = access(**words) if "ek" in words or "password" in words else None
            found = await asyncio.to_thread(search, server.url.place, entry=entry)
            assert isinstance(found, Found), found
            assert found.entered, found
            assert found.identity.logical_device_name == NAME
            assert found.readable
            await asyncio.to_thread(read, found, **words)

    asyncio.run(run())


def test_the_dialects_of_the_maker_are_named() -> None:
    made = Meter("LGZ1020012345678")
    made.offer(opened(16))

    async def run() -> None:
        async with serving(made, "tcp://127.0.0.1:0") as server:
            found = await asyncio.to_thread(search, server.url.place)
            assert isinstance(found, Found)
            assert found.options == ("if something fails, --dialect LGZ/ZMF100",)
            assert found.identity.maker == "Landis Gyr"

    asyncio.run(run())


@pytest.mark.parametrize("name", ["a password", "keys"])
def test_a_secret_is_not_guessed_but_asked_for(name: str) -> None:
    make, where, _ = WORLDS[name]

    async def run() -> None:
        async with serving(make(), f"{where}://127.0.0.1:0") as server:
            found = await asyncio.to_thread(search, server.url.place)
            assert isinstance(found, Found)
            assert not found.entered
            assert found.options == ("--password or --ek and --ak",)

    asyncio.run(run())


def test_hdlc_on_a_pseudo_terminal() -> None:
    async def run() -> None:
        with serial_line() as (meters_end, ours):
            async with serving(meter(), f"hdlc+serial://{meters_end}?physical=17", beyond_loopback=True):
                found = await asyncio.to_thread(search, ours)
                assert isinstance(found, Found), found
                assert found.entered
                await asyncio.to_thread(read, found)

    asyncio.run(run())


def test_p1_on_a_pseudo_terminal() -> None:
    with serial_line() as (meters_end, ours):
        over = threading.Event()

        def push() -> None:
            with Path(meters_end).open("wb", buffering=0) as port:
                while not over.wait(0.02):
                    port.write(TELEGRAM)

        meter_thread = threading.Thread(target=push)
        meter_thread.start()
        try:
            found = search(ours)
        finally:
            over.set()
            meter_thread.join()
    assert isinstance(found, Found), found
    assert (found.speech, found.url.scheme, found.command) == (Speech.P1, "p1+serial", "listen")


def test_a_pseudo_terminal_on_which_nobody_speaks() -> None:
    with serial_line() as (_, ours):
        found = search(ours, 200)
    assert isinstance(found, NotFound)
    assert found.layer == "the line"


@asynccontextmanager
async def place(attend: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncGenerator[str, None]:
    """Give host and port of what `attend` serves."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await attend(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


def repeating(octets: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def attend(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(octets)
            await writer.drain()
            await asyncio.sleep(0.02)

    return attend


def answering(answers: dict[bytes, bytes], otherwise: bytes = b"") -> Callable[..., Any]:
    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            writer.write(next((answer for part, answer in answers.items() if part in octets), otherwise))

    return attend


def with_parity(octets: bytes) -> bytes:
    """Return octets as a serial server at 8N1 passes on those of a meter at 7E1."""
    return bytes(octet | (octet.bit_count() & 1) << 7 for octet in octets)


TELEGRAM = p1.telegram(
    "ISK5\\2M550T-1012", [p1.data_set("1-3:0.2.8", "50"), p1.data_set("1-0:1.8.1", "000051.775*kWh")]
)
SIGN_ON = b"/?!\r\n"
EMPTY = b"\x02!\r\n\x03%"
"""A readout of nothing, with its check."""


@pytest.mark.parametrize(
    ("attend", "speech", "scheme", "with_bits"),
    [
        (repeating(TELEGRAM), Speech.P1, "p1+tcp", False),
        (repeating(with_parity(b"\x02\nADCO 012345678901 B\r\x03")), Speech.TIC, "tic+tcp", True),
        (repeating(bytes.fromhex("1B1B1B1B0101010176")), Speech.SML, "sml+tcp", False),
        (repeating(AIDON), Speech.HDLC, "han+tcp", False),
        (repeating(b"1.8.0(000123.4*kWh)\r\n2.8.0(1)\r\n"), Speech.READOUT, "iec21+tcp", False),
        (answering({SIGN_ON: b"/KFM5MT100\r\n", b"050": EMPTY}), Speech.IDENTIFICATION, "iec21+tcp", False),
        (
            answering({with_parity(SIGN_ON): with_parity(b"/LGZ5ZMD\r\n"), with_parity(b"050"): with_parity(EMPTY)}),
            Speech.IDENTIFICATION,
            "iec21+tcp",
            True,
        ),
    ],
)
def test_what_is_no_meter_for_sessions(attend: Any, speech: Speech, scheme: str, with_bits: bool) -> None:
    async def run() -> None:
        async with place(attend) as where:
            found = await asyncio.to_thread(search, where)
            assert isinstance(found, Found), found
            assert (found.speech, found.url.scheme) == (speech, scheme)
            assert (found.url.parity == "software") is with_bits
            assert found.command == ("listen" if scheme.partition("+")[0] in ONE_WAY else "read")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("attend", "words", "heard"),
    [
        (answering({b"CM": bytes.fromhex("434D0000000301AB01")}), "Modbus", Speech.MODBUS),
        (answering({b"\x01\x2b\x0e": bytes.fromhex("01AB019EF0")}), "Modbus", Speech.MODBUS),
        (answering({b"\xee\x00": bytes.fromhex("06EE0000000001004DE1")}), "C12.18", Speech.C12_18),
        (answering({b"\x10\x49": bytes.fromhex("100B01000C16")}), "60870-5-102", Speech.IEC_102),
        (answering({}, b"HTTP/1.1 400 Bad Request\r\n"), "web server", Speech.HTTP),
        (repeating(b"SSH-2.0-OpenSSH_9.6\r\n"), "remote shell", Speech.SSH),
    ],
)
def test_neighbours(attend: Any, words: str, heard: Speech) -> None:
    async def run() -> None:
        async with place(attend) as where:
            found = await asyncio.to_thread(search, where)
            assert isinstance(found, NotFound), found
            assert heard in found.heard
            assert words in found.meaning.sentence

    asyncio.run(run())


def test_a_meter_behind_a_line_that_echoes() -> None:
    async def run() -> None:
        async with serving(meter(), "hdlc+tcp://127.0.0.1:0") as server:

            async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there, back = await asyncio.open_connection("127.0.0.1", server.url.port)

                async def answers() -> None:
                    while octets := await there.read(4096):
                        writer.write(octets)

                task = asyncio.create_task(answers())
                while octets := await reader.read(4096):
                    writer.write(octets)
                    back.write(octets)
                task.cancel()
                back.close()

            async with place(attend) as where:
                found = await asyncio.to_thread(search, where)
                assert isinstance(found, Found), found
                assert found.entered
                await asyncio.to_thread(read, found)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "found_as"),
    [((1, 17, 2), (17, 2)), ((1, 1, 2), (1, 2)), ((1, 16, 4), (16, 4)), ((1, 256, 4), (256, 4))],
)
def test_a_meter_that_answers_to_one_size_of_address(address: tuple[int, int, int], found_as: tuple[int, int]) -> None:
    wire = HdlcAddress(*address).encode()

    async def run() -> None:
        async with serving(meter(), f"hdlc+tcp://127.0.0.1:0?physical={address[1]}") as server:

            async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there, back = await asyncio.open_connection("127.0.0.1", server.url.port)

                async def answers() -> None:
                    while octets := await there.read(4096):
                        writer.write(octets)

                task = asyncio.create_task(answers())
                while octets := await reader.read(4096):
                    if octets[3 : 3 + len(wire)] == wire:
                        back.write(octets)
                task.cancel()
                back.close()

            async with place(attend) as where:
                found = await asyncio.to_thread(search, where)
                assert isinstance(found, Found), found
                assert found.entered, found
                assert (found.url.physical, found.url.address_size) == found_as
                await asyncio.to_thread(read, found)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("attend", "layer", "words"),
    [
        (answering({}), "framing", "nothing that we know"),
        (answering({}, b"\x00\xff\x55"), "framing", "makes no sense"),
    ],
)
def test_what_is_said_where_no_meter_is(attend: Any, layer: str, words: str) -> None:
    async def run() -> None:
        async with place(attend) as where:
            found = await asyncio.to_thread(search, where, 60)
            assert isinstance(found, NotFound)
            assert found.layer == layer
            assert words in found.meaning.sentence
            assert len(found.meaning.causes) == 3

    asyncio.run(run())


def test_only_an_echo() -> None:
    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            writer.write(octets)

    async def run() -> None:
        async with place(attend) as where:
            found = await asyncio.to_thread(search, where, 60)
            assert isinstance(found, NotFound)
            assert found.layer == "the line"
            assert "what we sent" in found.meaning.sentence

    asyncio.run(run())
