"""The works with cosem itself."""

from collections import Counter

from loop import given, serve

from cosem.protocol import apdu
from cosem.protocol.association.counter import InvocationCounter, MemoryCounterStore, ReceivedCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Key
from cosem.protocol.link.hdlc.frame import FrameReader, encode

UNNUMBERED_INFORMATION = 0x13
EVEN_CLIENT, EVEN_METER = b"\x21", b"\x03"  # addresses 16 and 1, one octet each


def small_get():
    octets, decode = given["small"], apdu.decode
    return lambda: decode(octets).result


def irregular():
    octets = given["irregular"]
    return lambda: axdr.decode_all(octets)


def hdlc():
    information, reader = given["information"], FrameReader(Counter())

    def once():
        reader.feed(encode(EVEN_CLIENT, EVEN_METER, UNNUMBERED_INFORMATION, information))
        return reader.frame().information

    return once


def decipher():
    unprotect = unprotecting()
    return lambda: unprotect().apdu


def ciphered_get():
    unprotect, decode = unprotecting(), apdu.decode
    return lambda: decode(unprotect().apdu).result


def unprotecting():
    """Deciphering of the same octets again and again, so the counter must forget that it has seen them."""
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
    octets = given["ciphered"]

    def once():
        received.last = -1
        return context.unprotect(octets)

    return once


serve(
    {
        "small-get": small_get,
        "irregular": irregular,
        "hdlc": hdlc,
        "ciphered-get": ciphered_get,
        "decipher": decipher,
    }
)
