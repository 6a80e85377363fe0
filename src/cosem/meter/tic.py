"""A TIC output for a simulated meter: it sends frames of the meter's registers to whoever is connected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, Final

from cosem.io.aio import ListenLimits
from cosem.meter.device import Meter
from cosem.meter.one_way import SpeakingPort, has, quantity
from cosem.protocol.iec21.tic import Group, Mode, frame, labels
from cosem.protocol.model import Register
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.dates import daylight_saving

INTERVAL: Final = 2.0
"""Seconds between frames: a meter begins anew as soon as one has gone, which at 1200 baud takes about so long."""

STANDARD_BAUD: Final = 9600

DIGITS: Final = {
    Mode.HISTORIQUE: {"BASE": 9, "IINST": 3, "PAPP": 5},
    Mode.STANDARD: {
        **dict.fromkeys(("EAST", "EAIT", "ERQ1", "ERQ2", "ERQ3", "ERQ4"), 9),
        **dict.fromkeys(("IRMS1", "IRMS2", "IRMS3", "URMS1", "URMS2", "URMS3"), 3),
        **dict.fromkeys(("SINSTS", "SINSTS1", "SINSTS2", "SINSTS3", "SINSTI"), 5),
    },
}
"""What a frame tells of the meter's registers, as far as the meter has them, in this order, and in how many digits."""

_ADDRESS_DIGITS: Final = 12


def frame_of(meter: Meter, mode: Mode = Mode.HISTORIQUE) -> bytes:
    """Return a frame with the present values of a meter."""
    return frame(_groups(meter, mode))


class TicPort(SpeakingPort):
    """The TIC output of a meter at one place; it speaks standard mode on a line of 9600 baud, else historique.

    async with TicPort(meter, "tic+tcp://127.0.0.1:0") as port:
        print(port.url)

    Args:
        meter, url, interval, beyond_loopback, limits: as for `cosem.meter.one_way.SpeakingPort`.
        mode: None goes by the line.
    """

    NAME: ClassVar[str] = "the TIC output"
    FRAMING: ClassVar[str] = "tic"
    NOTICE: ClassVar[str] = "a TIC output tells everything to whoever is connected to it"

    def __init__(
        self,
        meter: Meter,
        url: str | ConnectionUrl,
        *,
        mode: Mode | None = None,
        interval: float = INTERVAL,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
    ) -> None:
        super().__init__(meter, url, interval=interval, beyond_loopback=beyond_loopback, limits=limits)
        usual = Mode.STANDARD if self._url.line[0] >= STANDARD_BAUD else Mode.HISTORIQUE
        self._mode = usual if mode is None else mode

    def _telegram(self) -> bytes:
        return frame_of(self.meter, self._mode)


def _groups(meter: Meter, mode: Mode) -> Iterator[Group]:
    address = re.sub("[^0-9]", "", meter.name)[-_ADDRESS_DIGITS:].zfill(_ADDRESS_DIGITS)
    if mode is Mode.STANDARD:
        yield Group("ADSC", address, mode=mode)
        yield Group("VTIC", "02", mode=mode)
        moment = meter.time()
        yield Group("DATE", "", f"{'E' if daylight_saving(moment) else 'H'}{moment:%y%m%d%H%M%S}", mode)
    else:
        yield Group("ADCO", address, mode=mode)
        yield Group("OPTARIF", "BASE", mode=mode)
    for label, digits in DIGITS[mode].items():
        known = labels()[label]
        assert known.obis is not None and known.unit is not None
        register = Register(known.obis)
        if has(meter, register):
            number = quantity(meter, register).to(known.unit).value.quantize(Decimal(1), ROUND_DOWN)
            yield Group(label, f"{number:0{digits}f}", mode=mode)
    if mode is Mode.HISTORIQUE:
        yield Group("MOTDETAT", "000000", mode=mode)
