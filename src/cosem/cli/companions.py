"""The option `--companion`: a companion specification by name, or a file of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from cosem.errors import ConfigurationError
from cosem.io.text_file import text_of
from cosem.protocol.model import catalogue
from cosem.protocol.model.companion import Companion, companion, load, names
from cosem.protocol.values.obis import Obis

SUFFIX: Final = ".toml"

Named = Annotated[
    str | None,
    typer.Option(
        "--companion",
        metavar="NAME|FILE",
        help="Companion specification that gives names: one that comes along, such as dsmr-4.2.2, or a TOML file.",
        show_default=False,
    ),
]


Naming: TypeAlias = Callable[[Obis], str]
"""What names an object."""


def naming(found: Companion | None) -> Naming:
    """Return what names an object: the companion, or the catalogue where there is none."""
    return (lambda code: catalogue.lookup(code).name) if found is None else (lambda code: found.describe(code).name)


def chosen(text: str) -> Companion:
    """Return the companion that a person named, or that a file describes; ConfigurationError says which there are."""
    if text in names():
        return companion(text)
    path = Path(text)
    if not text.endswith(SUFFIX) and not path.is_file():
        raise ConfigurationError(
            f"{text!r} is neither a file nor a companion that comes along; these are {', '.join(names())}"
        )
    return load(text_of(path), text)
