"""`cosem read` against a served meter: values, JSON, exit codes, and what must not be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EK, AK, PASSWORD = "5A1B2C3D4E5F60718293A4B5C6D7E8F9", "C4B1E07A93D25F6884AA10F7362B9ED3", "s3cret-of-the-meter"

Cosem = Callable[..., Any]


def test_a_register_has_its_scaler_and_unit(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.wrapper, "1.8.0")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].split() == [
        *("1.0.1.8.0.255", "3/2", "value", "Active", "energy", "import", "1234567.8", "Wh"),
    ]
    assert ran.err == ""


def test_who_reads_a_buffer_is_told_what_shows_its_rows(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.wrapper, "7/1.0.99.1.0.255/2")
    assert ran.code == 0
    assert "cosem profile" in ran.err


@pytest.mark.parametrize("reference", ["1-0:1.8.0*255", "1.0.1.8.0.255:value", "3/1.0.1.8.0.255/2", "0100010800FF:2"])
def test_every_form_of_a_reference_names_the_same(cosem: Cosem, served: Any, reference: str) -> None:
    (reading,) = cosem("read", served.wrapper, reference, "--json").json["readings"]
    assert (reading["reference"], reading["value"], reading["unit"]) == ("3/1.0.1.8.0.255/2", 1234567.8, "Wh")


def test_json_has_exact_numbers_and_all_that_is_known(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.wrapper, "1.8.0", "1.8.0:scaler_unit", "0.0.42.0.0.255", "--json")
    assert ran.code == 0
    assert '"value": 1234567.8,' in ran.out
    register, unit, name = ran.json["readings"]
    assert register == {
        "asked": "1.0.1.8.0.255",
        "reference": "3/1.0.1.8.0.255/2",
        "class_id": 3,
        "obis": "1.0.1.8.0.255",
        "attribute": 2,
        "attribute_name": "value",
        "name": "Active energy import",
        "type": "double-long-unsigned",
        "value": 1234567.8,
        "unit": "Wh",
        "raw": 12345678,
        "scaler": -1,
    }
    assert unit["value"] == {"scaler": -1, "unit": {"code": 30, "name": "watt-hour"}}
    assert (name["value"], name["type"], name["octets"]) == (
        "TST0000000000001",
        "octet-string",
        b"TST0000000000001".hex().upper(),
    )


def test_the_class_comes_from_the_object_list_where_the_catalogue_is_wrong(cosem: Cosem, served: Any) -> None:
    (reading,) = cosem("read", served.hdlc, "2.8.0", "--json").json["readings"]
    assert (reading["reference"], reading["value"]) == ("1/1.0.2.8.0.255/2", 77)


def test_a_class_that_was_written_is_not_replaced(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.wrapper, "3/2.8.0/2", "--json")
    assert ran.code == 1
    assert ran.json["readings"][0]["error"]["kind"] == "DataAccessError"


def test_one_refusal_ends_in_1_and_the_others_are_read(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.wrapper, "1.8.0", "1.0.99.99.9.255", "0.0.1.0.0.255:scaler_unit")
    assert ran.code == 1
    assert "1234567.8" in ran.out
    assert ran.err.splitlines() == [
        "error: 1.0.99.99.9.255: the meter refused 7/1.0.99.99.9.255/2 (object-undefined)",
        "  the meter has no such object for this client; likely: the model or its configuration lacks it, or another "
        "client sees it, or it is in another logical device",
        "  try: cosem browse URL, which shows what this client sees; another client or server in the URL",
        "error: 0.0.1.0.0.255:scaler_unit: Clock has no attribute 'scaler_unit'; it has 1 logical_name, 2 time, "
        "3 time_zone, 4 status, 5 daylight_savings_begin, 6 daylight_savings_end, 7 daylight_savings_deviation, "
        "8 daylight_savings_enabled, 9 clock_base",
    ]


def test_no_connection_ends_in_2_and_says_what_to_try(cosem: Cosem, nobody: str) -> None:
    ran = cosem("read", nobody, "1.8.0")
    assert (ran.code, ran.out) == (2, "")
    assert [line.split(":")[0].strip() for line in ran.err.splitlines()] == [
        "error",
        "layer",
        "expected",
        "means",
        "likely",
        "another program holds it",
        "a firewall, or a mobile network that lets nobody in",
        "try",
    ]
    assert "refused the connection" in ran.err


def test_a_refused_association_ends_in_2(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", f"{served.wrapper}?client=32", "1.8.0", "--password", "wrong")
    assert (ran.code, ran.out) == (2, "")
    assert "authentication failure" in ran.err
    assert "layer:    application layer (association)" in ran.err
    assert "likely:   the password or key is wrong" in ran.err


def test_a_meter_that_hangs_up_ends_in_3(cosem: Cosem, deserter: str) -> None:
    ran = cosem("read", deserter, "1.8.0")
    assert (ran.code, ran.out) == (3, "")
    assert "the session was lost" in ran.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("foo://127.0.0.1", "1.8.0"), "a right URL is for example"),
        (("tcp://127.0.0.1", "1.8.x"), "is no OBIS code"),
        (("tcp://127.0.0.1", "3/1.8.0/values"), "Register has no attribute 'values'"),
        (("tcp://127.0.0.1", "1.8.0:values"), "Register has no attribute 'values'"),
        (("tcp://127.0.0.1",), "say what to read"),
        (("tcp://127.0.0.1", "1.8.0", "--programming", "R5"), "local port"),
        (("iec21+tcp://127.0.0.1:1", "--programming", "R5"), "what to read with it"),
        (("iec21+tcp://127.0.0.1:1", "--option", "2x"), "0 is the usual readout"),
        (("tcp://127.0.0.1", "1.8.0", "--nonsense"), "No such option"),
        (("tcp://127.0.0.1", "1.8.0", "--auth", "strong"), "none, low, md5, sha1, gmac, sha256"),
        (("tcp://127.0.0.1", "1.8.0", "--auth", "gmac"), "ek"),
        (("tcp://127.0.0.1", "1.8.0", "--auth", "low"), "password"),
        (("tcp://127.0.0.1", "1.8.0", "--protection", "all"), "none, auth, enc, auth+enc"),
        (("tcp://127.0.0.1", "1.8.0", "--invocation-counter", "x"), "write a number, or read"),
        (("tcp://127.0.0.1", "1.8.0", "--invocation-counter", "5", "--counter-object", "0.0.43.1.0.255"), "read"),
        (("tcp://192.0.2.7", "1.8.0", "--demo-keys"), "this machine only"),
        (("tcp://127.0.0.1", "1.8.0", "--demo-keys", "--ek", "env:X"), "stands for --ek"),
        (("tcp://127.0.0.1", "1.8.0", "--ek", "env:THERE_IS_NO_SUCH"), "--ek: there is no environment variable"),
        (("tcp://127.0.0.1", "1.8.0", "--ek", "file:/there/is/no/such"), "--ek: cannot read the file"),
        (("tcp://127.0.0.1", "1.8.0", "--timeout", "0"), "timeout"),
    ],
)
def test_bad_usage_ends_in_64_before_anything_is_sent(cosem: Cosem, words: tuple[str, ...], complaint: str) -> None:
    ran = cosem("read", *words)
    assert (ran.code, ran.out) == (64, "")
    assert complaint in ran.err


def test_keys_enter_over_both_framings(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    (tmp_path / "ek").write_text(EK)
    (tmp_path / "ak").write_text(AK)
    for where in (served.wrapper, served.hdlc):
        ran = cosem(
            *("read", f"{where}?client=1", "1.8.0", "--ek", f"file:{tmp_path / 'ek'}"),
            *("--ak", f"file:{tmp_path / 'ak'}", "--invocation-counter", "read", "--counter-object", "0.0.43.1.3.255"),
        )
        assert (ran.code, "1234567.8" in ran.out) == (0, True), ran.err


def test_a_counter_typed_too_high_needs_an_approval(cosem: Cosem, nobody: str) -> None:
    words = ("read", f"{nobody}?client=1", "1.8.0", "--ek", EK, "--ak", AK, "--invocation-counter", "4294967290")
    refused, approved = cosem(*words), cosem(*words, "--approve-counter")
    assert (refused.code, approved.code) == (2, 2)
    assert "--approve-counter" in refused.err
    assert "layer:    security" in refused.err
    assert "--approve-counter" not in approved.err, "believed, and then nobody was there"
    assert "layer:    transport" in approved.err


@pytest.mark.parametrize("verbosity", [(), ("-v",), ("-v", "--json")])
@pytest.mark.parametrize("client", [1, 2, 32])
def test_no_output_holds_a_secret(cosem: Cosem, served: Any, client: int, verbosity: tuple[str, ...]) -> None:
    secrets = ("--password", PASSWORD, "--auth", "low") if client == 32 else ("--ek", EK, "--ak", AK)
    ran = cosem("read", f"{served.wrapper}?client={client}", "1.8.0", "0.0.99.99.9.255", *secrets, *verbosity)
    assert ran.code in (1, 2)
    for secret in (EK, AK, PASSWORD, PASSWORD.encode().hex()):
        assert secret.lower() not in ran.everything.lower()
    assert "file: and env: are safer" in ran.err


@pytest.mark.parametrize("damaged", [EK[:-1], EK[:-2], EK + "00", f"x{EK}", f"file:{EK}", f"env:{EK}"])
def test_a_mistyped_key_is_not_shown(cosem: Cosem, damaged: str) -> None:
    ran = cosem("read", "tcp://127.0.0.1", "1.8.0", "--ek", damaged)
    assert ran.code == 64
    assert EK[:-2] not in ran.everything


def test_weak_mechanisms_are_taken_by_name_and_warned_of(cosem: Cosem, nobody: str) -> None:
    ran = cosem("read", nobody, "1.8.0", "--auth", "md5", "--password", "env:HOME")
    assert ran.code == 2
    assert "warning: HLS mechanism 3: MD5 is broken" in ran.err


def test_a_password_in_clear_is_warned_of_once(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", f"{served.wrapper}?client=32", "1.8.0", "--password", PASSWORD)
    assert ran.code == 0
    assert ran.err.count("in clear") == 1


def test_verbose_says_how_the_url_was_understood_and_what_was_agreed(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", f"{served.hdlc}?client=0x10", "1.8.0", "-v")
    assert ran.code == 0
    assert "HDLC over TCP" in ran.err
    assert "client 16 (0x10)" in ran.err
    assert "protection none" in ran.err
    assert "multiple-references" in ran.err
    assert "TX:" not in ran.err


def test_decode_reads_back_what_the_trace_prints(cosem: Cosem, served: Any) -> None:
    ran = cosem("read", served.hdlc, "1.8.0", "-vv")
    assert ran.err.count("TX: ") >= 4
    decoded = cosem("decode", "-", "--json", given=ran.err)
    assert decoded.code == 0
    text = json.dumps(decoded.json)
    assert "get-request-with-list" in text
    assert "double-long-unsigned 12345678" in text
    assert {part["direction"] for part in decoded.json["parts"]} == {"TX", "RX"}


def test_text_of_a_meter_cannot_harm_a_terminal(cosem: Cosem, served: Any) -> None:
    for words in (("read", served.wrapper, "0.0.96.1.0.255"), ("profile", served.wrapper, "1.0.99.1.0.255")):
        ran = cosem(*words)
        assert ran.code == 0
        assert "\x1b" not in ran.everything
        assert "\u202e" not in ran.everything
    assert "\\x1b[2J[bold]=cmd\\u202e" in cosem("read", served.wrapper, "0.0.96.1.0.255").out


def test_the_timeout_is_what_was_asked_for(cosem: Cosem, served: Any) -> None:
    # The meter waits for the rest of what it takes for a wrapper header, and says nothing.
    ran = cosem("read", served.wrapper.replace("tcp://", "hdlc+tcp://"), "1.8.0", "--timeout", "0.2")
    assert ran.code == 2
    assert "layer:" in ran.err


def test_general_block_transfer_is_negotiated_where_it_was_asked_for(cosem: Cosem, served: Any) -> None:
    for words, negotiated in (((), False), (("--gbt-window", 16), True)):
        ran = cosem("read", served.wrapper, "1.8.0", "-v", *words)
        assert ran.code == 0, ran.err
        assert ("general-block-transfer" in ran.err) is negotiated
    for wrong in (-1, 64):
        assert cosem("read", served.wrapper, "1.8.0", "--gbt-window", wrong).code == 64


def test_deltas_are_negotiated_where_they_were_asked_for(cosem: Cosem, served: Any) -> None:
    for words, negotiated in (((), False), (("--delta-values",), True)):
        ran = cosem("read", served.wrapper, "1.8.0", "-v", *words)
        assert ran.code == 0, ran.err
        assert ("delta-value-encoding" in ran.err) is negotiated
