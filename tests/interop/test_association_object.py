"""Clients of others administer an association of our meter: its HLS secret and the objects it shows."""

from __future__ import annotations

from typing import Any

import pytest

from cosem import Data
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.access_control import User
from cosem.protocol.values.data import Unsigned
from interop.matrix import asks
from interop.served import served
from interop.test_security_suites import TITLE, symmetric

OWN, SERIAL = "0.0.40.0.0.255", "0.0.96.1.0.255"
OLD, NEW = b"a secret of sixteen", b"another one of sixteen"
EK, AK = symmetric(1)
READ = ["get", SERIAL, 1, 2]
# class 1, version 0, its name, and no rights: they play no part in taking it away
ELEMENT = "0204" + "120001" + "1100" + "0906" + "0000600100FF" + "0202" + "0100" + "0100"


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Data(SERIAL), value=Unsigned(9))
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[6],
            secret=Secret(OLD),
            keys=Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True),
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.MANAGE),
        )
    )
    return meter


def words(secret: bytes, counter: int) -> dict[str, Any]:
    given = {"client": 1, "mechanism": 6, "ek": EK, "ak": AK, "title": TITLE}
    return {**given, "password": secret.decode(), "counter": counter}


@pytest.mark.interop(feature="change of HLS secret", peer="pydlms-client", role="server")
def test_pydlms_changes_the_secret(pydlms: Any) -> None:
    with served(described()) as port:
        change = ["act", OWN, 15, 2, f"09{len(NEW):02X}{NEW.hex()}"]
        assert pydlms(port, [change, READ], **words(OLD, 1))["results"] == [{"value": None}, {"value": "1109"}]
        assert pydlms(port, [READ], **words(NEW, 100))["results"] == [{"value": "1109"}]
        assert "error" in pydlms(port, [READ], **words(OLD, 200))


@pytest.mark.interop(feature="add and remove object", peer="pydlms-client", role="server")
def test_pydlms_removes_an_object(pydlms: Any) -> None:
    with served(described()) as port:
        answer = pydlms(port, [["act", OWN, 15, 4, ELEMENT], READ], **words(OLD, 1))
    assert answer["results"][0] == {"value": None} and "refused" in answer["results"][1], answer


@pytest.mark.parametrize(
    ("user", "enters"),
    [
        pytest.param(7, True, marks=asks("gurux-dlms", "server", "user list")),
        pytest.param(8, False, marks=asks("gurux-dlms", "server", "user list")),
    ],
)
def test_gurux_says_who_uses_it(gurux: Any, user: int, enters: bool) -> None:
    meter = Meter("KFM1020012345678")
    meter.add(Data(SERIAL), value=Unsigned(9))
    meter.offer(AssociationDescription(client=1, users=(User(7, "Ben"),)))
    with served(meter) as port:
        answer = gurux(port, [["read", 1, SERIAL, 2]], client=1, user=user)
    values = [each["value"]["raw"] for each in answer["results"]]
    assert (values, "error" in answer) == (([9], False) if enters else ([], True)), answer


@pytest.mark.interop(feature="change of HLS secret", peer="gurux-dlms", role="server")
def test_gurux_changes_the_secret(gurux: Any) -> None:
    """By a plain ACTION: the octets of the argument are ours, how they travel is not."""
    words: dict[str, Any] = {"client": 1, "auth": "sha256", "ek": EK, "ak": AK, "system_title": TITLE}
    with served(described()) as port:
        change = ["act", 15, OWN, 2, "OCTET_STRING", NEW.hex()]
        answer = gurux(port, [change, ["read", 1, SERIAL, 2]], **words, password=OLD.decode())
        assert answer["results"][1]["value"]["raw"] == 9, answer
        again = gurux(port, [["read", 1, SERIAL, 2]], **words, password=NEW.decode(), counter=100)
        assert again["results"][0]["value"]["raw"] == 9, again


@pytest.mark.interop(feature="add and remove object", peer="gurux-dlms", role="server")
def test_gurux_removes_an_object_and_adds_it_again(gurux: Any) -> None:
    """By a plain ACTION: the octets of the argument are ours, how they travel is not."""
    words: dict[str, Any] = {"client": 1, "auth": "sha256", "ek": EK, "ak": AK, "system_title": TITLE}
    remove, add = (["act", 15, OWN, method, "STRUCTURE", {"hex": ELEMENT}] for method in (4, 3))
    read = ["read", 1, SERIAL, 2]
    with served(described()) as port:
        answer = gurux(port, [read, remove, read, add, read], **words, password=OLD.decode())
    assert "error" not in answer, answer["error"]
    before, removed, without, added, after = answer["results"]
    assert before["value"]["raw"] == after["value"]["raw"] == 9
    assert "value" in removed and "value" in added
    assert without["refused"] == 4  # object-undefined
