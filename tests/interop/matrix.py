"""What is asked of which independent implementation in which role of ours, and why a question cannot be asked.

A test says with `@pytest.mark.interop(feature=…, peer=…, role=…)`, or with `asks`, which cells of the matrix it
answers. `role` is our own part: "client" reads, commands or receives what the peer serves or pushes, "server" is our
meter. No peer knows a DataNotification-Confirm: that a push which asks for one is confirmed is judged by our own
listener alone (tests/unit/meter/test_push_sending.py), and its octets by an encoder that is no station
(tests/vectors/apdu.jsonl). `make interop` runs the tests and prints the matrix; `PYTHONPATH=tests python
tests/interop/matrix.py` writes the reasons into `docs/interop.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import pytest

PEERS: Final = ("pydlms-client", "gurux-dlms", "dlms-cosem", "iec62056-21")
ROLES: Final = ("client", "server")

LOCAL: Final = ("mode C readout", "programming mode", "mode E")
"""What IEC 62056-21 has; for modes A, B and D there is no peer, and captures are the judges."""

FEATURES: Final = (
    *("TCP wrapper", "HDLC"),
    *("no authentication", "low level security", "HLS manufacturer", "HLS MD5", "HLS SHA-1", "HLS GMAC"),
    *("HLS SHA-256", "HLS ECDSA"),
    *("GET", "GET with list", "GET in blocks", "selective access", "attribute 0"),
    *("SET", "SET with list", "SET in blocks", "ACTION", "ACTION with list", "ACTION in blocks"),
    *("ACCESS", "general block transfer", "delta values"),
    *("Read", "Read in blocks", "Write", "Write in blocks", "parameterized access", "InformationReport"),
    *("DataNotification", "DataNotification-Confirm", "EventNotification"),
    *(
        "unconfirmed services",
        "unconfirmed services in HDLC",
        "broadcast",
        "pre-established association",
        "gateway prefix",
    ),
    *("ciphering with suite 0", "ciphering with suite 1", "ciphering with suite 2"),
    *("dedicated key", "broadcast key", "general-glo-ciphering", "general-ded-ciphering"),
    *("general-ciphering, identified key", "general-ciphering, wrapped key"),
    *("general-ciphering, one-pass Diffie-Hellman", "general-ciphering, static unified"),
    *("general-signing", "compression"),
    *("security policy", "key transfer", "key agreement", "certificates", "data protection"),
    *("change of HLS secret", "user list", "add and remove object"),
    *LOCAL,
)
"""The rows of the matrix."""


class Cell(NamedTuple):
    """One question: does `feature` work between us in `role` and `peer`?"""

    feature: str
    peer: str
    role: str


_CODEC_ONLY: Final = "it is a client's codec and has no meter"
_NOTIFIED: Final = ("InformationReport", "DataNotification", "EventNotification")
"""What the notifier of gurux-dlms makes; it needs no server class."""

CANNOT: Final[Mapping[Cell, str]] = MappingProxyType(
    {
        **{Cell(feature, "iec62056-21", "client"): "it is a client and has no meter" for feature in FEATURES},
        **{
            Cell(feature, "iec62056-21", "server"): "it speaks modes A to C of IEC 62056-21 alone"
            for feature in FEATURES
            if feature not in LOCAL[:2]
        },
        **{Cell(feature, "pydlms-client", "client"): "its meter has no optical port" for feature in LOCAL},
        Cell("programming mode", "pydlms-client", "server"): "its client reads out and enters mode E alone",
        **{
            Cell(feature, peer, "server"): "its client begins with HDLC or the wrapper, and has no sign-on"
            for feature in LOCAL
            for peer in ("gurux-dlms", "dlms-cosem")
        },
        **{Cell(feature, "dlms-cosem", "client"): _CODEC_ONLY for feature in FEATURES if feature != "DataNotification"},
        Cell("ACCESS", "dlms-cosem", "server"): "it does not know the service",
        Cell("general block transfer", "dlms-cosem", "server"): "its client proposes the bit and knows no such blocks",
        Cell("general block transfer", "gurux-dlms", "server"): (
            "its client stops before it acknowledges a block, at an attribute its settings do not have"
        ),
        Cell("gateway prefix", "dlms-cosem", "server"): "it does not know the prefix",
        Cell("gateway prefix", "pydlms-client", "server"): "its client does not know the prefix",
        Cell("gateway prefix", "pydlms-client", "client"): "its meter is no gateway",
        Cell("delta values", "dlms-cosem", "server"): "its client proposes no such encoding",
        Cell("delta values", "gurux-dlms", "server"): "its client knows the tags and does not add them up",
        Cell("delta values", "pydlms-client", "client"): "its meter sends none",
        **{
            Cell(feature, peer, "server"): why
            for peer, why in (
                ("gurux-dlms", "its client makes no general-ciphering and no general-signing"),
                ("dlms-cosem", "its client makes general-glo-ciphering alone"),
            )
            for feature in (
                *("general-ciphering, identified key", "general-ciphering, wrapped key"),
                *("general-ciphering, one-pass Diffie-Hellman", "general-ciphering, static unified"),
                "general-signing",
            )
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "its client makes general-glo-ciphering alone"
            for feature in ("dedicated key", "general-ded-ciphering", "broadcast key")
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "its client knows suite 0 alone"
            for feature in ("ciphering with suite 1", "ciphering with suite 2")
        },
        Cell("broadcast key", "gurux-dlms", "server"): "its client sends nothing under the broadcast key",
        **{
            Cell("DataNotification-Confirm", peer, role): "it does not know the service"
            for peer, role in (("pydlms-client", "client"), ("pydlms-client", "server"), ("gurux-dlms", "server"))
        },
        **{
            Cell(feature, "pydlms-client", "client"): "its meter answers requests that want no answer"
            for feature in ("unconfirmed services", "unconfirmed services in HDLC")
        },
        Cell("unconfirmed services in HDLC", "gurux-dlms", "server"): (
            "its client counts the RR that acknowledges such a request as an answer, and the N(R) of its next frame is "
            "that of an I frame it never got; the one request, and leaving by DISC, work"
        ),
        Cell("broadcast", "pydlms-client", "client"): (
            "its meter takes what all stations are told for its own and answers D80102, since nothing was opened"
        ),
        Cell("pre-established association", "pydlms-client", "client"): "its meter serves nothing unopened",
        Cell("pre-established association", "pydlms-client", "server"): "its client sends nothing unopened",
        Cell("compression", "pydlms-client", "client"): "its meter compresses nothing",
        Cell("user list", "pydlms-client", "client"): "its meter lists no users",
        Cell("user list", "pydlms-client", "server"): "its client does not say who uses it",
        **{
            Cell(feature, "pydlms-client", "client"): "its meter has no association object to administer"
            for feature in ("change of HLS secret", "add and remove object")
        },
        Cell("attribute 0", "dlms-cosem", "server"): "its client proposes no such service",
        Cell("attribute 0", "pydlms-client", "client"): "its meter negotiates attribute 0 and refuses it",
        Cell("attribute 0", "gurux-dlms", "server"): "its client calls attribute 0 an invalid parameter",
        **{
            Cell(feature, "dlms-cosem", "server"): "its client knows no short names"
            for feature in (
                *("Read", "Read in blocks", "Write", "Write in blocks", "parameterized access", "InformationReport"),
            )
        },
        **{
            Cell(feature, "gurux-dlms", "server"): "its client proposes no blocks by short names"
            for feature in ("Read in blocks", "Write in blocks")
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "its client knows HLS by GMAC and by AES-128 alone"
            for feature in ("HLS MD5", "HLS SHA-1", "HLS SHA-256", "HLS ECDSA")
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "its client writes one value and runs one method, each in one APDU"
            for feature in ("SET with list", "SET in blocks", "ACTION with list", "ACTION in blocks")
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "it does not know the service"
            for feature in ("DataNotification-Confirm", "EventNotification")
        },
        **{
            Cell(feature, "dlms-cosem", "server"): "its client makes confirmed requests alone"
            for feature in ("unconfirmed services", "unconfirmed services in HDLC", "broadcast")
        },
        Cell("compression", "dlms-cosem", "server"): "it knows the bit of compression and compresses nothing",
        **{
            Cell(
                feature, "dlms-cosem", "server"
            ): "its client has no such method; the octets of a plain ACTION were ours"
            for feature in (
                *("security policy", "key transfer", "key agreement", "certificates", "data protection"),
                *("change of HLS secret", "user list", "add and remove object"),
            )
        },
        Cell("ACTION with list", "gurux-dlms", "server"): "its client runs one method at a time",
        Cell("key agreement", "gurux-dlms", "server"): "its client leaves the signature of the agreement out",
        Cell("compression", "gurux-dlms", "server"): "its client leaves compression to a handler that it does not have",
        **{
            Cell(feature, "pydlms-client", "client"): "its meter has no security set-up"
            for feature in ("security policy", "key transfer", "key agreement", "certificates")
        },
        Cell("data protection", "pydlms-client", "client"): "its meter has no object of data protection",
        **{
            Cell("data protection", peer, "server"): "not asked: our meter does not serve it"
            for peer in ("pydlms-client", "gurux-dlms")
        },
        Cell("pre-established association", "dlms-cosem", "server"): "its codec knows it and its client does not",
        **{
            Cell(feature, "gurux-dlms", "client"): "its server class does not work as installed"
            for feature in FEATURES
            if feature not in _NOTIFIED
        },
    }
)
"""Why a question cannot be asked of a peer. A cell stands here or has a test, and never both."""

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "interop.md"
BEGIN: Final = "<!-- reasons: written by tests/interop/matrix.py -->\n"


def cell(feature: str, peer: str, role: str) -> Cell:
    """Return the cell a test names; ValueError where the matrix has no such row, peer or role."""
    for given, known in ((feature, FEATURES), (peer, PEERS), (role, ROLES)):
        if given not in known:
            raise ValueError(f"the interop matrix has no {given!r}; there are {', '.join(known)}")
    return Cell(feature, peer, role)


def asks(peer: str, role: str, *features: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a test, or of one of its parameters, that answers several cells."""
    return [pytest.mark.interop(feature=feature, peer=peer, role=role) for feature in features]


def table(outcomes: Mapping[Cell, str]) -> str:
    """Return the matrix as text: a line for each feature, a column for each peer in each of our roles."""
    columns = [(peer, role) for role in ROLES for peer in PEERS]
    width = max(map(len, FEATURES)) + 2
    widths = [len(f"{role}: {peer}") + 2 for peer, role in columns]
    head = "our role: the peer".ljust(width)
    lines = [head + "".join(f"{role}: {peer}".ljust(size) for (peer, role), size in zip(columns, widths, strict=True))]
    notes: dict[str, int] = {}
    for feature in FEATURES:
        words = [_word(Cell(feature, peer, role), outcomes, notes) for peer, role in columns]
        cells = "".join(word.ljust(size) for word, size in zip(words, widths, strict=True))
        lines.append((feature.ljust(width) + cells).rstrip())
    lines += ["", *(f"[{number}] {why}" for why, number in notes.items())]
    return "\n".join(lines)


def unasked(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells that have neither a test nor a reason."""
    tested = set(cells)
    every = (Cell(feature, peer, role) for role in ROLES for peer in PEERS for feature in FEATURES)
    return [each for each in every if each not in tested and each not in CANNOT]


def reasons() -> str:
    """Return why questions cannot be asked, as Markdown: by peer and role, a line for each reason."""
    lines: list[str] = []
    for role in ROLES:
        for peer in PEERS:
            whys: dict[str, list[str]] = {}
            for feature in FEATURES:
                why = CANNOT.get(Cell(feature, peer, role))
                if why is not None:
                    whys.setdefault(why, []).append(feature)
            if not whys:
                continue
            lines += [f"\n### {peer}, we as {role}\n"]
            for why, features in whys.items():
                lines.append(f"- **{_named(features)}**: {why}.")
    return "\n".join(lines) + "\n"


def _named(features: list[str]) -> str:
    """Return the features a reason is of in few words: what it is not of, where that is less."""
    others = [each for each in FEATURES if each not in features]
    if len(others) > len(features):
        return ", ".join(features)
    return f"everything but {', '.join(others)}" if others else "everything"


def _word(asked: Cell, outcomes: Mapping[Cell, str], notes: dict[str, int]) -> str:
    if asked in outcomes:
        return outcomes[asked]
    why = CANNOT.get(asked)
    return "NOT ASKED" if why is None else f"[{notes.setdefault(why, len(notes) + 1)}]"


def main() -> int:
    """Write the reasons into the document."""
    kept, _, _ = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(kept + BEGIN + reasons())
    return 0


if __name__ == "__main__":
    sys.exit(main())
