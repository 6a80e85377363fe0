"""The table [local]: how a meter behaves at its local port of IEC 62056-21 (see `cosem.meter.local.LocalPort`).

    [local]
    identification = 'KFM5\\2SHOP'       # left out: of the name, mode C, E where HDLC may follow, 9600 baud
    address = "12345678"                # left out: the digits of the name
    mode = "C"                          # A, B, C, D or E; left out: as the identification has it
    interval = 5                        # in mode D: seconds from one time that it speaks to the next
    client = 2                          # whose rights a readout has; left out: 16
    readout = ["0.0.96.1.0.255", "1.0.1.8.0.255"] # in this order; left out: all numbers and texts that it may read
    manufacturer = { 6 = ["1.0.32.7.0.255"] }     # readouts of the maker's own, by options 6 to 9
    partial_octets = 512                # longer readouts go in partial blocks; left out: none does
    block_check = "sum"                 # or absent; left out: xor
    wake_up = "normal"                  # or fast: it is woken before the sign-on; left out: none
    character_format = "8N1"            # left out: 7E1
    initial_baud = 9600                 # left out: 300
    reaction = 0.5                      # seconds before an answer, up to 1.5; left out: as the identification has it
    acknowledgement = 2                 # seconds in which an option is selected; then, unless unasked = false,
    unasked = true                      # it sends its data
    inactivity = 60                     # seconds of silence until it signs off
    inter_octet = 1.5                   # seconds until it gives up a message whose rest does not come
    repeats = 3                         # how often it asks again
    line_octets = 80                    # limits of a line, a block, and all partial blocks together
    block_octets = 65536
    total_octets = 1048576

What its URL says of it (`bcc`, `mode`, `address`, `wake`, `baud`, `format`) holds where the table does not say it. An
algorithm for passwords is code, and is given to `LocalPort` by a program. All that is wrong is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from cosem.errors import ConfigurationError
from cosem.io.serial_line import split_format
from cosem.meter.associations import PUBLIC_CLIENT
from cosem.meter.describe.words import named
from cosem.meter.device import Meter
from cosem.meter.item import Visit
from cosem.meter.local import LocalPort, shows
from cosem.protocol.iec21.message import BlockCheck, Identification, Mode, Option, SignOn
from cosem.protocol.iec21.settings import WakeUp
from cosem.protocol.model.gathered import Gathered
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis

T = TypeVar("T")


def add_local_port(meter: Meter, table: Table) -> None:
    """Have the local port of a table, of a meter whose objects and associations are all there.

    Raises ConfigurationError with everything that is wrong.
    """
    gathered = Gathered()
    port, settings = (_read(table, gathered, keys) for keys in (_PORT, _SETTINGS))
    if "interval" in port and port.get("mode") is not Mode.D:
        gathered.add(table.refusal("interval", "a meter speaks by itself in mode D alone"))
    shown = _Shown(meter, port.get("client", PUBLIC_CLIENT), gathered)
    if shown.visit is None:
        why = f"client {shown.client} has no association, whose rights a readout could have"
        gathered.add(table.refusal("client", why))
    for key, read in (("readout", shown.codes), ("manufacturer", shown.by_options)):
        if key in table:
            port[key] = gathered.take(partial(read, table, key))
    gathered.finish(table)
    gathered.check()
    described = LocalPort(**port, settings=settings)
    table.guarded(lambda: described.server_settings(meter, switches=True, binary=False))
    meter.local_port = described


def _read(table: Table, gathered: Gathered, keys: Mapping[str, Callable[[Table, str], Any]]) -> dict[str, Any]:
    found = {key: gathered.take(partial(read, table, key)) for key, read in keys.items() if key in table}
    return {key: value for key, value in found.items() if value is not None}


class _Shown:
    """What may be read out: objects of a meter that a client may read."""

    def __init__(self, meter: Meter, client: int, gathered: Gathered) -> None:
        self.client = client
        self._device = meter.management
        self._gathered = gathered
        association = self._device.association(client)
        self.visit = None if association is None else Visit(self._device, meter.time(), association)

    def by_options(self, table: Table, key: str) -> dict[Option, tuple[Obis, ...]]:
        """Return the objects by each option of a maker's own."""
        inner, found = table.table(key), dict[Option, tuple[Obis, ...]]()
        for option in _OF_MAKER:
            if option.value in inner:
                found[option] = self._gathered.take(partial(self.codes, inner, option.value), ())
        self._gathered.finish(inner)
        return found

    def codes(self, table: Table, key: str) -> tuple[Obis, ...]:
        """Return the objects of a list; what is wrong with any of them is gathered."""
        made = (
            self._gathered.take(partial(table.guarded, partial(self._code, each), key)) for each in table.sequence(key)
        )
        return tuple(code for code in made if code is not None)

    def _code(self, given: object) -> Obis:
        if not isinstance(given, str):
            raise ConfigurationError("expected OBIS codes, as texts")
        code = Obis(given)
        if self._device.find(code) is None:
            raise ConfigurationError(f"there is no object {code}")
        if self.visit is not None and not shows(self.visit, code):
            raise ConfigurationError(f"client {self.client}, who reads it out, may not read {code}")
        return code


def _text(check: Callable[[str], object]) -> Callable[[Table, str], str]:
    """Return what reads a text that something can be made of."""

    def read(table: Table, key: str) -> str:
        text = table.text(key)
        table.guarded(lambda: check(text), key)
        return text

    return read


def _word(words: Mapping[str, T]) -> Callable[[Table, str], T]:
    return lambda table, key: table.converted(key, named(words))


def _whole(least: int) -> Callable[[Table, str], int]:
    def read(table: Table, key: str) -> int:
        number = table.integer(key)
        if number < least:
            raise table.refusal(key, f"expected {least} or more, not {number}")
        return number

    return read


_OF_MAKER: Final = (
    Option.MANUFACTURER_6,
    Option.MANUFACTURER_7,
    Option.MANUFACTURER_8,
    Option.MANUFACTURER_9,
)

_PORT: Final[Mapping[str, Callable[[Table, str], Any]]] = {
    "identification": _text(Identification.of),
    "address": _text(SignOn),
    "mode": _word({each.value: each for each in Mode}),
    "client": _whole(1),
    "partial_octets": _whole(0),
    "interval": Table.seconds,
}
_SETTINGS: Final[Mapping[str, Callable[[Table, str], Any]]] = {
    "block_check": _word({each.value: each for each in BlockCheck}),
    "wake_up": _word({each.value: each for each in WakeUp}),
    "character_format": _text(split_format),
    "initial_baud": _whole(1),
    "unasked": lambda table, key: table.boolean(key, default=True),
    **dict.fromkeys(("reaction", "acknowledgement", "inactivity", "inter_octet"), Table.seconds),
    **dict.fromkeys(("line_octets", "block_octets", "total_octets"), _whole(8)),
    "repeats": _whole(0),
}
