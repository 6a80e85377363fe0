"""What `job_todo` and `tag_job_todo` say of a meter of Elgama: a data set, and one value in it.

The file by which the driver that these tables come from maps its jobs is not public, so the words are ours. GAMA 300
and 100 have `registers`, whose tag is an OBIS code that `cosem.protocol.elgama.gama` knows or a short name such as
0x3A08, and `clock`. EPQS and EPQM/LZQM (EXPERIMENTAL) have the tables of `cosem elgama`, under the names it prints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError
from cosem.protocol.elgama import gama, models
from cosem.protocol.values.obis import Obis

_NUMBER: Final = r"[0-9]{1,9}"
_SHORT_NAME: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,4}")


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: what stands behind its name, and what its values are called, in words and as a form."""

    numbers: tuple[str, ...]
    tags: str
    form: str

    def written(self, word: str) -> str:
        """Return it as a person writes it."""
        return ":".join((word, *self.numbers))


_CLOCK: Final = DataSet((), "local time or interval", "local time|interval")
_OCTETS: Final = "octets"
_EPQS: Final[Mapping[str, DataSet]] = MappingProxyType(
    {
        "clock": _CLOCK,
        "model": DataSet((), _OCTETS, _OCTETS),
        "daily": DataSet(("PERIOD", "CHANNEL"), "period P, tariff T", rf"period {_NUMBER}, tariff {_NUMBER}"),
        "monthly": DataSet(("PERIOD", "CHANNEL"), "period P, tariff T", rf"period {_NUMBER}, tariff {_NUMBER}"),
        "profile": DataSet(("CHANNEL", "INDEX"), "number N", rf"number {_NUMBER}"),
        "events": DataSet(("INDEX",), "record N", rf"record {_NUMBER}"),
    }
)
_EPQM: Final[Mapping[str, DataSet]] = MappingProxyType(
    {
        "clock": _CLOCK,
        "daily": DataSet(("NUMBER",), "record N", rf"record {_NUMBER}"),
        "monthly": DataSet(("NUMBER",), "record N", rf"record {_NUMBER}"),
        "profile": DataSet(("CHANNEL", "DAY"), _OCTETS, _OCTETS),
        "power-fails": DataSet((), _OCTETS, _OCTETS),
        "phase-fails": DataSet((), _OCTETS, _OCTETS),
    }
)
_GAMA: Final[Mapping[str, DataSet]] = MappingProxyType(
    {
        "registers": DataSet((), "an OBIS code or a short name such as 0x3A08", r".+"),
        "clock": DataSet((), "local time", "local time"),
    }
)

DATA_SETS: Final[Mapping[str, Mapping[str, DataSet]]] = MappingProxyType(
    {"epqs": _EPQS, "epqm": _EPQM, "gama300": _GAMA, "gama100": _GAMA}
)
"""What each model has, by its word."""


def short_name(model: str, tag: str) -> int:
    """Return the short name of the value that a tag of `registers` means. Raises ConfigurationError."""
    if _SHORT_NAME.fullmatch(tag):
        return int(tag, 16)
    obis = Obis(tag)
    known = {each.obis: each.short_name for each in gama.registers(model)}
    if obis not in known:
        raise ConfigurationError(f"{obis} is not known of this model: write its short name, as in 0x3A08")
    return known[obis]


def check_job(meter_model: int, job: str) -> None:
    """Raise ConfigurationError for a data set that the model does not have."""
    known = DATA_SETS[models.NUMBERS[str(meter_model)]]
    word, *numbers = job.split(":")
    found = known.get(word.lower())
    allowed = ", ".join(each.written(name) for name, each in known.items())
    if found is None:
        raise ConfigurationError(f"it is none of {allowed}")
    if len(numbers) != len(found.numbers) or not all(re.fullmatch(_NUMBER, each) for each in numbers):
        raise ConfigurationError(f"it is written {found.written(word)} with decimal numbers")


def check_tag(meter_model: int, job: str, tag: str) -> None:
    """Raise ConfigurationError for a value that the data set does not have."""
    model = models.NUMBERS[str(meter_model)]
    found = DATA_SETS[model][job.partition(":")[0].lower()]
    if not re.fullmatch(found.form, tag):
        raise ConfigurationError(f"it is none of this data set: {found.tags}")
    if found is _GAMA["registers"]:
        short_name(model, tag)
