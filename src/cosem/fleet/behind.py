"""The meters behind a gateway by the prefix that leads to each, served when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cosem.fleet.places import number_of, prefix
from cosem.meter.gateway import Serve
from cosem.protocol.apdu.gateway import GatewayAddress


class Behind(Mapping[GatewayAddress | None, Serve]):
    """What serves each of the meters with some numbers; an APDU without a prefix is for nobody."""

    def __init__(self, numbers: range, serve: Callable[[int], Serve]) -> None:
        self._numbers = numbers
        self._serve = serve

    def __getitem__(self, address: GatewayAddress | None) -> Serve:
        number = number_of(address)
        if number is None or number not in self._numbers:
            raise KeyError(address)
        return self._serve(number)

    def __iter__(self) -> Iterator[GatewayAddress]:
        return map(prefix, self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
