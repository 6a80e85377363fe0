"""The works with cosem itself."""

from collections import Counter

from loop import given, next_counter, serve, tidied

from cosem.protocol import apdu
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Key
from cosem.protocol.link.hdlc.frame import FrameReader, encode
from cosem.protocol.model.classes.data_storage import ProfileGeneric, Register, ScalerUnit
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings import frames
from cosem.readings.column import ProfileColumn
from cosem.readings.profile import ProfileRows
from cosem.store.memory import MemoryCounterStore

UNNUMBERED_INFORMATION = 0x13
EVEN_CLIENT, EVEN_METER = b"\x21", b"\x03"  # addresses 16 and 1, one octet each


def small_get():
    octets, decode = given["small"], apdu.decode
    return lambda: decode(octets).result


def register_read():
    value, scaler_unit, decode = given["small"], given["scaler_unit"], apdu.decode
    register = Register("1.0.1.8.0.255")
    value_of, scaler_unit_of = register.value.decode, register.scaler_unit.decode

    def once():
        return value_of(decode(value).result), scaler_unit_of(decode(scaler_unit).result)

    return tidied(once, lambda found: (Quantity.of(found[0], found[1].scaler, found[1].unit).value, found[1].unit))


def irregular():
    octets = given["irregular"]
    return lambda: axdr.decode_all(octets)


def regular_tuples():
    octets = given["regular"]
    return lambda: frames.tuples(octets).all()


def regular_columns():
    """One numpy array for each column, in the machine's byte order."""
    octets = given["regular"]
    return tidied(lambda: frames.arrays(octets), lambda arrays: list(zip(*map(values, arrays.values()), strict=True)))


def arrow():
    """An Arrow table whose times are timestamps and whose columns tell their scaler and unit."""
    octets = given["long"]
    names = ["0.0.1.0.0.255", "0.0.96.10.1.255", *(f"1.0.{c}.8.0.255" for c in range(1, 7))]
    classes = [8, 1, *[3] * 6]
    headings = tuple(
        ProfileColumn(CaptureObject(kind, Obis(name), 2), ScalerUnit(-3, Unit.WATT_HOUR) if kind == 3 else None)
        for kind, name in zip(classes, names, strict=True)
    )
    profile = ProfileGeneric("1.0.99.1.0.255")
    return tidied(lambda: ProfileRows(profile, headings, frames.tuples(octets), 900).table(), rows_of)


def rows_of(table):
    """The rows with the octets of the times, which do not tell the day of the week nor the deviation."""
    times, *others = (column.to_pylist() for column in table.columns)
    moments = (DateTime(t.year, t.month, t.day, None, t.hour, t.minute, t.second, 0, None, 0).octets for t in times)
    return list(zip(moments, *others, strict=True))


def values(array):
    return [item.tobytes() for item in array] if array.dtype.kind == "V" else array.tolist()


def hdlc():
    information, reader = given["information"], FrameReader(Counter())

    def once():
        reader.feed(encode(EVEN_CLIENT, EVEN_METER, UNNUMBERED_INFORMATION, information))
        return reader.frame().information

    return once


def decipher():
    context, received, octets = secured()

    def once():
        received.last = -1  # it must forget that it has seen these octets
        return context.unprotect(octets).apdu

    return once


def ciphered_get():
    context, received, octets = secured()
    decode = apdu.decode

    def once():
        received.last = -1
        return decode(context.unprotect(octets).apdu).result

    return once


def secured():
    """The context that opens the ciphered GET-response, the counter it keeps of the meter, and the octets."""
    received = ReceivedCounter()
    context = SecurityContext(
        0,
        given["title"],
        given["meter_title"],
        Key(given["encryption_key"]),
        Key(given["authentication_key"]),
        counter=InvocationCounter(MemoryCounterStore(), "benchmark"),
        received=received,
    )
    return context, received, given["ciphered"]


def session():
    from cosem import Client

    host, port = given["address"]
    url = f"tcp://{host}:{port}?client={given['client']}&server={given['server']}"
    registers = [Register(name).value for name in given["registers"]]
    keys = {"ek": given["encryption_key"], "ak": given["authentication_key"], "system_title": given["title"]}
    keys["counters"] = MemoryCounterStore()  # the peers do not keep theirs on disk either

    def once():
        with Client.open(url, auth="gmac", invocation_counter=next_counter(), **keys) as meter:
            return [meter.get(register) for register in registers]

    return once


serve(
    {
        "small-get": small_get,
        "register-read": register_read,
        "irregular": irregular,
        "regular-tuples": regular_tuples,
        "regular-columns": regular_columns,
        "arrow": arrow,
        "hdlc": hdlc,
        "ciphered-get": ciphered_get,
        "decipher": decipher,
        "session": session,
    }
)
