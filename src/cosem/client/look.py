"""What there is to see of a meter from inside an association: who it is, how it is, and what it lets us read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cosem.client.access import Access
from cosem.client.browse import CURRENT_ASSOCIATION, LOGICAL_DEVICE_NAME, readable
from cosem.client.clock import Now, read_clock
from cosem.client.recognise import Speech
from cosem.client.services import Services
from cosem.client.verdict import Found, Identity
from cosem.errors import CosemError, DataAccessError, ShapeError
from cosem.protocol.association.context import Naming
from cosem.protocol.dialect import known_of
from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.model.declare import object_for
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.maker import LETTERS, maker_of
from cosem.protocol.values.obis import Obis

FIRMWARE: Final = tuple(map(Obis, ("1.0.0.2.0.255", "0.0.0.2.0.255", "0.0.0.2.1.255", "1.0.0.2.8.255")))
HEALTH: Final = (97, 98)
"""Value group D of the error and of the alarm objects; C is 97."""


async def look(
    url: ConnectionUrl, access: Access, services: Services, speech: Speech, *, tell: Callable[[str], object], now: Now
) -> Found:
    """Read who the meter is, how it is, and what it lets us read; what it refuses is left out."""
    options = ("--naming sn",) if access.naming is Naming.SHORT_NAMES else ()
    given = bool(access.mechanism.identifier or access.secured)
    found = Found(url, speech, options=options, given=given, entered=True)
    try:
        name = _text(await _value(services, LOGICAL_DEVICE_NAME.value))
        maker = None if name is None else maker_of(name.encode("latin-1", "replace"))
        found = replace(found, identity=Identity(name, maker), options=found.options + _dialect(name))
        listed = await services.objects(AssociationLN(CURRENT_ASSOCIATION))
        there = {each.logical_name for each in listed}
        allowed = [readable(each, object_for(each.class_id, each.version, each.logical_name)) for each in listed]
        found = replace(found, objects=len(listed), readable=sum(map(len, allowed)))
        firmware = [_text(await _value(services, Data(each).value)) for each in FIRMWARE if each in there]
        identity = replace(found.identity, firmware=next(filter(None, firmware), None))
        wanted = [each.logical_name for each in listed if each.class_id == Data.class_id and _is_health(each)]
        health = tuple([(each, await _value(services, Data(each).value)) for each in wanted])
        found = replace(found, identity=identity, health=health)
        return replace(found, clock=(await read_clock(services, None, now=now)).offset)
    except CosemError as error:
        tell(f"  {error}")
        return found


def _dialect(name: str | None) -> tuple[str, ...]:
    """Name the dialect where any meter of this maker is known for one, so that nobody has to find out twice."""
    letters = (name or "")[:LETTERS].upper()
    known = {f"--dialect {each.name}" for each in known_of(letters)}
    return ("if something fails, " + " or ".join(sorted(known)),) if known else ()


def _is_health(listed: ObjectListElement) -> bool:
    instance = listed.logical_name
    return instance.a == 0 and instance.c == 97 and instance.d in HEALTH


async def _value(services: Services, reference: Any) -> Any:
    try:
        return await services.get(reference)
    except (DataAccessError, ShapeError):
        return None


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return bytes(value).decode("latin-1").rstrip("\0 ") if value else None
    return value if isinstance(value, str) else None
