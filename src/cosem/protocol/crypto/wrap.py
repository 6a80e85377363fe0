"""AES key wrap (RFC 3394), by which a new key travels under the key-encrypting (master) key."""

from __future__ import annotations

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from cosem.errors import ConfigurationError, SecurityError
from cosem.protocol.crypto.key import Key

GROWTH = 8
"""How many octets a wrapped key has more than the key."""


def wrap(key_encrypting_key: Key, key: Key) -> bytes:
    """Return `key` wrapped: 8 octets longer than the key itself."""
    return aes_key_wrap(key_encrypting_key.reveal(), key.reveal())


def unwrap(key_encrypting_key: Key, wrapped: bytes) -> Key:
    """Return the key inside `wrapped`, or raise SecurityError when it was not wrapped under this key."""
    try:
        return Key(aes_key_unwrap(key_encrypting_key.reveal(), wrapped))
    except (InvalidUnwrap, ConfigurationError):
        raise SecurityError("the wrapped key does not open: another key-encrypting key, or altered octets") from None
