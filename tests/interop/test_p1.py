"""P1 telegrams: dsmr-parser and ours agree on every telegram that both accept, line by line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.meter.demo import household
from cosem.meter.p1 import telegram_of
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21.moment import p1_moment
from cosem.protocol.iec21.p1 import Check, P1Keys, Telegram, seal, telegram, telegrams
from cosem.protocol.iec21.telegram import DataSet, Value

Peer = Callable[[list[str], list[list[str]]], dict[str, Any]]

ROOT = Path(__file__).resolve().parents[2]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/p1.jsonl").read_text("utf-8").splitlines()]
CLEAR = [case for case in CASES if "text" in case]
SEALED = next(case for case in CASES if case["id"] == "esphome-dsmr-encrypted-t210")
ZONE = ZoneInfo("Europe/Amsterdam")
WITH_CHECK = ("V5", "BELGIUM_FLUVIUS", "SWEDEN", "EON_HUNGARY")
"""Specifications of the peer that check the CRC."""


def ours(text: str) -> Telegram | None:
    found = [each for each in telegrams(text.encode("latin-1")) if isinstance(each, Telegram)]
    return found[0] if len(found) == 1 else None


def agree(value: Value, kind: str, said: str | None, unit: str | None, times: Counter[str]) -> bool:
    """Tell whether the peer says the same of a value as we."""
    if said is None:  # an empty value, or a time that is none
        return not value.text or p1_moment(value.text) is None
    if kind == "time":
        moment = p1_moment(value.text)
        assert moment is not None
        if moment.summer is not None and bool(moment.local.replace(tzinfo=ZONE).dst()) != moment.summer:
            times["letters that contradict the zone"] += 1
            return True  # where we believe the letter, and the peer the zone
        return moment.at(ZONE).astimezone(UTC) == datetime.fromisoformat(said)
    if kind in ("Decimal", "int"):
        return value.number == Decimal(said) and (unit or "") == value.unit
    return said == value.text and (unit or "") == value.unit


def matching(found: Telegram, address: str) -> list[DataSet]:
    return [each for each in found.sets if each.address == address and each.error is None]


def test_agreement_on_every_check(dsmr_parser: Peer) -> None:
    answer = dsmr_parser([case["text"] for case in CLEAR], [])
    verdicts: Counter[tuple[bool, bool]] = Counter()
    for case, peer in zip(CLEAR, answer["clear"], strict=True):
        found = ours(case["text"])
        for name in WITH_CHECK:
            accepted = "lines" in peer[name]
            right = found is not None and found.check is Check.RIGHT
            assert accepted == right, (case["id"], name, peer[name])
            verdicts[accepted, right] += 1
    assert verdicts[True, True] > 100
    assert verdicts[False, False] > 50


def test_agreement_on_every_line(dsmr_parser: Peer) -> None:
    answer = dsmr_parser([case["text"] for case in CLEAR], [])
    seen: Counter[str] = Counter()
    for case, peer in zip(CLEAR, answer["clear"], strict=True):
        found = ours(case["text"])
        if found is None or found.error is not None:
            continue  # the peer has specifications without a check, which accept it
        for name, parsed in peer.items():
            for address, groups in parsed.get("lines", ()):
                sets = matching(found, address)
                assert sets, (case["id"], name, address)
                seen["lines"] += 1
                ok = any(same(each, found, groups, seen) for each in sets)
                assert ok, (case["id"], name, address, groups, [str(each) for each in sets])
    assert seen["lines"] > 3000
    assert seen["letters that contradict the zone"] < 60


def same(each: DataSet, found: Telegram, groups: list[list[list[Any]]], seen: Counter[str]) -> bool:
    """Compare what the peer makes of a line with our set, and the values that go on in the next line."""
    values = list(each.values)
    at = found.sets.index(each) + 1
    while at < len(found.sets) and not found.sets[at].address:
        values += found.sets[at].values
        at += 1
    parts = [part for group in groups for part in group]
    if [text for _, text, _ in parts] == ["0", None]:
        return not any(value.text for value in values) or values[0].number == 0  # a log with no entry
    if len(groups) > 1 or (groups and len(values) > len(parts)):
        # A log: the peer leaves out how many entries it has and what they are of.
        values = values[len(values) - len(parts) :] if len(parts) <= len(values) else values
    if len(parts) > len(values):
        return False
    return all(agree(value, *part, seen) for value, part in zip(values, parts, strict=False))


def test_agreement_on_encrypted_telegrams(dsmr_parser: Peer) -> None:
    keys = P1Keys(encryption_key=Key(bytes(range(1, 17))))
    made = telegram(
        "EST5TEST", [("0-0:1.0.0", "240112120000W"), ("1-0:1.8.0", "006545766*Wh"), ("1-0:1.7.0", "000000286*W")]
    )
    own = seal(made, keys, b"KFM12345", 7)
    assert keys.authentication_key is not None
    given = [
        [SEALED["hex"], SEALED["key"], SEALED["auth_key"]],
        [own.hex(), keys.encryption_key.reveal().hex(), keys.authentication_key.reveal().hex()],
        [own[:-1].hex() + "00", keys.encryption_key.reveal().hex(), keys.authentication_key.reveal().hex()],
    ]
    captured, ours_, altered = (each["SAGEMCOM_T210_D_R"] for each in dsmr_parser([], given)["sealed"])
    plain = ours(SEALED["expected"])
    assert plain is not None
    numbers = {value.number for each in plain.sets for value in each.values if value.unit}
    said = {Decimal(text) for kind, text, unit in captured["values"] if kind == "Decimal"}
    assert said and said <= numbers
    assert {text for kind, text, _ in ours_["values"] if kind == "Decimal"} == {"6545766", "286"}
    assert "Decrypt" in altered["error"]


def test_the_peer_understands_what_we_send(dsmr_parser: Peer) -> None:
    meter = household(1, zone=ZONE)
    text = telegram_of(meter).decode("latin-1")
    (answer,) = dsmr_parser([text], [])["clear"]
    found = ours(text)
    assert found is not None
    lines = answer["V5"]["lines"]
    assert len(lines) > 12
    for address, groups in lines:
        (each,) = matching(found, address)
        assert same(each, found, groups, Counter()), (address, groups)


@pytest.mark.parametrize("octet", range(0, 700, 25))
def test_neither_believes_a_telegram_with_one_wrong_octet(octet: int) -> None:
    text = next(case["text"] for case in CLEAR if case["id"] == "ndokter-v5").encode("latin-1")
    damaged = bytearray(text)
    damaged[octet] ^= 1
    found = telegrams(bytes(damaged))
    assert all(not isinstance(each, Telegram) or each.error is not None for each in found)
