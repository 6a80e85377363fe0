"""A meter whose store is full: what it cannot keep it does not acknowledge, and the connection goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem import AsyncClient
from cosem.errors import ActionError, AssociationRejected, ConfigurationError, DataAccessError, TransportError
from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.memory import remember
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import Data
from cosem.protocol.model.classes.access_control import KeyId
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import Integer, Unsigned
from cosem.store.state import FileStateStore
from simulation.bench import Bench
from simulation.test_security_setup import SetUp, key

pytestmark = pytest.mark.filterwarnings("ignore:the password:cosem.errors.SecurityWarning")

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
TARIFF, BREAKER = Data("0.0.96.14.0.255"), DisconnectControl()


class Kept(Bench):
    """A meter that keeps its state, with a password."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.store = FileStateStore(folder)
        self.meter = Meter("KFM1020012345678", clock=lambda: NOON + timedelta(seconds=self.world.now()))
        self.meter.add(TARIFF, value=Unsigned(1), writable=["value"])
        self.meter.add(BREAKER)
        self.meter.offer(
            AssociationDescription(
                client=1, mechanism=MECHANISMS[1], secret=Secret(b"right"), rights=Rights(Access.MANAGE)
            )
        )
        remember(self.meter, self.store)
        self.words = {"auth": "low", "password": Secret(b"right")}


class Full:
    """What `commit` is while there is no space left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bench: Kept) -> None:
        self._patch = monkeypatch
        monkeypatch.setattr(bench.store, "commit", self._refuse)

    def _refuse(self, _: object) -> None:
        raise ConfigurationError("no space left")

    def no_longer(self) -> None:
        self._patch.undo()


def test_a_client_is_told_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Kept(tmp_path)

    async def main(client: AsyncClient) -> Any:
        full = Full(monkeypatch, bench)
        with pytest.raises(DataAccessError) as refused:
            await client.set(TARIFF.value, Unsigned(2))
        assert refused.value.result == DataAccessResult.HARDWARE_FAULT
        with pytest.raises(ActionError) as failed:
            await client.act(BREAKER.remote_disconnect, Integer(0))
        assert failed.value.result == ActionResult.HARDWARE_FAULT
        several: Any = await client.act_many([(BREAKER.remote_disconnect, Integer(0))] * 2)
        assert all(isinstance(each, ActionError) for each in several)
        full.no_longer()
        await client.set(TARIFF.value, Unsigned(3))
        return await client.get(TARIFF.value)

    assert bench.run(main) == 3
    bench.store.close()
    assert any(b"1103" in octets for octets in FileStateStore(tmp_path).load().values())


def test_nobody_is_let_in_while_that_cannot_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Kept(tmp_path)

    async def nothing(client: AsyncClient) -> object:
        return await client.get(TARIFF.value)

    with pytest.raises(AssociationRejected):
        bench.run(nothing, password=Secret(b"wrong"))
    bench.meter.put(TARIFF.value, Unsigned(5))
    full = Full(monkeypatch, bench)
    with pytest.raises(TransportError):
        bench.run(nothing)
    full.no_longer()
    assert bench.run(nothing) == 5
    bench.store.close()


def test_keys_that_a_client_has_changed_are_those_after_a_restart(tmp_path: Path) -> None:
    changed = key(0, 11)
    bench = SetUp()
    remember(bench.meter, FileStateStore(tmp_path))

    async def transfer(client: AsyncClient) -> None:
        await client.transfer_keys({KeyId.GLOBAL_UNICAST_ENCRYPTION: changed}, keep=lambda _: None)

    bench.run(transfer)
    assert bench.meter.memory is not None
    bench.meter.memory.close()
    again = SetUp()
    assert again.reads()
    remember(again.meter, FileStateStore(tmp_path))
    assert not again.reads()
    assert again.reads(ek=changed)
