"""Frozen values of a meter as JSON and back: a value that JSON does not have is an object with one name, its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from cosem.errors import ConfigurationError, CosemError
from cosem.meter.associations import Keys
from cosem.meter.behaviour.clock import Preset
from cosem.meter.behaviour.monitors import Limit
from cosem.meter.behaviour.payment_charge import Collected
from cosem.meter.behaviour.registers import Stretch
from cosem.meter.memory.drawn import Drawn, SigningKeys
from cosem.meter.metrology import Calibration
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import Protection
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.certificate import Certificate, Use
from cosem.protocol.crypto.elliptic import CURVES, PrivateKey, PublicKey
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.model.classes.access_control import ImageTransferStatus, User
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.data import (
    Array,
    Bcd,
    BitString,
    CompactArray,
    Data,
    DontCare,
    Float32,
    Float64,
    Number,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis, ObisPattern


def plain(value: Any) -> Any:
    """Return a value for JSON. Raises ConfigurationError for one that has no form, such as a key in a ring."""
    kind = cast("type[object]", type(value))
    if value is None or kind in (bool, int, str):
        return value
    for form in _FORMS:
        if issubclass(kind, form.of):
            return {form.name: form.plain(value)}
    if kind in _RECORDS.values():
        given = (
            each.name for each in fields(_RECORDS[kind.__name__]) if each.init
        )  # what follows from it is made anew
        return {f"={kind.__name__}": {name: plain(getattr(value, name)) for name in given}}
    if issubclass(kind, (tuple, list)):
        return [plain(each) for each in value]
    if issubclass(kind, Mapping):
        return {"map": [[plain(key), plain(each)] for key, each in value.items()]}
    if issubclass(kind, frozenset):
        return {"set": [plain(each) for each in value]}
    raise ConfigurationError(f"a value of type {kind.__name__} cannot be kept over a restart")


def value_of(found: Any) -> Any:
    """Return what `plain` was given, sequences as tuples. Raises ConfigurationError for what is none of ours."""
    kind = cast("type[object]", type(found))
    if kind is list:
        return tuple(value_of(each) for each in found)
    if kind is not dict:
        return found
    try:
        ((name, inside),) = found.items()
        if name == "map":
            return MappingProxyType({value_of(key): value_of(each) for key, each in inside})
        if name == "set":
            return frozenset(value_of(each) for each in inside)
        if name.startswith("="):
            return _RECORDS[name[1:]](**{field: value_of(each) for field, each in inside.items()})
        return _BY_NAME[name].value(inside)
    except ConfigurationError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, CosemError) as error:
        raise ConfigurationError(f"this is nothing that a meter keeps: {error}") from error


DATA: Final = (
    *(Number, Float32, Float64, OctetString, VisibleString, Utf8String, BitString),
    *(Array, Structure, CompactArray, DontCare, Bcd, Date, DateTime, Time),
)
"""What is Data and nothing else; true, false and null-data are themselves."""


class _Form(NamedTuple):
    name: str
    of: type | tuple[type, ...]
    plain: Callable[[Any], Any]
    value: Callable[[Any], Any]


def _enumeration(kind: type[Enum]) -> _Form:
    return _Form(kind.__name__, kind, _of_enumeration, kind)


def _of_enumeration(member: Enum) -> Any:
    return member.value


def _of_data(value: Data) -> str:
    return axdr.encode(value).hex()


def _data(text: str) -> Data:
    return axdr.decode_all(bytes.fromhex(text))


def _of_pair(key: PrivateKey | PublicKey) -> list[str]:
    return [key.curve.name, (key.reveal() if isinstance(key, PrivateKey) else key.octets).hex()]


_CURVES: Final = {curve.name: curve for curve in CURVES}


def _private(pair: list[str]) -> PrivateKey:
    return PrivateKey(_CURVES[pair[0]], bytes.fromhex(pair[1]))


def _public(pair: list[str]) -> PublicKey:
    return PublicKey(_CURVES[pair[0]], bytes.fromhex(pair[1]))


def _of_secret(secret: Secret) -> str:
    return secret.reveal().hex()


def _key(text: str) -> Key:
    return Key(bytes.fromhex(text))


def _secret(text: str) -> Secret:
    return Secret(bytes.fromhex(text))


def _of_certificate(certificate: Certificate) -> str:
    return certificate.octets.hex()


def _certificate(text: str) -> Certificate:
    return Certificate.decode(bytes.fromhex(text))


def _of_octets(octets: bytes) -> str:
    return octets.hex()


def _of_time(time: datetime) -> str:
    return time.isoformat()


def _of_duration(duration: timedelta) -> list[int]:
    return [duration.days, duration.seconds, duration.microseconds]


def _duration(parts: list[int]) -> timedelta:
    return timedelta(parts[0], parts[1], parts[2])


_FORMS: Final = (
    _enumeration(Protection),
    _enumeration(Use),
    _enumeration(ImageTransferStatus),
    _enumeration(AttributeAccess),
    _Form("pattern", ObisPattern, str, ObisPattern),
    _Form("data", DATA, _of_data, _data),
    _Form("obis", Obis, str, Obis),
    _Form("certificate", Certificate, _of_certificate, _certificate),
    _Form("private", PrivateKey, _of_pair, _private),
    _Form("public", PublicKey, _of_pair, _public),
    _Form("key", Key, _of_secret, _key),
    _Form("secret", Secret, _of_secret, _secret),
    _Form("octets", bytes, _of_octets, bytes.fromhex),
    _Form("time", datetime, _of_time, datetime.fromisoformat),
    _Form("duration", timedelta, _of_duration, _duration),
    _Form("fraction", Fraction, str, Fraction),
    _Form("decimal", Decimal, str, Decimal),
    _Form("float", float, float.hex, float.fromhex),
)
"""The first that fits counts: a private key is a secret, and an enumeration of numbers a number."""

_BY_NAME: Final = MappingProxyType({form.name: form for form in _FORMS})

_RECORDS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (Calibration, Collected, Drawn, GeneralKeys, Keys, Limit, Preset, SigningKeys, Stretch, User)
    }
)
