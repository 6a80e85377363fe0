"""What the state of each kind of object is made of: a value that changes as a whole, and what only ever grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from cosem.meter.associations import AssociationDescription
from cosem.meter.behaviour.demand import Demand
from cosem.meter.behaviour.disconnect_control import Openings
from cosem.meter.behaviour.image_transfer import Image
from cosem.meter.behaviour.monitors import Limit
from cosem.meter.behaviour.payment import Supply
from cosem.meter.behaviour.payment_charge import Collected
from cosem.meter.behaviour.profile_generic import CapturedRows, Profile, SortedRows
from cosem.meter.behaviour.token_gateway import Tokens
from cosem.meter.item import Item
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.metrology import Calibration
from cosem.meter.rights import Rule
from cosem.protocol.crypto.key import Secret
from cosem.protocol.values.data import Structure


class Journal(NamedTuple):
    """What only ever grows.

    Attributes:
        of: the very thing that grows; another one is another journal.
        first, end: the numbers of its oldest entry and behind its newest one.
        part: makes a value of the entries from one number to another.
    """

    of: object
    first: int
    end: int
    part: Callable[[int, int], Any]


class Kept(NamedTuple):
    """The state of an object: its value, and its journal where it has one."""

    value: Any
    journal: Journal | None = None


class State(NamedTuple):
    """How the state of a kind is told, and taken up again from its value and the parts of its journal."""

    kept: Callable[[Any], Kept]
    recall: Callable[[LogicalDevice, Item, Any, Sequence[Any]], None]


def kept(item: Item) -> Kept | None:
    """Return the state of an object; None where it has none, or is described whole."""
    kind = cast("type[object]", type(item.state))
    state = STATES.get(kind)
    return None if state is None else state.kept(item.state)


def recall(device: LogicalDevice, item: Item, kind: str, value: Any, parts: Sequence[Any]) -> bool:
    """Give an object the state that it had; False where it is no object of that kind of state any more."""
    state = _BY_NAME.get(kind)
    if state is None or (type(item.state).__name__ != kind and kind in _DESCRIBED):
        return False
    state.recall(device, item, value, parts)
    return True


# -- associations ------------------------------------------------------------------------------------------------------


def of_association(association: AssociationDescription) -> Mapping[str, Any]:
    """Return what clients may change in an association; of temporary keys nothing, for they are not used again."""
    rights = association.rights
    changed: dict[str, Any] = {
        "protection": association.protection,
        "users": association.users,
        "rules": tuple((rule.objects, rule.access, rule.attribute) for rule in rights.rules),
        "hidden": rights.hidden,
    }
    if association.secret is None or isinstance(association.secret, Secret):
        changed["secret"] = association.secret
    if association.keys is not None and not association.keys.temporary:
        changed["keys"] = association.keys
    return changed


def association_of(described: AssociationDescription, kept: Mapping[str, Any]) -> AssociationDescription:
    """Return an association as clients have changed it."""
    changed = dict(kept)
    rules = tuple(Rule(*each) for each in changed.pop("rules"))
    rights = replace(described.rights, rules=rules, hidden=changed.pop("hidden"))
    return replace(described, rights=rights, **changed)


# -- values that change as a whole ----------------------------------------------------------------------------------


def _whole(_: LogicalDevice, item: Item, value: Any, __: Sequence[Any]) -> None:
    item.state = value


def _demand(demand: Demand) -> Kept:
    return Kept((demand.began, demand.kept))


def _recall_demand(_: LogicalDevice, item: Item, value: Any, __: Sequence[Any]) -> None:
    began, last = value
    item.state = replace(cast("Demand", item.state), began=began, kept=last)


def _supply(supply: Supply) -> Kept:
    return Kept((supply.low, supply.out))


def _recall_supply(_: LogicalDevice, item: Item, value: Any, __: Sequence[Any]) -> None:
    low, out = value
    before = item.state if isinstance(item.state, Supply) else Supply()
    item.state = replace(before, low=low, out=out)


def _tokens(tokens: Tokens) -> Kept:
    return Kept(tokens.serial)


def _recall_tokens(_: LogicalDevice, item: Item, value: Any, __: Sequence[Any]) -> None:
    item.state = replace(cast("Tokens", item.state), serial=value)


# -- profiles ---------------------------------------------------------------------------------------------------------


def _profile(profile: Profile) -> Kept:
    source = profile.source
    if isinstance(source, SortedRows):  # whose rows are put in anywhere
        return Kept((source.changes, source.looked, tuple(map(Structure, source.held))))
    if not isinstance(source, CapturedRows):
        return Kept(())
    rows, end = source.held, int(source.changes)
    first = end - len(rows)

    def part(begin: int, behind: int) -> list[Structure]:
        return [Structure(rows[at - first]) for at in range(begin, behind)]

    return Kept(source.looked, Journal(source, first, end, part))


def _recall_profile(device: LogicalDevice, item: Item, value: Any, parts: Sequence[Any]) -> None:
    source = cast("Profile", item.state).source
    if not isinstance(source, CapturedRows) or not value:
        return
    rows = [row for part in parts for row in part]
    looked = value
    if isinstance(source, SortedRows):
        _, looked, rows = value
    source.recall(map(tuple, rows), looked, device.zone)


# -- breakers ---------------------------------------------------------------------------------------------------------


def _openings(openings: Openings) -> Kept:
    changes = openings.changes

    def part(begin: int, behind: int) -> list[datetime]:
        return changes[begin:behind]

    return Kept((), Journal(changes, 0, len(changes), part))


def _recall_openings(device: LogicalDevice, item: Item, __: Any, parts: Sequence[Any]) -> None:
    item.state = Openings(change for part in parts for change in part)
    if item.state.changes:
        device.measure_truly()


# -- images -----------------------------------------------------------------------------------------------------------


def _image(image: Image) -> Kept:
    value = (image.identifier, image.size, image.block_size, image.status, image.until)
    arrived = image.arrived

    def part(begin: int, behind: int) -> list[tuple[int, bytes]]:
        return [(number, image.block(number)) for number in arrived[begin:behind]]

    return Kept(value, Journal(arrived, 0, len(arrived), part))


def _recall_image(_: LogicalDevice, item: Item, value: Any, parts: Sequence[Any]) -> None:
    identifier, size, block_size, status, until = value
    image = Image(identifier, size, block_size)
    for part in parts:
        for number, octets in part:
            image.take(number, octets)
    image.status, image.until = status, until
    item.state = image


STATES: Final[Mapping[type, State]] = MappingProxyType(
    {
        **dict.fromkeys((Calibration, Collected, Limit, tuple), State(Kept, _whole)),
        Supply: State(_supply, _recall_supply),
        Tokens: State(_tokens, _recall_tokens),
        Demand: State(_demand, _recall_demand),
        Image: State(_image, _recall_image),
        Openings: State(_openings, _recall_openings),
        Profile: State(_profile, _recall_profile),
    }
)
"""By the type of `Item.state`."""

_BY_NAME: Final = MappingProxyType({kind.__name__: state for kind, state in STATES.items()})

_DESCRIBED: Final = frozenset({Demand.__name__, Openings.__name__, Profile.__name__, Tokens.__name__})
"""Kinds of state that an object has from its description on, or never."""
