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

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar, cast

from cosem.errors import ConfigurationError
from cosem.io.serial_line import split_format
from cosem.meter.associations import PUBLIC_CLIENT
from cosem.meter.describe.words import named
from cosem.meter.device import Meter
from cosem.meter.item import Visit
from cosem.meter.local import LocalPort, shows
from cosem.protocol.iec21.message import BlockCheck, Identification, Mode, Option, SignOn
from cosem.protocol.iec21.settings import WakeUp
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis

T = TypeVar("T")


def add_local_port(meter: Meter, table: Table) -> None:
    """Have the local port of a table, of a meter whose objects and associations are all there.

    Raises ConfigurationError with everything that is wrong.
    """
    _Reading(meter, table).finish()


class _Reading:
    """What a table says so far, and what is wrong with it."""

    def __init__(self, meter: Meter, table: Table) -> None:
        self._meter = meter
        self._table = table
        self._faults: list[str] = []
        self._port = self._read(_PORT)
        self._settings = self._read(_SETTINGS)
        self._client = self._port.get("client", PUBLIC_CLIENT)
        association = meter.management.association(self._client)
        if association is None:
            self._refuse("client", f"client {self._client} has no association, whose rights a readout could have")
        self._visit = None if association is None else Visit(meter.management, meter.time(), association)
        for key, read in (("readout", self._codes), ("manufacturer", self._options)):
            if key in table:
                self._port[key] = self._tried(partial(read, table, key))

    def finish(self) -> None:
        """Give the meter its port, or say what is wrong."""
        meter, table = self._meter, self._table
        self._faults += map(str, table.strangers())
        if "interval" in self._port and self._port.get("mode") is not Mode.D:
            self._refuse("interval", "a meter speaks by itself in mode D alone")
        if not self._faults:
            port = LocalPort(**self._port, settings=self._settings)
            self._tried(lambda: table.guarded(lambda: port.server_settings(meter, switches=True, binary=False)))
            meter.local_port = port
        if len(self._faults) == 1:
            raise ConfigurationError(self._faults[0])
        if self._faults:
            told = "".join(f"\n  {each}" for each in self._faults)
            raise ConfigurationError(f"{len(self._faults)} things are wrong:{told}")

    def _read(self, keys: Mapping[str, Callable[[Table, str], Any]]) -> dict[str, Any]:
        found = {key: self._tried(partial(read, self._table, key)) for key, read in keys.items() if key in self._table}
        return {key: value for key, value in found.items() if value is not None}

    def _tried(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ConfigurationError as error:
            self._faults.append(str(error))
            return None

    def _refuse(self, key: str, why: str) -> None:
        self._faults.append(str(self._table.refusal(key, why)))

    def _options(self, table: Table, key: str) -> dict[Option, tuple[Obis, ...]]:
        inner, found = table.table(key), dict[Option, tuple[Obis, ...]]()
        for option in _OF_MAKER:
            if option.value in inner:
                codes = self._tried(partial(self._codes, inner, option.value))
                found[option] = codes or ()
        self._faults += map(str, inner.strangers())
        return found

    def _codes(self, table: Table, key: str) -> tuple[Obis, ...]:
        """Return the objects of a list, which must be there."""
        found: list[Obis] = []
        for each in table.sequence(key):
            code = self._tried(partial(table.guarded, partial(self._code, each), key))
            found += [] if code is None else [code]
        return tuple(found)

    def _code(self, given: object) -> Obis:
        if not isinstance(given, str):
            raise ConfigurationError("expected OBIS codes, as texts")
        code = Obis(given)
        if self._meter.management.find(code) is None:
            raise ConfigurationError(f"there is no object {code}")
        if self._visit is not None and not shows(self._visit, code):
            raise ConfigurationError(f"client {self._client}, who reads it out, may not read {code}")
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


def _seconds(table: Table, key: str) -> float:
    number = table.given(key, lambda given: given)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise table.refusal(key, "expected seconds, more than 0")
    return float(cast("float", number))


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
    "interval": _seconds,
}
_SETTINGS: Final[Mapping[str, Callable[[Table, str], Any]]] = {
    "block_check": _word({each.value: each for each in BlockCheck}),
    "wake_up": _word({each.value: each for each in WakeUp}),
    "character_format": _text(split_format),
    "initial_baud": _whole(1),
    "unasked": lambda table, key: table.boolean(key, default=True),
    **dict.fromkeys(("reaction", "acknowledgement", "inactivity", "inter_octet"), _seconds),
    **dict.fromkeys(("line_octets", "block_octets", "total_octets"), _whole(8)),
    "repeats": _whole(0),
}
