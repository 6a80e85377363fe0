"""Key wrap against RFC 3394."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import SecurityError
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.wrap import unwrap, wrap

CASES: list[dict[str, str]] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "security.json").read_text(encoding="utf-8")
)["key_wraps"]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def parts(case: dict[str, Any]) -> tuple[Key, Key, bytes]:
    return Key.from_hex(case["key_encrypting_key"]), Key.from_hex(case["key"]), bytes.fromhex(case["wrapped"])


@each
def test_vector_both_ways(case: dict[str, str]) -> None:
    key_encrypting_key, key, wrapped = parts(case)
    assert wrap(key_encrypting_key, key) == wrapped
    assert unwrap(key_encrypting_key, wrapped) == key


@each
def test_sec_11_what_does_not_verify_gives_no_key(case: dict[str, str]) -> None:
    key_encrypting_key, key, wrapped = parts(case)
    for place in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[place] ^= 1
        with pytest.raises(SecurityError, match="does not open"):
            unwrap(key_encrypting_key, bytes(altered))
    for size in range(len(wrapped)):
        with pytest.raises(SecurityError):
            unwrap(key_encrypting_key, wrapped[:size])
    with pytest.raises(SecurityError):
        unwrap(key, wrapped)
