"""Firmware images between us and pydlms-client, in both roles: lost blocks, resuming, verification that takes its time.

The meter of gurux-dlms does not run, and its client has no transfer of its own, only the single methods.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosem import Client, Clock, Meter
from cosem.client import image as images
from cosem.errors import RemoteProtocolError, SecurityWarning
from cosem.meter import Access, AssociationDescription, Rights
from cosem.meter.faults import Faults
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from interop.conftest import peer
from interop.served import served

IMAGE = bytes(range(256)) * 10


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(images, "POLL", 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def url(port: int) -> str:
    return f"tcp://127.0.0.1:{port}?client=16&server=1"


@pytest.mark.parametrize(
    "meter",
    [
        {"block_size": 100},
        {"block_size": 100, "drop_blocks": [0, 7, 25]},
        {"block_size": 100, "verify_steps": 3, "activate_steps": 2},
        {"block_size": 3000},
        {"block_size": 100, "enabled": False},
    ],
    ids=["plain", "blocks lost", "slow", "one block", "not enabled yet"],
)
def test_our_client_sends_an_image(pydlms_meter: Callable[..., int], meter: dict[str, Any]) -> None:
    """The meter of the peer acknowledges a lost block and does not keep it: its bitmap alone tells."""
    with Client.open(url(pydlms_meter(image=meter))) as client:
        if not meter.get("enabled", True):
            with pytest.raises(Exception, match=r"denied|refused|write"):
                client.send_image(IMAGE, b"v2", write=True)
            return
        state = client.send_image(IMAGE, b"v2", activate=True, write=True)
        assert state.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL
        assert state.missing == ()


def test_blocks_that_are_always_lost_end_the_transfer(pydlms_meter: Callable[..., int]) -> None:
    meter = {"block_size": 100, "drop_blocks": {"3": 1000}}
    with (
        Client.open(url(pydlms_meter(image=meter))) as client,
        pytest.raises(RemoteProtocolError, match="1 of 26 blocks of the image are still missing"),
    ):
        client.send_image(IMAGE, b"v2", write=True)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("what", ["verify", "activate"])
def test_a_failure_is_said(pydlms_meter: Callable[..., int], what: str, steps: int) -> None:
    """The peer refuses by other-reason, or later by its status; what it means is in the status either way."""
    meter = {f"fail_{what}": True, f"{what}_steps": steps}
    with (
        Client.open(url(pydlms_meter(image=meter))) as client,
        pytest.raises(
            RemoteProtocolError, match={"verify": "verification", "activate": "activation"}[what] + " failed"
        ),
    ):
        client.send_image(IMAGE, b"v2", activate=True, write=True)


def sent_by_the_peer(
    tmp_path: Path, faults: Faults, *, activate: bool
) -> tuple[Meter, subprocess.CompletedProcess[str]]:
    """Let the client of pydlms send an image to a meter of ours, and return the meter and what the client said."""
    meter, file = Meter("KFM1020012345678", faults=faults), tmp_path / "image"
    meter.add(Clock())
    meter.add(ImageTransfer(), image_block_size=100)
    meter.offer(AssociationDescription(client=16, rights=Rights(Access.MANAGE)))
    file.write_bytes(IMAGE)
    with served(meter) as port:
        words = ["image-transfer", f"tcp://127.0.0.1:{port}", "--client", "16", "--poll", "0.01"]
        words += ["--identifier", b"v2".hex(), "--yes", str(file)]
        words += ["--activate"] if activate else []
        return meter, subprocess.run([peer("pydlms"), *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("activate", [False, True])
@pytest.mark.parametrize(
    "faults",
    [Faults(), Faults(block_loss=0.1), Faults(verification_time=0.05, activation_time=0.05)],
    ids=["well behaved", "blocks lost", "slow"],
)
def test_our_meter_takes_an_image(tmp_path: Path, activate: bool, faults: Faults) -> None:
    meter, done = sent_by_the_peer(tmp_path, faults, activate=activate)
    assert done.returncode == 0, done.stderr
    item = meter.management.find(ImageTransfer().instance)
    assert item is not None
    assert bytes(item.state.octets) == IMAGE
    meter.settle()
    expected = ImageTransferStatus.ACTIVATION_SUCCESSFUL if activate else ImageTransferStatus.VERIFICATION_SUCCESSFUL
    assert item.state.status is expected


@pytest.mark.parametrize("what", ["verify", "activate"])
def test_the_client_of_the_peer_is_told_what_failed(tmp_path: Path, what: str) -> None:
    faults = Faults(verification_fails=True) if what == "verify" else Faults(activation_fails=True)
    _, done = sent_by_the_peer(tmp_path, faults, activate=True)
    assert done.returncode != 0
    assert f"image_{what} failed" in done.stderr
