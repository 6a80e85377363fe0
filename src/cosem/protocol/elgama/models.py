"""The five models of Elgama drivers by their numbers there, and which of them speak the byte protocol (EXPERIMENTAL).

models.named("epqs", experimental=True)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the byte protocol: `number` as drivers count them; its rolling counter runs below `modulus`."""

    word: str
    title: str
    number: int
    modulus: int
    table_octets: int


EPQM: Final = Model("epqm", "EPQM/LZQM", 0, 256, 2)
EPQS: Final = Model("epqs", "EPQS", 1, 9, 3)

MODELS: Final[Mapping[str, Model]] = MappingProxyType({"epqm": EPQM, "lzqm": EPQM, "epqs": EPQS})

_ELSEWHERE: Final = (
    "{model} speaks DLMS by short names: open hdlc+tcp or hdlc+serial with the parameters that "
    "cosem.protocol.elgama.gama gives for its serial number, and read by --naming sn"
)
_UNKNOWN: Final = "ITS cl: nothing is public about its protocol, so it cannot be read; a description of it would help"
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gama100": _ELSEWHERE.format(model="GAMA 100"),
        "gama300": _ELSEWHERE.format(model="GAMA 300"),
        "its": _UNKNOWN,
        "its-cl": _UNKNOWN,
        "itscl": _UNKNOWN,
    }
)
"""Models that are not read by the byte protocol, and why."""

NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {"0": "epqm", "1": "epqs", "2": "gama300", "3": "gama100", "4": "its-cl"}
)
"""The `meter_model` of drivers."""

EXPERIMENTAL: Final = (
    "the byte protocol of Elgama EPQS and EPQM/LZQM is experimental: it rests on four captured frames and one "
    "implementation, and values may be wrong; say experimental=yes to use it all the same"
)


def named(word: str, *, experimental: bool = False) -> Model:
    """Return the model of a word, or of its `meter_model` number; EXPERIMENTAL, so that it has to be permitted.

    Raises ConfigurationError for a model that is not read this way, and without permission.
    """
    word = word.lower().replace(" ", "-").replace("_", "-")
    word = NUMBERS.get(word, word)
    if word in REFUSED:
        raise ConfigurationError(REFUSED[word])
    model = MODELS.get(word)
    if model is None:
        raise ConfigurationError(f"model {word[:20]!r} is not known: write epqs or epqm")
    if not experimental:
        raise ConfigurationError(EXPERIMENTAL)
    return model
