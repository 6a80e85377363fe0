"""A client by asyncua with our OPC UA server: another process, although of the library that ours is built on."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.opcua import NAMESPACE, OpcuaOutput, OpcuaSettings, Protection
from cosem.gateway.northbound.text import LONGEST
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample
from cosem.protocol.crypto.key import Secret
from interop.lines_of import peer

pytestmark = pytest.mark.timeout(300)  # making the nodes of the standard takes seconds, on a busy machine many
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
VALUES: dict[NumberType, tuple[Plain, Any]] = {
    NumberType.DIGITAL: (True, True),
    NumberType.SIGNED16: (-5, -5),
    NumberType.UNSIGNED16: (40000, 40000),
    NumberType.SIGNED32: (-123456, -123456),
    NumberType.UNSIGNED32: (4294967295, 4294967295),
    NumberType.SIGNED64: (-(2**40), -(2**40)),
    NumberType.UNSIGNED64: (2**64 - 1, 2**64 - 1),
    NumberType.FLOAT: (Decimal("1.5"), 1.5),
    NumberType.DOUBLE: (Decimal("12345.678"), 12345.678),
    NumberType.BITSTRING: ("101", 5),
    NumberType.TEXT: ("Wärme", "Wärme"),
    NumberType.TIME: (NOON, "2026-11-26 12:00:00+00:00"),
}
POINTS = [
    *(Point(each.value, "meter", f"name of {each.value}", each, writable=True) for each in VALUES),
    Point("never", "other", "", NumberType.FLOAT),
    Point("chosen", "other", "", NumberType.FLOAT, unit="W", node="ns=2;i=77"),
]


async def obey(command: Command) -> CommandResult:
    return CommandResult(command.value != 7, "seven is too much")


def test_values_and_commands() -> None:
    async def run() -> None:
        given: list[Command] = []

        async def note(command: Command) -> CommandResult:
            given.append(command)
            return await obey(command)

        output = OpcuaOutput(port=0)
        await output.start(POINTS, note)
        await output.publish(
            [Sample(each.value, value, Quality.GOOD, NOON, NOON) for each, (value, _) in VALUES.items()]
        )
        await output.publish(
            [
                Sample("chosen", 5, Quality.NOT_TOPICAL, NOON, NOON),
                Sample("chosen", 4, Quality.GOOD, NOON, NOON, backfilled=True),
            ]
        )
        async with peer("opcua_client.py", url=f"opc.tcp://127.0.0.1:{output.port}/cosem") as client:
            assert await client.hear() == {"connected": True}
            for kind, (_, value) in VALUES.items():
                told = await client.ask("read", f"ns=2;s=meter.{kind.value}")
                assert told == {
                    "value": value, "type": kind.opcua, "status": "Good", "source": "2026-11-26 12:00:00+00:00",
                }  # fmt: skip
            assert (await client.ask("read", "ns=2;s=other.never"))["status"] == "BadWaitingForInitialData"
            told = await client.ask("read", "ns=2;i=77")
            assert (told["value"], told["status"]) == (5, "UncertainLastUsableValue")
            names = (await client.ask("browse"))["meter"]
            assert names == [f"name of {each.value}" for each in VALUES]
            for node, value, kind, status in (
                ("ns=2;s=meter.UNSIGNED16", 6, "UInt16", "Good"),
                ("ns=2;s=meter.BITSTRING", 5, "UInt32", "Good"),
                ("ns=2;s=meter.FLOAT", 7.0, "Float", "BadDeviceFailure"),
                ("ns=2;s=meter.FLOAT", 5, "Int16", "BadTypeMismatch"),
                ("ns=2;s=meter.FLOAT", math.nan, "Float", "BadOutOfRange"),
                ("ns=2;s=meter.DOUBLE", -math.inf, "Double", "BadOutOfRange"),
                ("ns=2;s=meter.TEXT", "x" * LONGEST, "String", "Good"),
                ("ns=2;s=meter.TEXT", "x" * (LONGEST + 1), "String", "BadOutOfRange"),
                ("ns=2;s=other.never", 5.0, "Float", "BadUserAccessDenied"),
                ("ns=0;i=2256", 5.0, "Float", "BadUserAccessDenied"),
            ):
                assert await client.ask("write", node, value, kind) == status
            assert [(each.signal, each.value) for each in given] == [
                ("UNSIGNED16", 6),
                ("BITSTRING", f"{5:032b}"),
                ("FLOAT", 7.0),
                ("TEXT", "x" * LONGEST),
            ]
            assert given[0].origin == "OPC UA anybody"
            assert (await client.ask("read", "ns=2;s=meter.UNSIGNED16"))["value"] == 40000  # until the meter says so
            assert await client.ask("watch", "ns=2;s=meter.UNSIGNED16", 1) == [40000]
            await output.publish([Sample("UNSIGNED16", 6, Quality.GOOD, NOON, NOON)])
            assert await client.ask("watch", "ns=2;s=meter.UNSIGNED16", 1) == [6]
        await output.close()
        await output.close()

    asyncio.run(run())


def issued(folder: Path, name: str, uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / f"{name}.pem", folder / f"{name}.key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"certificate": str(chain), "key": str(private)}


def test_signed_and_encrypted_for_those_who_are_known(tmp_path: Path) -> None:
    ours, known, stranger = (
        issued(tmp_path, name, uri)
        for name, uri in (("gateway", NAMESPACE), ("known", "urn:cosem:peer"), ("stranger", "urn:cosem:peer"))
    )
    server = Protection(Path(ours["certificate"]), Path(ours["key"]), Path(known["certificate"]))

    async def run() -> None:
        output = OpcuaOutput(port=0, protection=server, username="scada", password=Secret(b"open sesame"))
        await output.start(POINTS, obey)
        url = f"opc.tcp://127.0.0.1:{output.port}/cosem"
        login: dict[str, Any] = {"username": "scada", "password": "open sesame", "server": ours["certificate"]}
        for given, enters in (
            (known | login, True),
            (known | login | {"password": "guessed"}, False),
            (known | login | {"username": "admin"}, False),
            (stranger | login, False),
            ({}, False),
        ):
            async with peer("opcua_client.py", url=url, **given) as client:
                assert ("connected" in await client.hear()) is enters
                if enters:
                    assert await client.ask("write", "ns=2;s=meter.DOUBLE", 6.0, "Double") == "Good"
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(("most", "served"), [(1, False), (2, True)])
def test_so_many_connections_and_subscriptions(most: int, served: bool) -> None:
    """One client is there and watches; then another one comes."""

    async def run() -> None:
        output = OpcuaOutput(port=0, settings=OpcuaSettings(connections=most, subscriptions=most))
        await output.start(POINTS, obey)
        await output.publish(
            [Sample("chosen", 5, Quality.GOOD, NOON, NOON), Sample("never", 5, Quality.GOOD, NOON, NOON)]
        )
        async with peer("opcua_client.py", url=f"opc.tcp://127.0.0.1:{output.port}/cosem") as client:
            assert await client.hear() == {"connected": True}
            assert await client.ask("watch", "ns=2;i=77", 1) == [5]
            await client.tell("watch", "ns=2;s=other.never", 1)  # a subscription of its own
            told = await client.until(lambda each: "did" in each)
            assert ("BadTooManySubscriptions" in told.get("error", "")) is not served
            reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
            hello = bytes(4) + bytes.fromhex("00000100 00000100 00000000 00000000")  # version, buffers, no limits
            url = b"opc.tcp://127.0.0.1"
            body = hello + len(url).to_bytes(4, "little") + url
            writer.write(b"HELF" + (8 + len(body)).to_bytes(4, "little") + body)
            async with asyncio.timeout(30):
                assert (await reader.read(4) == b"ACKF") is served
            writer.close()
        await output.close()

    asyncio.run(run())
