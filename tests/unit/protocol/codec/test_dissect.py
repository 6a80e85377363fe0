"""The annotated tree: Data in words, printing, JSON, and trees of octets that are wrong."""

from __future__ import annotations

import json

import pytest

from cosem.protocol.codec.axdr import decode_all
from cosem.protocol.codec.dissect import Node, as_dict, data_nodes, data_text, octets_text, render


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("00", "null-data"),
        ("0301", "boolean true"),
        ("06000186A0", "double-long-unsigned 100000"),
        ("0FFD", "integer -3"),
        ("161E", "enum 30"),
        ("0404A0", "bit-string 1010"),
        ("0A024F4B", "visible-string 'OK'"),
        ("0A020A07", r"visible-string '\n\x07'"),
        ("0C03E282AC", "utf8-string '€'"),
        ("0900", "octet-string empty"),
        ("090100", "octet-string 00"),
        ("0904414243FF", "octet-string 41 42 43 FF"),
        ("090441424344", "octet-string 41 42 43 44 'ABCD'"),
        ("09060100010800FF", "octet-string 01 00 01 08 00 FF (1.0.1.8.0.255)"),
        ("090C000000000000000000000000", "octet-string 00 00 00 00 00 00 00 00 00 00 00 00"),
        ("FF", "dont-care"),
        ("0200", "structure of 0 elements"),
        ("010100", "array of 1 element"),
    ],
)
def test_data_in_words(octets: str, text: str) -> None:
    assert data_text(decode_all(bytes.fromhex(octets))) == text


def test_an_octet_string_that_looks_like_a_date_time_is_read_as_one() -> None:
    text = data_text(decode_all(bytes.fromhex("090C07E50609030E1E0000FF8880")))
    assert text.startswith("octet-string 07 E5 06 09 03 0E 1E 00 00 FF 88 80 (2021-06-09")


def test_elements_are_nodes_at_their_octets() -> None:
    octets = bytes.fromhex("FF 02 03 1105 01 02 00 00 0901AA")
    nodes = data_nodes(octets, 1)
    assert [(node.name, node.offset, node.length, node.text) for node in nodes] == [
        ("[0]", 3, 2, "unsigned 5"),
        ("[1]", 5, 4, "array of 2 elements"),
        ("[2]", 9, 3, "octet-string AA"),
    ]
    assert [(node.name, node.offset, node.length) for node in nodes[1].children] == [("[0]", 7, 1), ("[1]", 8, 1)]
    assert data_nodes(octets, 9) == ()


def test_printing_and_json() -> None:
    inner = b"\x01\x02"
    tree = Node(
        "outer",
        0,
        3,
        "",
        (Node("first", 0, 1, "one"), Node("plain", 1, 2, "", (Node("inside", 0, 2, "deciphered"),), inner)),
    )
    assert render(tree).splitlines() == [
        "    0     3  outer",
        "    0     1    first: one",
        "    1     2    plain",
        "    0     2      inside: deciphered",
    ]
    lines = render(tree, b"\xaa\xbb\xcc").splitlines()
    assert [line.split("  ")[2:][0].strip() or line for line in lines]
    assert "BB CC" in lines[2]
    assert "01 02" in lines[3]
    assert json.loads(json.dumps(as_dict(tree))) == {
        "name": "outer",
        "offset": 0,
        "length": 3,
        "children": [
            {"name": "first", "offset": 0, "length": 1, "text": "one"},
            {
                "name": "plain",
                "offset": 1,
                "length": 2,
                "octets": "0102",
                "children": [{"name": "inside", "offset": 0, "length": 2, "text": "deciphered"}],
            },
        ],
    }


def test_a_moved_tree_leaves_inner_octets_alone() -> None:
    tree = Node("a", 0, 4, "", (Node("b", 1, 2), Node("c", 3, 1, "", (Node("d", 0, 9),), b"123456789")))
    moved = tree.moved(10)
    assert (moved.offset, moved.children[0].offset, moved.children[1].offset) == (10, 11, 13)
    assert moved.children[1].children[0].offset == 0


def test_long_octets_are_shortened() -> None:
    assert octets_text(bytes(33)).endswith("…")
    assert not octets_text(bytes(32)).endswith("…")
