"""Keys: every form of hex, no other length, and octets that nobody sees."""

from __future__ import annotations

import copy
import pickle

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.crypto.key import Key, Secret

HEX = "00112233445566778899AABBCCDDEEFF"


@pytest.mark.parametrize(
    "text",
    [
        HEX,
        HEX.lower(),
        f"0x{HEX}",
        f"0X{HEX.lower()}",
        "00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF",
        "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
        "00-11-22-33-44-55-66-77-88-99-AA-BB-CC-DD-EE-FF",
        "0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF",
        f"  {HEX}\n",
    ],
)
def test_hex_in_any_usual_form(text: str) -> None:
    assert Key.from_hex(text).reveal() == bytes.fromhex(HEX)


@pytest.mark.parametrize(
    "text", ["", "00", HEX[:-1], HEX[:-2], HEX + "0", HEX + "00", HEX[:-1] + "G", "key", "0x", HEX * 3, "０" * 32]
)
def test_anything_else_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Key.from_hex(text)
    assert len(text) < 8 or text not in str(refused.value)
    assert "32 hex digits" in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("size", [0, 15, 17, 24, 31, 33])
def test_a_key_has_16_or_32_octets(size: int) -> None:
    with pytest.raises(ConfigurationError, match="16 or 32 octets"):
        Key(bytes(size))


def test_equality_and_hash_go_by_the_octets() -> None:
    assert Key.from_hex(HEX) == Key.from_hex(HEX.lower())
    assert Key.from_hex(HEX) != Key(bytes(16))
    assert Key.from_hex(HEX) != bytes.fromhex(HEX)
    assert len({Key.from_hex(HEX), Key.from_hex(HEX)}) == 1
    assert Secret(b"00000001").equals(b"00000001")
    assert not Secret(b"00000001").equals(b"00000002")
    assert not Secret(b"")
    assert len(Secret(b"abc")) == 3


def test_a_key_stays_what_and_where_it_is() -> None:
    key = Key.from_hex(HEX)
    assert copy.copy(key) is key
    assert copy.deepcopy([key])[0] is key
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(LocalProtocolError, match="pickled"):
            pickle.dumps(key, protocol)
    with pytest.raises(LocalProtocolError):
        key._octets = b""
    with pytest.raises(LocalProtocolError):
        del key._octets
    assert not hasattr(key, "__dict__")


def test_the_fingerprint_names_a_key_without_telling_it() -> None:
    key = Key.from_hex(HEX)
    assert key.fingerprint == Key.from_hex(HEX).fingerprint
    assert key.fingerprint != Key(bytes(16)).fingerprint
    assert len(key.fingerprint) == 16
    assert key.fingerprint not in HEX.lower()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("000102030405060708090A0B0C0D0E0F", True),
        ("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF", True),
        (HEX, True),
        ("FFEEDDCCBBAA99887766554433221100", True),
        ("00" * 16, True),
        ("62" * 16, True),
        ("000102030405060708090A0B0C0D0E0F" * 2, True),
        ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", True),
        ("5FDE26FE7A1A36B6E1C0BA048FA9A023", False),
    ],
)
def test_sec_15_printed_keys_are_known(text: str, known: bool) -> None:
    assert Key.from_hex(text).well_known is known
