"""No attribute that may hold a secret is given to others unless somebody has looked at it and said that it may."""

from __future__ import annotations

import pytest

from cosem.protocol.model.declare import REGISTRY
from cosem.protocol.model.private import Private, privacy
from cosem.protocol.values.obis import Obis

ANY_OBJECT = Obis("0.0.99.0.0.255")

SUSPICIOUS = ("key", "password", "secret", "pin_code", "pass_p", "pass_w", "certificate", "authentication_keys")

HARMLESS = {
    "adp_active_key_index": "which of the keys is in use",
    "key_expiry_number": "a number of the token standard",
    "key_revision_number": "a number of the token standard",
    "key_type": "a number of the token standard",
}
"""Names that speak of keys and hold none."""


def test_what_speaks_of_a_secret_is_one_or_was_looked_at() -> None:
    for (class_id, version), kind in REGISTRY.items():
        for index, attribute in kind.declared_attributes.items():
            if any(word in attribute.name for word in SUSPICIOUS) and attribute.name not in HARMLESS:
                assert privacy(class_id, version, ANY_OBJECT, index) is Private.SECRET, attribute.name


@pytest.mark.parametrize(
    ("class_id", "version", "code", "index", "why"),
    [
        (15, 1, "0.0.40.0.0.255", 7, Private.SECRET),
        (44, 0, "0.0.25.3.0.255", 5, Private.SECRET),
        (91, 1, "0.0.29.1.0.255", 5, Private.SECRET),
        (101, 0, "0.0.30.0.0.255", 11, Private.SECRET),
        (1, 0, "0.0.42.0.0.255", 2, Private.IDENTITY),
        (64, 1, "0.0.43.0.0.255", 5, Private.IDENTITY),
        (3, 0, "1.0.1.8.0.255", 2, None),
        (9000, 0, "0.0.128.0.0.255", 2, Private.UNDECLARED),
        (9000, 0, "0.0.128.0.0.255", 1, None),
    ],
)
def test_why(class_id: int, version: int, code: str, index: int, why: Private | None) -> None:
    assert privacy(class_id, version, Obis(code), index) is why
