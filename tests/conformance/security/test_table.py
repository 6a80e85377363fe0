"""The threat table as a whole: every row has its tests, for each role that it concerns."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CLIENT, METER = "client", "meter"
BOTH = (CLIENT, METER)

THREATS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("an APDU in clear where protection was agreed", BOTH),
    2: ("a tag that is not verified or cut, a protection the sender chooses", BOTH),
    3: ("replay", BOTH),
    4: ("a forged counter that shuts out who is honest", BOTH),
    5: ("counters that run out", BOTH),
    6: ("a nonce that is used twice", BOTH),
    7: ("a weaker association than was asked for or offered", BOTH),
    8: ("reflection of titles, challenges and proofs", BOTH),
    9: ("passwords that are heard or guessed", BOTH),
    10: ("chance that can be predicted", BOTH),
    11: ("an authentication that binds nothing after it", BOTH),
    12: ("what is seen without keys", BOTH),
    13: ("a change of key that is interrupted", BOTH),
    14: ("a broadcast key that many hold", BOTH),
    15: ("compression that explodes", BOTH),
    16: ("lengths that lie", BOTH),
    17: ("depth", BOTH),
    18: ("compact arrays that explode", BOTH),
    19: ("blocks without end, gaps and repeats", BOTH),
    20: ("octets that wedge the parser of HDLC", BOTH),
    23: ("a service, list or selector that goes around the rights", (METER,)),
    24: ("the answer to another question", BOTH),
    25: ("a push of a stranger", (CLIENT,)),
    26: ("a part that is taken for the whole", BOTH),
}
"""Each threat by its number, and whom it concerns. 21 and 22, of connections, are tested where sockets are."""

NAMES = [
    node.name
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_t")
]


@pytest.mark.parametrize(
    ("number", "role"), [(number, role) for number, (_, roles) in THREATS.items() for role in roles]
)
def test_every_threat_has_a_test_for_each_role(number: int, role: str) -> None:
    own = [name for name in NAMES if name.startswith(f"test_t{number:02}_")]
    assert any(name.endswith((f"_{role}", "_both_roles")) for name in own), THREATS[number]


def test_every_test_of_a_threat_says_what_is_required() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_t") and node.name[6:8].isdigit():
                assert ast.get_docstring(node), node.name
                assert node.name.endswith(("_client", "_meter", "_both_roles")), node.name
