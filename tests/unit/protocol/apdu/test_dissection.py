"""Whole APDUs as trees: into user information, and into ciphered octets with a way to open them."""

from __future__ import annotations

from cosem.errors import SecurityError
from cosem.protocol import apdu
from cosem.protocol.codec.dissect import MALFORMED, render

# Green Book, as in tests/vectors/apdu.jsonl.
AARQ = bytes.fromhex(
    "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE3404322130"
    "3001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
)
PLAIN = bytes.fromhex("01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0")
GET = bytes.fromhex("C0010000080000010000FF0200")
GLO_GET = bytes.fromhex("C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B")


def test_a_tree_in_print() -> None:
    assert render(apdu.dissect(GET), GET).splitlines() == [
        "    0    13  C0 01 00 00 08 00 00 01 00 00 FF …   get-request-normal",
        "    2     1  00                                     invoke_id_and_priority: 0x00"
        " (invoke-id 0, unconfirmed, normal priority)",
        "    3     9  00 08 00 00 01 00 00 FF 02             attribute",
        "    3     2  00 08                                    class_id: 8",
        "    5     6  00 00 01 00 00 FF                        instance_id: 0.0.1.0.0.255",
        "   11     1  02                                       attribute_id: 2",
        "   12     1  00                                     access_selection: absent",
    ]


def test_ciphered_octets_show_their_header() -> None:
    text = render(apdu.dissect(GLO_GET))
    assert "tag: glo-get-request (0xC8)" in text
    assert "control: 0x30 (suite 0, authentication, encryption)" in text
    assert "invocation_counter: 19088743" in text
    assert "plain" not in text


def test_a_callback_opens_what_is_ciphered() -> None:
    asked: list[bytes] = []

    def unprotect(octets: bytes) -> bytes | None:
        asked.append(octets)
        return {GLO_GET: GET, AARQ[-50:]: PLAIN}.get(octets)

    assert "instance_id: 0.0.1.0.0.255" in render(apdu.dissect(GLO_GET, unprotect), GLO_GET)
    text = render(apdu.dissect(AARQ, unprotect), AARQ)
    assert "client_max_receive_pdu_size: 1200" in text
    assert "5F 1F 04 00 00 7E 1F" in text
    assert asked == [GLO_GET, AARQ[-50:]]


def test_what_cannot_be_opened_says_why() -> None:
    def refuse(_: bytes) -> bytes | None:
        raise SecurityError("the tag does not verify")

    assert "plain: not opened: the tag does not verify" in render(apdu.dissect(GLO_GET, refuse))


def test_a_header_cut_short_does_not_hide_the_rest() -> None:
    tree = apdu.dissect(bytes.fromhex("C8033001FF"))
    assert MALFORMED in render(tree)
    assert "tag: glo-get-request" in render(tree)


def test_wrong_octets_keep_what_was_understood() -> None:
    tree = apdu.dissect(bytes.fromhex("C001C10008000001"))
    assert [(node.name, node.offset, node.length) for node in tree.children] == [
        ("invoke_id_and_priority", 2, 1),
        ("attribute", 3, 5),
    ]
    attribute = tree.children[1]
    assert attribute.children[0].text == "8"
    assert attribute.children[1].children[0].text == "need 6 octets, have 3"
    assert apdu.dissect(b"").children[0].text == "need an APDU, have no octets, at octet 0"


def test_the_control_of_a_block_in_words() -> None:
    # As pydlms-client prints them, and the last block of a push (see tests/vectors/apdu.jsonl).
    assert "block_control: 0x81 (last-block, window 1)" in render(apdu.dissect(bytes.fromhex("E0810002000300")))
    assert "block_control: 0xC0 (last-block, streaming, window 0)" in render(
        apdu.dissect(bytes.fromhex("E0C00003000000"))
    )
    block = apdu.GeneralBlockTransfer(0xC5, 3, 0, b"")
    assert (block.last, block.streaming, block.window) == (True, True, 5)
    assert block.control == apdu.BlockControl.LAST_BLOCK | apdu.BlockControl.STREAMING | 5
