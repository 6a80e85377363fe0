"""Meters of Elgama: the short names of the GAMA models, and the byte protocol of EPQS and EPQM/LZQM.

The byte protocol is EXPERIMENTAL: what is known of it rests on four captured frames and on one implementation. See
docs/elgama-uncertain.md. GAMA meters speak DLMS by short names and need nothing of this room but data.
"""
