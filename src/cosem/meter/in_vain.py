"""Faults that cannot befall a meter where it is served, and why: asked of its objects, its keys and its places."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from cosem.io.aio import Place
from cosem.meter.device import Meter
from cosem.meter.faults import DEVIATIONS, LINK_DEVIATIONS, OF_IMAGES, OF_PROTECTION
from cosem.meter.one_way import SpeakingPort
from cosem.protocol.model.classes.access_control import ImageTransfer

LOCAL: Final = "iec21"
"""The framing of a place at which clients speak something else than DLMS/COSEM."""

HDLC: Final = "hdlc"


class Where(NamedTuple):
    """A meter and the places where it is served."""

    meter: Meter
    places: Collection[Place]

    @property
    def framings(self) -> frozenset[str]:
        """The framings of the places where clients ask, and the meter answers, by DLMS/COSEM."""
        return frozenset(each.url.framing for each in self.places if not isinstance(each, SpeakingPort)) - {LOCAL}

    @property
    def keyed(self) -> bool:
        """Whether any association has keys."""
        offered = chain.from_iterable(device.associations for device in self.meter.devices.values())
        return any(association.keys is not None for association in offered)

    @property
    def protected(self) -> bool:
        """Whether keys are used anywhere: in associations, in pushes, or by a customer port that ciphers."""
        return self.associated or any(isinstance(each, SpeakingPort) and each.ciphered for each in self.places)

    @property
    def associated(self) -> bool:
        """Whether APDUs are said anywhere: to clients who ask, or in pushes, wherever those go."""
        return bool(self.framings) or self.meter.has_pushes

    @property
    def updated(self) -> bool:
        """Whether it takes firmware images."""
        held = chain.from_iterable(device.items() for device in self.meter.devices.values())
        return any(item.class_id == ImageTransfer.class_id for item in held)


Need: TypeAlias = tuple[Callable[[Where], bool], str]
"""What a fault takes, and what is said where that is missing."""

_ASKED: Final[Need] = (
    lambda where: bool(where.framings),
    "no client speaks DLMS/COSEM at these places; add one such as tcp://127.0.0.1:4059",
)
_SAID: Final[Need] = (lambda where: where.associated, _ASKED[1])
_IN_FRAMES: Final[Need] = (
    lambda where: HDLC in where.framings or where.meter.has_pushes,  # those go wherever a client says
    "it is of HDLC, which is spoken at none of these places; add one such as hdlc+tcp://127.0.0.1:4060",
)
_KEYED: Final[Need] = (
    lambda where: where.keyed,
    "no association of this meter has keys; take --security gmac, or describe or clone a meter that has some",
)
_PROTECTED: Final[Need] = (
    lambda where: where.protected,
    "nobody uses keys at these places; add one such as tcp://127.0.0.1:4059",
)
_UPDATED: Final[Need] = (
    lambda where: where.updated,
    "this meter has no image transfer (class 18); describe or clone one that has",
)
NEEDS: Final[Mapping[str, tuple[Need, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(("wrong_keys", "counter_back"), (_KEYED, _PROTECTED)),
        **dict.fromkeys(OF_IMAGES, (_UPDATED, _ASKED)),
        **dict.fromkeys(DEVIATIONS, (_ASKED,)),
        "octets_after_apdu": (_SAID,),
        **dict.fromkeys(OF_PROTECTION, (_KEYED, _SAID)),
        **dict.fromkeys(LINK_DEVIATIONS, (_IN_FRAMES,)),
    }
)
"""What faults and deviations take; all others can befall any line and any clock."""


def in_vain(meter: Meter, places: Collection[Place]) -> Iterator[tuple[str, str]]:
    """Give the faults of a meter, by their names, that cannot befall it at these places, with why and what to try."""
    where = Where(meter, places)
    yield from meter.faults.alone
    for name in meter.faults.named:
        missing = next((why for question, why in NEEDS.get(name, ()) if not question(where)), None)
        if missing is not None:
            yield name, missing
