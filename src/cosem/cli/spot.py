"""Where `cosem simulate` serves a meter, and where whoever reads it finds it: the two ends of a line differ."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from cosem.errors import ConfigurationError
from cosem.io.aio.pseudo_terminal import FORMAT, PseudoTerminal
from cosem.protocol.profile.address import ConnectionUrl

_OWN_LINE: Final = re.compile(r"([a-z0-9]+)\+pty:(?://)?(\?.*)?", re.IGNORECASE)
_NO_METER: Final = "elgama"


@dataclass(frozen=True, slots=True)
class Spot:
    """One place: the URL where the meter is served, and the line that was opened for it, if any."""

    url: ConnectionUrl
    line: PseudoTerminal | None = None

    @property
    def local(self) -> bool:
        """Whether no other machine can reach it, whatever its URL looks like."""
        return self.line is not None

    def seen(self, served: ConnectionUrl) -> ConnectionUrl:
        """Return the URL for whoever reads what is served there."""
        return served if self.line is None else replace(served, path=self.line.far)


@contextmanager
def spots(texts: Iterable[str]) -> Generator[tuple[Spot, ...], None, None]:
    """Open the lines that are asked for with +pty:, and close them in the end.

    Raises ConfigurationError for what is no place.
    """
    opened: list[Spot] = []
    try:
        for text in texts:
            opened.append(_spot(text.strip()))
        yield tuple(opened)
    finally:
        for each in opened:
            if each.line is not None:
                each.line.close()


def _spot(text: str) -> Spot:
    asked = _OWN_LINE.fullmatch(text)
    if asked is None:
        return Spot(ConnectionUrl.parse(text))
    framing, query = asked.groups()
    if framing.lower() == _NO_METER:
        raise ConfigurationError("an Elgama meter is simulated on elgama+tcp")
    line = PseudoTerminal()
    try:
        url = ConnectionUrl.parse(f"{framing}+serial://{line.near}{query or ''}")
    except ConfigurationError:
        line.close()
        raise
    return Spot(replace(url, format=FORMAT), line)
