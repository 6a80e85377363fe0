"""Snapshots: written and read again, refused where they are none, and without what is nobody else's business."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.model import REGISTRY
from cosem.protocol.model.private import ATTRIBUTES, Private, privacy
from cosem.protocol.values.data import (
    Array,
    CompactArray,
    DoubleLongUnsigned,
    Enumerated,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots
from cosem.store.anonymous import anonymous, without_secrets
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, RecordedObject, Snapshot

NAME, TITLE = b"KFM1020012345678", b"KFM\xed\x7c\xbc\xd8\x01"


def of(class_id: int, obis: str, **cells: Any) -> RecordedObject:
    attributes = {int(key[1:]): value if isinstance(value, Cell) else Cell(value) for key, value in cells.items()}
    return RecordedObject(class_id, 0, Obis(obis), attributes)


def snapshot(*objects: RecordedObject, own: dict[int, Cell] | None = None) -> Snapshot:
    association = RecordedAssociation(1, "challenge", 5, 48, 0, 0x00FEDF, 1024, Array(), own or {})
    return Snapshot("2026-07-01T12:00:00+00:00", (RecordedDevice(1, NAME, TITLE, (association,), objects),))


WHOLE = snapshot(
    of(1, "0.0.42.0.0.255", _2=OctetString(NAME)),
    of(3, "1.0.1.8.0.255", _2=DoubleLongUnsigned(5), _3=Structure((Unsigned(1), Enumerated(30)))),
    of(1, "0.0.96.1.0.255", _2=Cell(refused=3)),
    of(1, "0.0.96.1.1.255", _2=Cell(VisibleString("x"), replaced="identity")),
    own={8: Cell(Enumerated(2))},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    snapshots.write(tmp_path / "meter.json", WHOLE)
    assert snapshots.read(tmp_path / "meter.json") == WHOLE
    assert (tmp_path / "meter.json").stat().st_mode & 0o077 == 0


def broken(document: Any) -> None:
    document["devices"][0]["objects"][0]["attributes"]["2"]["data"] = "09FF"


def change(path: str, value: Any) -> Callable[[Any], None]:
    def changed(document: Any) -> None:
        *way, last = path.split("/")
        for step in way:
            document = document[int(step) if isinstance(document, list) else step]
        document[last] = value

    return changed


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (change("format", "other"), "is no snapshot"),
        (change("version", 2), "version 2 is not 1"),
        (change("devices", {}), "devices: expected a list"),
        (change("devices/0/sap", -1), "devices[0]: sap: expected a number from 0 to 65535"),
        (change("devices/0/sap", True), "sap: expected int"),
        (change("devices/0/name", "xyz"), "devices[0]: name:"),
        (change("devices/0/objects/1/obis", "x"), "objects[1]: obis:"),
        (change("devices/0/objects/0/attributes", []), "attributes: expected an object"),
        (change("devices/0/objects/0/attributes", {"x": {}}), "expected the number of an attribute"),
        (change("devices/0/objects/0/attributes/2", {}), "attributes: 2: data: expected str"),
        (change("devices/0/associations/0/client", "1"), "associations[0]: client: expected int"),
        (change("devices/0/associations/0/own", None), "own: expected an object"),
        (broken, "objects[0]: attributes: 2: data:"),
    ],
)
def test_what_is_no_snapshot_says_where(tmp_path: Path, harm: Callable[[Any], None], said: str) -> None:
    path = tmp_path / "meter.json"
    snapshots.write(path, WHOLE)
    document = json.loads(path.read_text())
    harm(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError) as refused:
        snapshots.read(path)
    assert said in str(refused.value)


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 200_000])
def test_other_files_are_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "meter.json"
    path.write_bytes(octets)
    with pytest.raises(ConfigurationError):
        snapshots.read(path)
    with pytest.raises(ConfigurationError, match="cannot read"):
        snapshots.read(tmp_path / "missing.json")


# -- what others do not see -------------------------------------------------------------------------------------------


def cells(given: Snapshot) -> dict[tuple[str, int], Cell]:
    (device,) = given.devices
    return {(str(each.instance), index): cell for each in device.objects for index, cell in each.attributes.items()}


def test_names_have_stand_ins_of_their_length_and_maker_everywhere() -> None:
    given = snapshot(
        of(1, "0.0.42.0.0.255", _1=OctetString(b"\0\0*\0\0\xff"), _2=OctetString(NAME)),
        of(1, "0.0.96.1.0.255", _2=OctetString(b"1020012345678")),
        of(1, "0.0.96.1.1.255", _2=VisibleString("Ann")),
        of(1, "0.0.128.0.0.255", _2=Structure((Utf8String(f"of {NAME.decode()}"), Array((OctetString(TITLE),))))),
        of(1, "0.0.128.1.0.255", _2=CompactArray(b"\x09", b"\x10" + NAME)),
        of(1, "0.0.128.2.0.255", _2=OctetString(b"untouched")),
        of(64, "0.0.43.0.0.255", _4=OctetString(b"COS00001"), _5=OctetString(TITLE)),
        of(72, "0.1.24.1.0.255", _6=DoubleLongUnsigned(87654321), _8=Unsigned(7)),
    )
    found, (device,) = cells(anonymous(given)), anonymous(given).devices
    name, title = b"KFM0000000000001", b"KFM\0\0\0\0\x02"
    assert (device.name, device.system_title, device.replaced) == (name, title, ("name", "system_title"))
    assert found["0.0.42.0.0.255", 1] == Cell(OctetString(b"\0\0*\0\0\xff"))
    assert found["0.0.42.0.0.255", 2] == Cell(OctetString(name), replaced="identity")
    assert found["0.0.96.1.0.255", 2].data == OctetString(b"0000000000001")
    assert found["0.0.96.1.1.255", 2].data == VisibleString("003")
    assert found["0.0.128.0.0.255", 2] == Cell(
        Structure((Utf8String(f"of {name.decode()}"), Array((OctetString(title),)))), replaced="identity"
    )
    assert found["0.0.128.1.0.255", 2].data == CompactArray(b"\x09", b"\x10" + name)
    assert found["0.0.128.2.0.255", 2] == Cell(OctetString(b"untouched"))
    assert found["0.0.43.0.0.255", 5].data == OctetString(title)
    assert (found["0.1.24.1.0.255", 6].data, found["0.1.24.1.0.255", 8].data) == (DoubleLongUnsigned(5), Unsigned(7))
    assert anonymous(given) == anonymous(given)


def test_secrets_are_emptied_even_where_the_identity_is_kept() -> None:
    secret = OctetString(b"s3cret-of-the-meter")
    given = snapshot(
        of(44, "0.0.25.3.0.255", _5=Array((Structure((LongUnsigned(1), secret)),))),
        of(46, "0.0.25.5.0.255", _3=VisibleString("ann"), _4=secret),
        of(9000, "0.0.128.0.0.255", _2=secret, _3=Structure((LongUnsigned(5), True))),
        own={7: Cell(secret)},
    )
    kept = without_secrets(given)
    assert cells(kept)["0.0.25.3.0.255", 5] == Cell(Array(), replaced="secret")
    assert cells(kept)["0.0.25.5.0.255", 4] == Cell(OctetString(), replaced="secret")
    assert cells(kept)["0.0.25.5.0.255", 3] == Cell(VisibleString("ann"))
    assert cells(kept)["0.0.128.0.0.255", 2] == Cell(secret)
    assert kept.devices[0].associations[0].own[7] == Cell(OctetString(), replaced="secret")
    assert kept.devices[0].name == NAME
    unknown = cells(anonymous(given))
    assert unknown["0.0.128.0.0.255", 2] == Cell(OctetString(), replaced="undeclared class")
    assert unknown["0.0.128.0.0.255", 3].data == Structure((LongUnsigned(0), False))


def test_what_occurs_by_chance_is_not_a_name() -> None:
    given = snapshot(
        of(64, "0.0.43.0.0.255", _4=OctetString(bytes(8))),
        of(1, "0.0.128.0.0.255", _2=OctetString(bytes(20))),
        of(1, "0.0.96.1.1.255", _2=OctetString(b"1")),
        of(1, "0.0.128.1.0.255", _2=OctetString(b"1.1.1")),
    )
    found = cells(anonymous(given))
    assert found["0.0.128.0.0.255", 2] == Cell(OctetString(bytes(20)))
    assert found["0.0.128.1.0.255", 2] == Cell(OctetString(b"1.1.1"))


def test_what_is_private_is_an_attribute_of_its_class() -> None:
    """The numbers fit the declarations wherever there are some."""
    for class_id, index in ATTRIBUTES:
        kinds = [kind for (known, _), kind in REGISTRY.items() if known == class_id]
        assert not kinds or any(index in kind.declared_attributes for kind in kinds), (class_id, index)


def test_names_that_speak_of_secrets_are_secrets() -> None:
    spoken = {
        (class_id, attribute.name)
        for (class_id, version), kind in REGISTRY.items()
        for index, attribute in kind.declared_attributes.items()
        if privacy(class_id, version, Obis("0.0.1.0.0.255"), index) is Private.SECRET
    }
    assert (15, "secret") in spoken
    assert (64, "certificates") in spoken
    assert privacy(3, 0, Obis("1.0.1.8.0.255"), 2) is None
