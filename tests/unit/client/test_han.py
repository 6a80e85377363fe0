"""Customer ports as they are heard: captured pushes in frames, ciphered ones, old ones, and noise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cosem.client.han import HanReader
from cosem.danger import Weakness, allow
from cosem.errors import ConfigurationError
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Keys
from cosem.readings.han import HanTelegram, push_lists

AIDON = bytes.fromhex("7EA02A410883130413E6E7000F40000000000101020309060100010700FF060000067D02020F00161B1C057E")
"""amshan tests/test_hdlc.py (MIT): 1661 W."""
KEYS = P1Keys(
    encryption_key=Key(bytes.fromhex("5FDE26FE7A1A36B6E1C0BA048FA9A023")),
    authentication_key=Key(bytes.fromhex("7DA42A44E00BD0AF5E1A911E3CCA64FD")),
)
"""Those that esphome-libs/dlms_parser (Apache-2.0) publishes beside its tests/dumps/hdlc_lgz_e450_2.log."""
E450 = bytes.fromhex(
    "7EA08BCEFF0313EEE1E6E700E0400001000077DB084C475A67735DD3A982010330000ACC8312647AB92EC2EAFE5C43E8EE96E1660EA3BA19"
    "2E67A73F96A35A50DD907E8A46120574A68ED778EF7F26C32ADE71E4F6B9B3EC5F1F9693FC9B1106FA28006FA312340E146F229A6573674C"
    "216879EDC8970D56216A973EF069759B3C916A051782B231A8B6C1477E7EA08BCEFF0313EEE1E040000200007AA021B52995C5E9DED30A2C"
    "89439E01F04ABDC24504FFEB47054753D162B39A9C7BCAEF58407BF76A61DB32477B0044FD1CD71B49F4468E42C53E6087F4B390514484F4"
    "6D355B18C897B094D103737467FB8555F35D2BD3C7030B105B2FA5DA21A03B0FC8FFD6A753E9E76BAD2D41C993A5CF4B977C00503885ED14"
    "187E7EA030CEFF031386F8E0C0000300001F7622079BB81587CBD326E641A07516FDF312F76EE65AE6B0FB5EC3463FEBE00F1E7E"
)


def heard(octets: bytes, lists: str, keys: P1Keys | None = None, **options: Any) -> list[HanTelegram | Discarded]:
    reader = HanReader(push_lists(lists), keys, **options)
    for at in range(0, len(octets), 50):
        reader.receive(octets[at : at + 50], 0.0)
    return reader.events()


def test_a_captured_frame() -> None:
    (found,) = heard(AIDON, "norway")
    assert isinstance(found, HanTelegram)
    assert found.list is not None and found.list.name == "Aidon lists 1 to 3"
    assert [str(each.quantity) for each in found.values] == ["1661 W"]
    assert not found.verified


def test_a_captured_push_in_ciphered_blocks() -> None:
    (found,) = heard(E450, "austria", KEYS)
    assert isinstance(found, HanTelegram)
    assert found.verified and found.invocation_counter == 0x000ACC83
    assert found.system_title == bytes.fromhex("4C475A67735DD3A9")
    values = {str(each.obis): int(str(each.value)) for each in found.values[1:]}
    assert (values["1.0.1.8.0.255"], values["1.0.1.7.0.255"], values["1.0.4.8.0.255"]) == (12048950, 545, 9801363)


def test_an_old_push_is_set_aside_unless_it_is_permitted() -> None:
    first, again = heard(E450 + E450, "austria", KEYS)
    assert isinstance(first, HanTelegram)
    assert isinstance(again, Discarded)
    permitted = heard(E450 + E450, "austria", KEYS, permitted=allow(Weakness.REPLAYED_TELEGRAM))
    assert all(isinstance(each, HanTelegram) for each in permitted)


def test_a_push_whose_rest_never_comes_is_set_aside_in_the_end() -> None:
    reader = HanReader(push_lists("austria"), KEYS)
    reader.receive(E450[:200], 0.0)
    assert reader.events() == []
    assert reader.deadline() is not None
    reader.finish()
    (found,) = reader.events()
    assert isinstance(found, Discarded)
    assert reader.deadline() is None


def test_what_is_ciphered_is_not_read_without_keys_nor_what_is_in_clear_with_keys() -> None:
    (found,) = heard(E450, "austria")
    assert isinstance(found, Discarded) and "encrypted" in str(found.error)
    (found,) = heard(AIDON, "norway", KEYS)
    assert isinstance(found, Discarded) and "in clear" in str(found.error)


def test_another_meter_and_another_key_are_set_aside() -> None:
    other = P1Keys(
        encryption_key=KEYS.encryption_key, authentication_key=KEYS.authentication_key, system_title=b"KFM12345"
    )
    assert all(isinstance(each, Discarded) for each in heard(E450, "austria", other))
    wrong = P1Keys(encryption_key=Key(bytes(16)), authentication_key=KEYS.authentication_key)
    assert all(isinstance(each, Discarded) for each in heard(E450, "austria", wrong))


def test_keys_without_one_for_authentication_need_permission() -> None:
    alone = P1Keys(encryption_key=KEYS.encryption_key, authentication_key=None)
    with pytest.raises(ConfigurationError, match="UNVERIFIED_CIPHERTEXT"):
        HanReader(push_lists("austria"), alone)
    HanReader(push_lists("austria"), alone, allow(Weakness.UNVERIFIED_CIPHERTEXT))


def test_a_line_joined_in_the_middle_and_a_damaged_frame() -> None:
    damaged = bytearray(AIDON)
    damaged[30] ^= 1
    reader = HanReader(push_lists("norway"))
    reader.receive(AIDON[20:] + bytes(damaged) + AIDON, 0.0)
    (found,) = reader.events()
    assert isinstance(found, HanTelegram)
    assert [each.quantity.value for each in found.values if each.quantity] == [Decimal(1661)]
    assert reader.counters["pushes"] == 1
    assert sum(reader.counters.values()) > 1
    assert reader.outgoing() == b""
