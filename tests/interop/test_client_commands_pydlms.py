"""Our client writes to the simulated meter of pydlms-client, runs its methods, and reads it in blocks and by range."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cosem import Client, Data, ProfileGeneric, danger
from cosem.errors import ActionError, CosemError, DataAccessError, SecurityWarning
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model.classes.access_control import (
    CertificateType,
    ImageBlock,
    ImageTransfer,
    ImageTransferInitiate,
    ImageTransferStatus,
    SecuritySetup,
)
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore
from interop.matrix import asks
from interop.test_access_service import requests_by_access
from interop.test_security_suites import symmetric

PROFILE = ProfileGeneric("1.0.99.1.0.255")
TEXT = Data("0.0.96.1.0.255")
TITLE = "4D4D4D0000000001"
EK, AK = symmetric(1)

Start = Callable[..., int]


@pytest.fixture(autouse=True)
def _weak_ways_are_meant() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def url(port: int, client: int = 16) -> str:
    return f"tcp://127.0.0.1:{port}?client={client}&server=1"


@pytest.mark.interop(feature="SET", peer="pydlms-client", role="client")
@pytest.mark.interop(feature="SET in blocks", peer="pydlms-client", role="client")
@pytest.mark.interop(feature="ACTION", peer="pydlms-client", role="client")
def test_writing_and_running(pydlms_meter: Start) -> None:
    with Client.open(url(pydlms_meter(max_pdu=128))) as meter:
        meter.set(TEXT.value, OctetString(b"short"))
        assert meter.get(TEXT.value) == b"short"
        meter.set(TEXT.value, OctetString(b"long" * 100))
        assert meter.get(TEXT.value) == b"long" * 100
        disconnect = DisconnectControl("0.0.96.3.10.255")
        assert meter.get(disconnect.output_state) is True
        meter.act(disconnect.remote_disconnect, 0)
        assert meter.get(disconnect.output_state) is False


@pytest.mark.interop(feature="SET with list", peer="pydlms-client", role="client")
@pytest.mark.interop(feature="ACTION with list", peer="pydlms-client", role="client")
def test_writing_and_running_several_at_once(pydlms_meter: Start) -> None:
    disconnect, absent = DisconnectControl("0.0.96.3.10.255"), DisconnectControl("0.0.96.3.99.255")
    with Client.open(url(pydlms_meter())) as meter:
        assert meter.negotiated is not None
        assert meter.negotiated.allows(Conformance.MULTIPLE_REFERENCES)
        written, refused = meter.set_many(
            [(TEXT.value, OctetString(b"listed")), (Data("0.0.96.1.99.255").value, OctetString(b"no"))]
        )
        assert written is None
        assert isinstance(refused, DataAccessError)
        assert meter.get(TEXT.value) == b"listed"
        ran, failed = meter.act_many([(disconnect.remote_disconnect, 0), (absent.remote_disconnect, 0)])
        assert ran is None
        assert isinstance(failed, CosemError)
        assert requests_by_access(meter) == 0
        assert meter.get(disconnect.output_state) is False


@pytest.mark.interop(feature="ACTION in blocks", peer="pydlms-client", role="client")
@pytest.mark.parametrize("auth", ["none", "gmac"])
def test_running_in_blocks(pydlms_meter: Start, auth: str) -> None:
    """The meter takes an image in pieces of 500 octets, and of no other size, and what it answers is long as well."""
    image, setup, request = ImageTransfer(), SecuritySetup(), bytes(range(256)) * 2
    theirs: dict[str, Any] = {"image": 500, "methods": [[64, "0.0.43.0.0.255", 5, f"09820200{request.hex()}"]]}
    ours: dict[str, Any] = {}
    if auth == "gmac":
        theirs |= {"ek": EK, "ak": AK, "title": TITLE, "clients": {"16": {"mechanism": 5, "ciphered": True}}}
        ours = {"ek": EK, "ak": AK, "system_title": "4D4D4D0000000002", "counters": MemoryCounterStore()}
    port = pydlms_meter(max_pdu=128, **theirs)
    with Client.open(url(port), max_receive_pdu_size=128, **ours) as meter:
        meter.act(image.image_transfer_initiate, ImageTransferInitiate(b"firmware", 900))
        meter.act(image.image_block_transfer, ImageBlock(0, bytes(500)))
        assert meter.get(image.image_first_not_transferred_block_number) == 1
        with pytest.raises(ActionError):
            meter.act(image.image_block_transfer, ImageBlock(1, bytes(500)))
        meter.act(image.image_block_transfer, ImageBlock(1, bytes(400)))
        meter.act(image.image_verify, 0)
        assert meter.get(image.image_transfer_status) is ImageTransferStatus.VERIFICATION_SUCCESSFUL
        assert meter.act(setup.generate_certificate_request, CertificateType.DIGITAL_SIGNATURE) == request


@pytest.mark.interop(feature="GET in blocks", peer="pydlms-client", role="client")
@pytest.mark.interop(feature="selective access", peer="pydlms-client", role="client")
def test_rows_in_blocks_and_by_range(pydlms_meter: Start) -> None:
    port = pydlms_meter(max_pdu=128)
    with Client.open(url(port), max_receive_pdu_size=128) as meter:
        assert [row[1] for row in meter.profile(PROFILE).rows] == [1000 + 7 * number for number in range(96)]
        since, until = (datetime(2024, 5, 1, 0, minutes, tzinfo=UTC) for minutes in (15, 45))
        assert [row[1] for row in meter.profile(PROFILE, since=since, until=until).rows] == [1007, 1014, 1021]


MECHANISMS = [
    pytest.param("md5", 3, danger.Weakness.MD5_AUTHENTICATION, marks=asks("pydlms-client", "client", "HLS MD5")),
    pytest.param("sha1", 4, danger.Weakness.SHA1_AUTHENTICATION, marks=asks("pydlms-client", "client", "HLS SHA-1")),
    pytest.param("sha256", 6, None, marks=asks("pydlms-client", "client", "HLS SHA-256")),
]


@pytest.mark.parametrize(("auth", "number", "weakness"), MECHANISMS)
def test_high_level_authentication_with_a_secret(pydlms_meter: Start, auth: str, number: int, weakness: Any) -> None:
    port = pydlms_meter(clients={"5": {"mechanism": number, "secret": "a secret of HLS"}})
    permitted = danger.allow(*([weakness] if weakness else []))
    words: dict[str, Any] = {"auth": auth, "password": "a secret of HLS", "permitted": permitted}
    with Client.open(url(port, 5), system_title=TITLE, **words) as meter:
        assert meter.get(TEXT.value) == "PYD0000000001"
