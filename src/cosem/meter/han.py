"""The customer (HAN) port of a simulated meter: it pushes the lists of its country to whoever is connected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

from cosem.errors import ConfigurationError
from cosem.io.aio import ListenLimits
from cosem.meter.device import Meter
from cosem.meter.han_lists import ListSpeaker, SetupSpeaker, lists_of, security_of
from cosem.meter.item import Item
from cosem.meter.one_way import SpeakingPort
from cosem.protocol.model.companion import companion
from cosem.protocol.model.han import HanRule, Sealed
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

SETUP_INTERVAL: Final = 10.0
"""Seconds between pushes of a described push setup, which says itself when it pushes elsewhere, and not how often."""

USUAL: Final = "norway:kaifa"
"""Whose lists a meter says where neither its companion nor anybody else tells."""

_PUSH_SETUP: Final = 40


class HanPort(SpeakingPort):
    """The customer port of a meter at one place.

    async with HanPort(meter, "han+tcp://127.0.0.1:0?lists=norway:aidon") as port:
        print(port.url)

    What it says is told by `lists` in the URL: `companion:port` (as `sweden:kamstrup`), a port of the meter's own
    companion (as `kamstrup`), or the logical name of a push setup of the meter. Left out, it is the first port of
    the companion, or that of a Norwegian Kaifa.

    Args:
        meter, url, beyond_loopback, limits: as for `cosem.meter.one_way.SpeakingPort`.
        interval: seconds between looks at what is due; left out, those of the list that comes most often.

    Raises:
        ConfigurationError: there are no such lists, or the meter has nothing that they tell.
    """

    NAME: ClassVar[str] = "a HAN port"
    FRAMING: ClassVar[str] = "han"
    NOTICE: ClassVar[str] = "a HAN port tells everything to whoever is connected to it"

    def __init__(
        self,
        meter: Meter,
        url: str | ConnectionUrl,
        *,
        interval: float | None = None,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
    ) -> None:
        place = ConnectionUrl.parse(url) if isinstance(url, str) else url
        self._told = found = _told(meter, place.lists if place.framing == "han" else USUAL)
        usual = SETUP_INTERVAL if isinstance(found, Item) else min(each.every for each in lists_of(meter, found[1]))
        if place.framing == "han" and not isinstance(found, Item):
            place = replace(place, lists=f"{found[0]}:{found[1].name}" if found[0] else found[1].name)
        self.meter = meter  # by which it is told whether it may be served here
        self._security = None if isinstance(found, Item) else security_of(meter, found[1])
        super().__init__(meter, place, interval=interval or usual, beyond_loopback=beyond_loopback, limits=limits)

    @property
    def ciphered(self) -> bool:
        """Whether what it says is protected by the meter's keys."""
        if isinstance(self._told, Item):
            return self.meter.pushes.spoken(self.meter.management, self._told)[1] is not None
        return self._security is not None

    @property
    def authenticated(self) -> bool:
        """Whether whoever reads it needs the authentication key too."""
        return self.ciphered and (isinstance(self._told, Item) or self._told[1].protection is Sealed.AUTHENTICATED)

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts it should be told."""
        if self.ciphered and not self.authenticated:
            return ("what this HAN port says is encrypted and not authenticated: whoever is on the line can alter it",)
        if self.ciphered:
            return ()
        if not isinstance(self._told, Item) and self._told[1].protection is not Sealed.NONE:
            return (
                self.NOTICE,
                f"the port {self._told[1].name} is ciphered where the meter has keys; this one has none",
            )
        return super().notices

    @property
    def _demonstration(self) -> bool:
        return self.ciphered and self.meter.demonstration

    def _telegram(self) -> bytes:
        return self._speech()()

    def _speech(self) -> Callable[[], bytes]:
        if isinstance(self._told, Item):
            return SetupSpeaker(self.meter, self._told).telegram
        return ListSpeaker(self.meter, self._told[1], self._security).telegram


def _told(meter: Meter, lists: str | None) -> Item | tuple[str, HanRule]:
    """Return the push setup, or the port with its companion's name (none for one that comes with the meter)."""
    if lists is None:
        return ("", meter.customer_ports[0]) if meter.customer_ports else _told(meter, USUAL)
    country, colon, name = lists.partition(":")
    if colon:
        return country, companion(country).han_port(name)
    own = next((each for each in meter.customer_ports if each.name == lists), None)
    if own is not None:
        return "", own
    try:
        code = Obis(lists)
    except ConfigurationError:
        there = ", ".join(each.name for each in meter.customer_ports) or "none"
        raise ConfigurationError(
            f"lists={lists}: write companion:port, as {USUAL}, or a push setup; the meter's own companion has {there}"
        ) from None
    item = meter.management.find(code)
    if item is None or item.class_id != _PUSH_SETUP:
        raise ConfigurationError(f"lists={lists}: the meter has no push setup of this name")
    return item
