"""Profile buffers as tuples, numpy arrays or an Arrow table; numpy and pyarrow come with the extra `columns`.

    for row in tuples(buffer): …
    arrays(buffer, ("clock", "energy"))["energy"].max()
    table(buffer, ("clock", "energy")).to_pandas()

A regular buffer never becomes Python values on its way into arrays: its layout is verified octet by octet, then each
column is one strided view, copied into the machine's byte order.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cosem.errors import ConfigurationError, ShapeError
from cosem.protocol.codec.columns import RowLayout, Rows, rows
from cosem.protocol.codec.reader import TRANSFER, Limits, Octets
from cosem.protocol.codec.scalars import NUMBERS
from cosem.protocol.values.data import BOOLEAN, Float32, Float64, OctetString
from cosem.protocol.values.dates import Date, DateTime, Time

if TYPE_CHECKING:
    import numpy

    AnyArray = numpy.ndarray[Any, numpy.dtype[Any]]


def tuples(octets: Octets, limits: Limits = TRANSFER) -> Rows:
    """Return the rows of a buffer as tuples of raw values, with the type of each column; see `columns.rows`."""
    return rows(octets, limits)


def arrays(buffer: Octets | Rows, names: Sequence[str] | None = None, limits: Limits = TRANSFER) -> dict[str, AnyArray]:
    """Return each column as a numpy array, under its name, or its number as text when no names are given.

    The rows are those of the octets of a buffer, or were made of one already.
    Numbers, floats and booleans are arrays of their own size in the machine's byte order; numbers of several types in
    one column share int64, or uint64 when they need it. Octets, dates and times of one length are raw (`V12`). Where
    null-data stands among any of these the array is masked. Everything else is an array of Python objects. A buffer
    without rows has no columns.
    Raises DecodeError, ShapeError when rows differ in length, and ConfigurationError for a wrong number of names or
    when numpy is not installed.
    """
    np = imported("numpy")
    found = buffer if isinstance(buffer, Rows) else rows(buffer, limits)
    layout = found.layout
    if layout is not None:
        columns = [_strided(np, found, layout, index) for index in range(len(layout.columns))]
    elif found and not found.tags:
        raise ShapeError("rows of different lengths make no columns")
    else:
        columns = [_gathered(np, values, tag) for values, tag in zip(zip(*found, strict=True), found.tags, strict=True)]
    return dict(zip(_names(names, len(columns)), columns, strict=True))


def table(buffer: Octets | Rows, names: Sequence[str] | None = None, limits: Limits = TRANSFER) -> Any:
    """Return the buffer as a `pyarrow.Table`; null-data is null there. Raises as `arrays` does."""
    np, arrow = imported("numpy"), imported("pyarrow")
    columns = arrays(buffer, names, limits)
    return arrow.table({name: arrow_column(np, arrow, name, values) for name, values in columns.items()})


def _strided(np: Any, found: Rows, layout: RowLayout, index: int) -> AnyArray:
    """Copy one column out of a regular buffer."""
    column = layout.columns[index]
    if column.tag in _NUMPY:
        code = ">" + _NUMPY[column.tag]
    elif column.tag in _OCTETS and column.size:
        code = f"V{column.size}"
    else:
        return _objects(np, [row[index] for row in found])
    view = np.ndarray(
        (layout.rows,), code, buffer=found.octets, offset=layout.start + column.offset, strides=(layout.width,)
    )
    if column.tag == BOOLEAN:
        return view != 0  # type: ignore[no-any-return]
    return view.astype(view.dtype.newbyteorder("="))  # type: ignore[no-any-return]


def _gathered(np: Any, values: Sequence[Any], tag: int | None) -> AnyArray:
    """Make an array of one column that the general decoder read; `tag` is None when its types are mixed."""
    present = [value for value in values if value is not None]
    code = None
    zero: Any = 0
    if tag in _NUMPY:
        code = "?" if tag == BOOLEAN else _NUMPY[tag]
    elif tag in _OCTETS:
        sizes = set(map(len, present))
        size = sizes.pop()
        code, zero = (None, b"") if sizes or not size else (f"V{size}", bytes(size))
    elif set(map(type, present)) == {int}:
        code = next((fit for fit in _WIDE if _fits(np, fit, present)), None)
    if code is None:
        return _objects(np, values)
    if len(present) == len(values):
        return np.array(values, code)  # type: ignore[no-any-return]
    filled = np.array([zero if value is None else value for value in values], code)
    return np.ma.masked_array(filled, [value is None for value in values])  # type: ignore[no-any-return]


def _fits(np: Any, code: str, values: Sequence[int]) -> bool:
    """Tell whether an integer type holds all values."""
    bounds = np.iinfo(code)
    return bool(bounds.min <= min(values) and max(values) <= bounds.max)


def _objects(np: Any, values: Sequence[Any]) -> AnyArray:
    return np.fromiter(values, object, len(values))  # type: ignore[no-any-return]


def arrow_column(np: Any, arrow: Any, name: str, values: Any) -> Any:
    """Turn one numpy column into an Arrow array."""
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    data = np.ma.getdata(values)
    if data.dtype.kind == "V":
        if mask is None:
            contents = arrow.py_buffer(data.tobytes())
            return arrow.Array.from_buffers(arrow.binary(data.dtype.itemsize), len(data), [None, contents])
        octets = [None if gone else value.tobytes() for value, gone in zip(data, mask, strict=True)]
        return arrow.array(octets, arrow.binary(data.dtype.itemsize))
    if data.dtype.kind != "O":
        return arrow.array(data, mask=mask)
    try:
        return arrow.array(data.tolist())
    except (arrow.ArrowException, OverflowError) as problem:
        raise ShapeError(f"values of different types have no Arrow type: {problem}", (name,)) from None


def _names(names: Sequence[str] | None, number: int) -> list[str]:
    """Return a name for each of `number` columns; the columns of a buffer without rows are not known."""
    if names is None:
        return [str(index) for index in range(number)]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"each column needs a name of its own, have {', '.join(names)}")
    if number and len(names) != number:
        raise ConfigurationError(f"need names for {number} columns, have {len(names)}")
    return list(names[:number])


def imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(f"columns need {module}: pip install 'cosem[columns]'") from None


_NUMPY: dict[int | None, str] = {
    BOOLEAN: "u1",
    Float32.TAG: "f4",
    Float64.TAG: "f8",
    **{kind.TAG: ("i" if kind.LOW else "u") + str(kind.SIZE) for kind in NUMBERS},
}
_OCTETS: frozenset[int | None] = frozenset((OctetString.TAG, DateTime.TAG, Date.TAG, Time.TAG))
_WIDE = ("i8", "u8")
