"""`cosem decode`: every published vector, whatever people paste, keys in part or in whole, and damage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.cli.paste import parts
from cosem.errors import ConfigurationError
from cosem.protocol.codec.dissect import Node, render
from cosem.protocol.crypto.key import Key
from cosem.protocol.profile.dissect import Dissector, Finding, with_titles

Cosem = Callable[..., Any]
VECTORS = Path(__file__).parents[2] / "vectors"

# A push of a meter in Norway, published in an issue of hass-AMS: 11050 W of active import.
PUSH = "7EA02A410883130413E6E7000F40000000000101020309060100010700FF0600002B2A02020F00161BE6BC7E"

SECURITY = json.loads((VECTORS / "security.json").read_text())
EK, AK = SECURITY["keys"]["encryption"], SECURITY["keys"]["authentication"]
CLIENT_TITLE = "4D4D4D0000BC614E"
# The worked example of the standard: GET of the clock, authenticated and encrypted.
CIPHERED = "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"


def cases(name: str) -> list[Any]:
    lines = (VECTORS / name).read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if "octets" in case or "hex" in case]


def names(tree: Node) -> Iterator[str]:
    yield tree.name
    for child in tree.children:
        yield from names(child)


def texts(finding: Finding) -> str:
    return render(with_titles(finding.tree, finding.octets), finding.octets)


@pytest.mark.parametrize("case", [case for case in cases("apdu.jsonl") if "kind" in case], ids=lambda case: case["id"])
def test_apdus_are_told_from_data(case: Any) -> None:
    (finding, *_) = Dissector().dissect(bytes.fromhex(case["octets"]))
    assert finding.layer == "APDU"
    assert finding.tree.name == case["kind"]


@pytest.mark.parametrize("case", [case for case in cases("apdu.jsonl") if "error" in case], ids=lambda c: c["id"])
def test_damaged_apdus_are_unsound(case: Any) -> None:
    assert not any(finding.sound for finding in Dissector().dissect(bytes.fromhex(case["octets"])))


@pytest.mark.parametrize("case", cases("axdr.jsonl"), ids=lambda case: case["id"])
def test_data_is_told_from_apdus(case: Any) -> None:
    (finding, *_) = Dissector().dissect(bytes.fromhex(case["octets"]))
    assert (finding.layer, finding.sound) == ("Data", True)


@pytest.mark.parametrize("case", cases("wrapper.jsonl"), ids=lambda case: case["id"])
def test_wrapped_apdus(case: Any) -> None:
    for one in case["hex"].split():
        findings = Dissector().dissect(bytes.fromhex(one))
        assert {finding.layer for finding in findings} <= {"wrapper", "datablocks"}


@pytest.mark.parametrize("case", cases("hdlc_captures.jsonl"), ids=lambda case: case["id"])
def test_frames(case: Any) -> None:
    dissector = Dissector()
    findings = [finding for one in case["hex"].split() for finding in dissector.dissect(bytes.fromhex(one))]
    assert any(finding.layer == "HDLC" for finding in findings) or not findings[0].sound
    for finding in findings:
        assert texts(finding)


def test_a_push_shows_its_values(cosem: Cosem) -> None:
    ran = cosem("decode", PUSH)
    assert (ran.code, ran.err) == (0, "")
    for text in ("frame: UI", "data-notification", "(1.0.1.7.0.255)", "double-long-unsigned 11050", "enum 27"):
        assert text in ran.out


@pytest.mark.parametrize(
    "pasted",
    [
        PUSH.lower(),
        " ".join(PUSH[at : at + 2] for at in range(0, len(PUSH), 2)),
        ":".join(PUSH[at : at + 2] for at in range(0, len(PUSH), 2)),
        "{" + ", ".join(f"0x{PUSH[at : at + 2]}" for at in range(0, len(PUSH), 2)) + "};",
        "b'" + "".join(f"\\x{PUSH[at : at + 2]}" for at in range(0, len(PUSH), 2)) + "'",
        "\n".join(PUSH[at : at + 32] for at in range(0, len(PUSH), 32)),
        f"RX: 09:35:09.123 {PUSH}",
        f"TX:\t09:35:08 \n<- 09:35:09 {PUSH[:20]}\n{PUSH[20:]}",
        f"2024-02-29 13:45:10,123 DEBUG [meter 12] received: {PUSH}",
        f"[13:45:10][D][dlms:042]: 44 bytes {' '.join(PUSH[at : at + 2] for at in range(0, len(PUSH), 2))} end",
        "\n".join(
            f"{at // 2:04x}  {' '.join(PUSH[at + by : at + by + 2] for by in range(0, min(32, len(PUSH) - at), 2))}"
            for at in range(0, len(PUSH), 32)
        ),
    ],
)
def test_whatever_people_paste(cosem: Cosem, pasted: str) -> None:
    ran = cosem("decode", "--json", given=pasted)
    assert ran.code == 0
    assert [part["octets"] for part in ran.json["parts"]] == [PUSH]


def test_octets_as_arguments_or_from_a_file(cosem: Cosem, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(f"first\nRX: {PUSH}\n")
    for words in ((PUSH[:10], PUSH[10:]), ("--file", tmp_path / "log.txt")):
        assert "11050" in cosem("decode", *words).out


@pytest.mark.parametrize("pasted", ["", "no octets here", "7EA", "zz"])
def test_no_octets_are_bad_usage(cosem: Cosem, pasted: str) -> None:
    ran = cosem("decode", given=pasted)
    assert (ran.code, ran.out) == (64, "")


def test_without_a_key_the_header_is_shown(cosem: Cosem) -> None:
    ran = cosem("decode", f"DB08{CLIENT_TITLE}{CIPHERED[2:]}")
    assert ran.code == 0
    assert f"system_title: {CLIENT_TITLE} (manufacturer MMM: MATRICA; number 0000BC614E)" in ran.out
    assert "suite 0, authentication, encryption" in ran.out
    assert "invocation_counter: 19088743" in ran.out
    assert "--key and --auth-key look into it" in ran.err


def test_with_both_keys_it_is_verified(cosem: Cosem, tmp_path: Path) -> None:
    (tmp_path / "ek").write_text(EK)
    (tmp_path / "ak").write_text(AK)
    keys = ("--key", f"file:{tmp_path / 'ek'}", "--auth-key", f"file:{tmp_path / 'ak'}")
    ran = cosem("decode", CIPHERED, *keys, "--system-title", CLIENT_TITLE)
    assert ran.code == 0
    assert "plain: opened, authentication verified" in ran.out
    assert "instance_id: 0.0.1.0.0.255" in ran.out
    assert EK not in ran.everything


def test_with_the_encryption_key_alone_it_is_marked(cosem: Cosem) -> None:
    ran = cosem("decode", CIPHERED, "--key", EK, "--system-title", CLIENT_TITLE)
    assert ran.code == 0
    assert "decrypted, NOT AUTHENTICATED: no authentication key" in ran.out
    assert "instance_id: 0.0.1.0.0.255" in ran.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("--key", EK, "--auth-key", EK[2:] + "77", "--system-title", CLIENT_TITLE),
            "the authentication key is another",
        ),
        (("--key", EK[2:] + "77", "--auth-key", AK, "--system-title", CLIENT_TITLE), "the encryption key is another"),
        (("--key", EK, "--auth-key", AK, "--system-title", "4D4D4D0000BC614F"), "or the system title of the sender is"),
        (("--key", EK, "--auth-key", AK), "the system title of its sender is not known"),
    ],
)
def test_what_does_not_open_says_which_secret_is_wrong(cosem: Cosem, words: tuple[str, ...], reason: str) -> None:
    ran = cosem("decode", CIPHERED, *words)
    assert ran.code == 1
    assert reason in ran.out


@pytest.mark.parametrize("case", SECURITY["protected"], ids=lambda case: case["name"])
def test_every_protection_of_the_worked_examples(case: Any) -> None:
    dissector = Dissector(Key.from_hex(EK), Key.from_hex(AK), [bytes.fromhex(case["title"])])
    (finding,) = dissector.dissect(bytes.fromhex(case["envelope"]))
    assert finding.sound
    assert "plain" in names(finding.tree)


def test_what_was_never_encrypted_is_shown_without_a_key() -> None:
    (case,) = (each for each in SECURITY["protected"] if each["name"] == "get-request, authenticated")
    (finding,) = Dissector().dissect(bytes.fromhex(case["envelope"]))
    assert "was never encrypted; NOT AUTHENTICATED" in texts(finding)
    assert "get-request-normal" in set(names(finding.tree))


def test_titles_and_dedicated_key_come_from_the_conversation(cosem: Cosem, served: Any) -> None:
    ek, ak = "5A1B2C3D4E5F60718293A4B5C6D7E8F9", "C4B1E07A93D25F6884AA10F7362B9ED3"
    trace = cosem("read", f"{served.hdlc}?client=1", "1.8.0", "-vv", "--ek", ek, "--ak", ak)
    assert trace.code == 0
    ran = cosem("decode", "--key", ek, "--auth-key", ak, given=trace.err)
    assert ran.code == 0
    assert "double-long-unsigned 12345678" in ran.out
    assert ran.out.count("opened, authentication verified") >= 6
    assert "NOT AUTHENTICATED" not in ran.out


def test_damage_ends_in_1_and_is_shown(cosem: Cosem) -> None:
    damaged = PUSH.replace("2B2A", "2B2B")
    ran = cosem("decode", damaged)
    assert ran.code == 1
    assert "damaged" in ran.out
    cut = cosem("decode", PUSH[:60])
    assert cut.code == 1
    assert "cut off" in cut.out


def test_segments_are_put_together(cosem: Cosem, served: Any) -> None:
    trace = cosem("browse", served.hdlc + "?window=1&information=128", "-vv").err
    ran = cosem("decode", "--json", given=trace)
    assert ran.code == 0
    layers = [layer for part in ran.json["parts"] for layer in part["layers"] if layer["layer"] == "HDLC segments"]
    assert layers
    assert layers[-1]["tree"]["text"].startswith("from ")
    assert layers[-1]["tree"]["children"][-1]["name"].startswith("get-response")


def test_text_in_octets_cannot_harm_a_terminal(cosem: Cosem) -> None:
    ran = cosem("decode", "0A061B5B324A5B62")
    assert ran.code == 0
    assert "\x1b" not in ran.everything
    assert "\\x1b[2J[b" in ran.out


@given(st.binary(max_size=80))
def test_no_octets_at_all_raise(octets: bytes) -> None:
    dissector = Dissector(Key(bytes(range(1, 33, 2))), Key(bytes(range(0, 32, 2))), [b"TST00001"])
    for finding in dissector.dissect(octets):
        assert texts(finding)
        assert finding.sound in (True, False)


@given(st.text(max_size=200))
def test_no_text_at_all_raises(pasted: str) -> None:
    try:
        assert all(part.octets for part in parts(pasted))
    except ConfigurationError as error:
        assert str(error)


def capture(name: str) -> Any:
    return next(case for case in cases("hdlc_captures.jsonl") if case["id"] == name)


def test_a_push_in_blocks_of_a_frame_each_is_put_together(cosem: Cosem) -> None:
    case = capture("made-e450-cy-blocks")
    ran = cosem("decode", given=case["hex"].replace(" ", "\n"))
    assert (ran.code, ran.err) == (0, "")
    assert "block_control: 0x40 (streaming, window 0)" in ran.out
    assert "reassembled: from 3 blocks" in ran.out
    assert "data-notification" in ran.out
    values = [item["value"] for item in case["expected"]["items"] if isinstance(item["value"], int)]
    assert len(values) >= 9
    for value in values[:-1]:
        assert f"double-long-unsigned {value}" in ran.out


def test_a_ciphered_push_in_blocks_is_opened_when_it_is_whole(cosem: Cosem) -> None:
    case = capture("made-e450-ciphered-blocks")
    ran = cosem("decode", "--key", EK, "--auth-key", AK, given=case["hex"])
    assert ran.code == 0, ran.err
    assert "opened, authentication verified" in ran.out
    assert "double-long-unsigned 12048950" in ran.out
    opened = [
        node
        for finding in Dissector(Key.from_hex(EK), Key.from_hex(AK)).dissect(
            bytes.fromhex(case["hex"].replace(" ", ""))
        )
        for node in plain_nodes(finding.tree)
    ]
    assert [node.inner.hex() for node in opened if node.inner is not None] == [case["expected"]["plaintext"]]


def plain_nodes(tree: Node) -> Iterator[Node]:
    if tree.name == "plain":
        yield tree
    for child in tree.children:
        yield from plain_nodes(child)


def test_blocks_that_came_again_or_late_are_put_in_order() -> None:
    vectors = json.loads((VECTORS / "general_block.json").read_text())
    for scenario in vectors["scenarios"]:
        dissector = Dissector()
        findings = [
            finding
            for pair in scenario["blocks"]
            for octets in pair
            if octets
            for finding in dissector.dissect(bytes.fromhex(octets))
        ]
        wholes = [finding.octets for finding in findings if finding.layer == "general block transfer"]
        assert [whole.hex().upper() for whole in wholes] == [vectors["whole"]]


def test_a_first_block_alone_is_shown_and_nothing_is_made_up(cosem: Cosem) -> None:
    ran = cosem("decode", capture("made-e450-ciphered-blocks")["hex"].split()[0])
    assert ran.code == 0
    assert "general-block-transfer" in ran.out
    assert "reassembled" not in ran.out


GENERAL = json.loads((VECTORS / "general.json").read_text())


def general(name: str) -> str:
    return next(str(case["envelope"]) for case in GENERAL["made"] if case["name"] == name)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("suite 1, identified key, unicast", ("--key",), "opened, authentication verified"),
        ("suite 1, identified key, broadcast", ("--broadcast-key",), "opened, authentication verified"),
        ("suite 1, wrapped key", ("--master-key",), "opened, authentication verified"),
        ("suite 1, one-pass Diffie-Hellman", ("--agreement-key", "--peer-signing-key"), "authentication verified"),
        ("suite 1, static unified", ("--agreement-key", "--peer-agreement-key"), "opened, authentication verified"),
        ("suite 1, signed", ("--peer-signing-key",), "signature verified"),
        ("suite 1, signed", (), "no key to check the signature"),
        (
            "suite 2, signed, then ciphered under an identified key",
            ("--key", "--peer-signing-key"),
            "signature verified",
        ),
    ],
)
def test_general_ciphering_and_signing_open_with_their_keys(
    cosem: Callable[..., Any], name: str, options: tuple[str, ...], says: str
) -> None:
    given = GENERAL["keys"][name[6]]
    keys = {
        "--key": given["encryption"],
        "--broadcast-key": given["broadcast"],
        "--master-key": given["master"],
        "--agreement-key": given["recipient"]["agreement"]["private"],
        "--peer-agreement-key": given["originator"]["agreement"]["public"],
        "--peer-signing-key": given["originator"]["signing"]["public"],
    }
    words = [word for option in options for word in (option, keys[option])]
    ran = cosem("decode", general(name), "--auth-key", given["authentication"], *words)
    assert says in ran.out
    # The SET in the vector of a broadcast has an octet too many: it opens, and is said to be malformed.
    assert "instance_id: 0.0.1.0.0.255" in ran.out
    assert ran.code == (1 if "broadcast" in name else 0)
    if options and "signed" not in name:
        closed = cosem("decode", general(name))
        assert "some of this is ciphered" in closed.err


def test_the_zone_of_a_telegram_is_named_or_said(cosem: Cosem) -> None:
    cases = [json.loads(line) for line in (VECTORS / "tic.jsonl").read_text(encoding="utf-8").splitlines()]
    text = next(each["text"] for each in cases if each["id"] == "linkytic-standard")
    assert "taken for that of this machine" in cosem("decode", given=text).err
    ran = cosem("decode", "--zone", "Asia/Tokyo", given=text)
    assert "taken for" not in ran.err
    ran = cosem("decode", "--zone", "Nowhere", given=text)
    assert (ran.code, "--zone 'Nowhere'" in ran.err) == (64, True)
