"""Writes the Python source of compiled codecs: offsets folded, neighbouring fixed sizes in one struct."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class Refused(Exception):
    """A compiled decoder will not go on; the walk over the same octets says why."""


class Source(ABC):
    """Lines of one function and the objects that they name."""

    def __init__(self, namespace: dict[str, Any], depth: int = 2) -> None:
        self.namespace = namespace
        self.lines: list[str] = []
        self._depth = depth
        self._names = 0

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self.lines.append("    " * self._depth + text)

    def name(self, stem: str = "v") -> str:
        """Return a local name not used before in this function."""
        self._names += 1
        return f"{stem}{self._names}"

    def constant(self, value: Any, stem: str) -> str:
        """Return the name under which the function finds `value`; the same object keeps its name."""
        for name, known in self.namespace.items():
            if known is value:
                return name
        name = f"_{stem}{len(self.namespace)}"
        self.namespace[name] = value
        return name

    @abstractmethod
    def flush(self) -> None:
        """Write what has been held back to be merged."""

    @contextmanager
    def block(self, header: str) -> Generator[None, None, None]:
        """Indent what is written inside under `header`; nothing merges across its borders."""
        self.flush()
        self.line(header)
        self._depth += 1
        yield
        self.flush()
        self._depth -= 1


class DecodeSource(Source):
    """Source of a decoder: reads `octets` from a base (a variable, or 0 when empty) plus a distance known now.

    Slices beyond the end come out short rather than raise, and offsets only grow; so one comparison of the last offset
    with the number of octets finds every field that was cut.
    """

    _FEW = 5  # so many single octets are faster to index than to unpack

    def __init__(self, namespace: dict[str, Any], base: str) -> None:
        super().__init__(namespace)
        self._base = base
        self._distance = 0
        self._pending: list[tuple[str, str]] = []
        self._deferred: list[str] = []

    def fixed(self, format: str) -> str:
        """Read a field of fixed size, merged with its neighbours; its name has a value after the next flush."""
        name = self.name()
        self._pending.append((format, name))
        return name

    def then(self, text: str) -> None:
        """Add a line that uses what `fixed` has named: it comes after the merged read."""
        if self._pending:
            self._deferred.append("    " * self._depth + text)
        else:
            self.line(text)

    def flush(self) -> None:
        if self._pending:
            formats = [format for format, _ in self._pending]
            names = [name for _, name in self._pending]
            if len(names) <= self._FEW and all(format == "B" for format in formats):
                for name in names:
                    self.line(f"{name} = octets[{self.at()}]")
                    self._distance += 1
            else:
                compiled = struct.Struct(">" + "".join(formats))
                unpack = self.constant(compiled.unpack_from, "unpack")
                self.line(f"{', '.join(names)}, = {unpack}(octets, {self.at()})")
                self._distance += compiled.size
            self._pending.clear()
        self.lines += self._deferred
        self._deferred.clear()

    def at(self, further: int = 0) -> str:
        """Return the expression of the present offset, `further` octets on."""
        distance = self._distance + further
        if not self._base:
            return str(distance)
        return f"{self._base} + {distance}" if distance else self._base

    def skip(self, octets: int) -> None:
        """Go on by a known number of octets."""
        self._distance += octets

    def move(self, base: str) -> None:
        """Go on at the offset that the variable `base` holds."""
        self._base, self._distance = base, 0

    def position(self) -> tuple[str, int]:
        """Return where the source stands, for `back`."""
        return self._base, self._distance

    def back(self, position: tuple[str, int]) -> None:
        """Stand where `position` was taken: the start of another branch."""
        self._base, self._distance = position


class EncodeSource(Source):
    """Source of an encoder: collects fixed sizes into one pack, and appends the rest to the bytearray `out`."""

    def __init__(self, namespace: dict[str, Any], *, out_given: bool) -> None:
        super().__init__(namespace)
        self._out_made = out_given
        self._pending: list[tuple[str, str]] = []

    def put(self, format: str, expression: str) -> None:
        """Write a field of fixed size, merged with its neighbours."""
        self._pending.append((format, expression))

    def literal(self, octets: bytes) -> None:
        """Write constant octets."""
        self._pending.extend(("B", str(octet)) for octet in octets)

    def flush(self) -> None:
        if not self._pending and self._out_made:
            return
        packed = self._packed()
        if not self._out_made:
            self.line(f"out = bytearray({packed})" if packed else "out = bytearray()")
            self._out_made = True
        elif len(self._pending) == 1 and self._pending[0][0] == "B":
            self.line(f"out.append({self._pending[0][1]})")
        else:
            self.line(f"out += {packed}")
        self._pending.clear()

    def finish(self) -> None:
        """Return the octets from the function."""
        if self._out_made:
            self.flush()
            self.line("return bytes(out)")
        else:
            self.line(f"return {self._packed() or repr(b'')}")
            self._pending.clear()

    def _packed(self) -> str:
        if not self._pending:
            return ""
        if all(format == "B" and expression.isdecimal() for format, expression in self._pending):
            return repr(bytes(int(expression) for _, expression in self._pending))
        pack = self.constant(struct.Struct(">" + "".join(format for format, _ in self._pending)).pack, "pack")
        return f"{pack}({', '.join(expression for _, expression in self._pending)})"
