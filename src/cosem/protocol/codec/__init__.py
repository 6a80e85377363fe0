"""Octets and values: the encodings that every APDU and every attribute value is written in."""
