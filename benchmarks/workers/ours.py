"""The works with cosem itself."""

from loop import given, serve


def irregular():
    from cosem.protocol.codec import axdr

    octets = given["irregular"]
    return lambda: axdr.decode_all(octets)


serve({"irregular": irregular})
