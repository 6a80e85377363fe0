"""`cosem read` in associations of another kind: by a listed user, and without opening one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import cosem
from cosem import Register, Unit
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.model.classes.access_control import User
from interop.served import served

KEYS = Keys.random()
TITLE = "4142434445464748"


def described(**more: Any) -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=7, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.READ), **more))
    return meter


@pytest.mark.parametrize(("user", "code"), [(["--user", "7"], 0), (["--user", "8"], 2), ([], 2)])
def test_a_listed_user_reads(user: list[str], code: int, tmp_path: Path) -> None:
    with served(described(users=(User(7, "Ben"),))) as port:
        ran = cosem("read", f"tcp://127.0.0.1:{port}?client=1", "1.8.0", "--json", *user, state=tmp_path)
    assert ran.returncode == code, ran.stderr
    assert code or json.loads(ran.stdout)["readings"][0]["value"] in (7, "7")


def test_an_association_that_is_not_opened_is_read(tmp_path: Path) -> None:
    meter = described(
        keys=KEYS, protection=AUTHENTICATED_ENCRYPTION, pre_established=True, client_title=bytes.fromhex(TITLE)
    )
    for name, key in (("ek", KEYS.encryption), ("ak", KEYS.authentication)):
        (tmp_path / name).write_text(key.reveal().hex())
    keys = ["--ek", f"file:{tmp_path / 'ek'}", "--ak", f"file:{tmp_path / 'ak'}", "--system-title", TITLE]
    words = [*keys, "--auth", "none", "--protection", "auth+enc", "--pre-established"]
    with served(meter) as port:
        url = f"tcp://127.0.0.1:{port}?client=1"
        ran = cosem("read", url, "1.8.0", "--json", *words, "--meter-title", meter.system_title.hex(), state=tmp_path)
        without = cosem("read", url, "1.8.0", *words, state=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["readings"][0]["value"] in (7, "7")
    assert without.returncode == 64
    assert "meter_title" in without.stderr
