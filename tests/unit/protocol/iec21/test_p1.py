"""P1 telegrams: captures of many makers, what stands between and within them, encryption, and limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.danger import Weakness, allow
from cosem.errors import ConfigurationError, CosemError, DecodeError, RemoteProtocolError, SecurityError
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import (
    Check,
    P1Event,
    P1Keys,
    P1Reader,
    P1Settings,
    Seal,
    Telegram,
    data_set,
    hexadecimal_text,
    seal,
    telegram,
    telegrams,
    unsealed,
)
from cosem.protocol.iec21.telegram import data_sets
from cosem.protocol.values.obis import Obis

ROOT = Path(__file__).resolve().parents[4]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/p1.jsonl").read_text("utf-8").splitlines()]
CLEAR = {case["id"]: case for case in CASES if "text" in case}
SEALED = {case["id"]: case for case in CASES if "hex" in case}
PARTIAL = {
    "amsreader-sagemcom-gh264-1",
    "athombv-iskra-mt-382-no-crc-with-text-message",
    "dsmrparser-issue53-wasion-hu",
    "zuidwijk-lithuania-eso",
}
"""Captures without the line that ends a telegram."""

KEY = Key(bytes(range(16, 32)))
TITLE = b"SAG12345"


def octets_of(name: str) -> bytes:
    text: str = CLEAR[name]["text"]
    return text.encode("latin-1")


def one(octets: bytes, keys: P1Keys | None = None) -> Telegram:
    (event,) = telegrams(octets, keys)
    assert isinstance(event, Telegram), event
    return event


def keys_of(case: dict[str, Any]) -> P1Keys:
    own = case["auth_key"]
    return P1Keys(encryption_key=Key.from_hex(case["key"]), authentication_key=own and Key.from_hex(own))


@pytest.mark.parametrize("name", sorted(CLEAR.keys() - PARTIAL))
def test_captures(name: str) -> None:
    found = one(octets_of(name))
    case = CLEAR[name]
    assert found.check.value == case["crc"]
    assert (found.error is not None) == (case["crc"] == "wrong")
    for line in case["text"].splitlines():
        if line.endswith(")") and not line.startswith("(") and name != "amsreader-kamstrup-gh712-2":
            assert line in [str(each) for each in found.sets]
    assert [each for each in found.sets if each.error is not None] == []


@pytest.mark.parametrize("name", sorted(PARTIAL))
def test_captures_without_an_end_are_no_telegrams(name: str) -> None:
    (event,) = telegrams(octets_of(name))
    assert isinstance(event, Discarded)
    assert isinstance(event.error, RemoteProtocolError)
    body = event.octets.partition(b"\r\n")[2]
    assert sum(each.error is None for each in data_sets(body)) > 15


@pytest.mark.parametrize("name", [name for name, case in CLEAR.items() if (case["expected"] or {}).get("objects")])
def test_sets_that_a_source_states(name: str) -> None:
    expected = CLEAR[name]["expected"]
    (event,) = telegrams(octets_of(name))
    sets = event.sets if isinstance(event, Telegram) else tuple(data_sets(event.octets.partition(b"\n")[2]))
    stated = [*expected["objects"], *expected["unknown_objects"]]
    # The source leaves out what it does not understand: the first printing of DSMR 4.0 has two addresses with typos.
    assert set(stated) <= {str(each) for each in sets}
    assert len(sets) - len(stated) <= (3 if event.error else 1)
    first = octets_of(name).lstrip().partition(b"\r\n")[0].decode("latin-1")
    identifier = expected["identifier"]
    assert first == f"/{identifier['xxx']}{identifier['z']}{identifier['identifier']}"


@pytest.mark.parametrize("name", sorted(SEALED))
def test_encrypted_captures(name: str) -> None:
    case = SEALED[name]
    octets = bytes.fromhex(case["hex"])
    found = one(octets, keys_of(case))
    assert found.octets.decode("latin-1").strip() == case["expected"].strip()
    assert found.seal is not None
    assert found.seal.system_title.hex() == case["system_title"]
    # The examples of the Luxembourg specification carry a CRC that their own text does not have.
    assert found.check is (Check.WRONG if "lux" in name else Check.RIGHT)


@pytest.mark.parametrize("name", sorted(SEALED))
def test_encrypted_telegrams_that_are_altered_or_not_ours(name: str) -> None:
    case = SEALED[name]
    octets = bytearray.fromhex(case["hex"])
    (event,) = telegrams(bytes(octets))
    assert isinstance(event, Discarded) and isinstance(event.error, ConfigurationError)
    octets[100] ^= 1
    (event,) = telegrams(bytes(octets), keys_of(case))
    assert isinstance(event, Discarded) and isinstance(event.error, SecurityError)


def test_who_made_the_meter_is_told_by_its_letters() -> None:
    assert one(octets_of("athombv-dsmr-4-2-kfm-1")).maker == "Shenzhen Kaifa Technology Chengdu, China"
    assert one(octets_of("athombv-dsmr-5-0-isk-1")).maker == "Iskraemeco, Slovenia"
    assert one(octets_of("robthree-v5-ok")).maker is None


def test_what_a_telegram_says_of_itself() -> None:
    found = one(octets_of("robthree-v5-ok"))
    assert found.identification == "Test\\V5-Telegram"
    assert found.manufacturer == "Tes"
    assert found.version == "50"
    assert found.moment is not None and found.moment.local.isoformat() == "2010-12-09T11:30:20"
    assert [device.channel for device in found.devices] == [1, 2, 3, 4]
    assert [device.type for device in found.devices] == [303, 909, 808, 101]
    assert len(found.devices[0].identification or "") == 17
    assert found.text(Obis("1-0:1.8.1")) == "123456.789"
    assert found.find(Obis("1-0:1.8.9")) is None


def test_absent_device_and_belgian_version() -> None:
    assert one(octets_of("ndokter-fluvius-v171-alt")).version == "50217"
    found = one(octets_of("wassasin-mcs"))
    assert found.moment is None, "its clock was never set"
    (device,) = found.devices
    assert (device.type, device.identification) == (None, None)


def test_texts() -> None:
    assert hexadecimal_text("4B384547303034303436333935353037") == "K8EG004046395507"
    assert hexadecimal_text("96815390") == "96815390"
    assert hexadecimal_text("35462738") == "35462738", "a plain serial number"
    assert hexadecimal_text("ADC3100000158491") == "ADC3100000158491"
    assert hexadecimal_text("41424E0000") == "ABN"
    assert hexadecimal_text("XMX5") == "XMX5"
    assert hexadecimal_text("") == ""


# --- a stream ---------------------------------------------------------------------------------------------------------

GOOD = octets_of("amshan-p1-d")
NEWEST = octets_of("robthree-v5-ok")
OLDEST = octets_of("athombv-dsmr-2-2-kfm-1")


def kinds(events: list[P1Event]) -> list[str]:
    return [event.identification if isinstance(event, Telegram) else "discarded" for event in events]


def test_noise_between_telegrams() -> None:
    reader = P1Reader()
    reader.receive(b"\xff\x00/ / /1 1-0:1.8.1(000)\r\n!12\r\n" + GOOD + b"noise" + OLDEST + NEWEST, 0.0)
    reader.finish()
    assert kinds(reader.events()) == ["LGF5E360", OLDEST[1:].partition(b"\r")[0].decode(), "Test\\V5-Telegram"]
    assert reader.counters["telegrams"] == 3
    assert reader.counters["telegrams_with_check_right"] == 2
    assert reader.counters["octets_skipped"] > 20


def test_joining_in_the_middle() -> None:
    reader = P1Reader()
    reader.receive(GOOD[300:] + NEWEST, 0.0)
    assert kinds(reader.events()) == ["Test\\V5-Telegram"]


def test_another_telegram_begins_before_the_end() -> None:
    for end in (200, 100):
        cut = GOOD[: GOOD.index(b"\r\n", end) + 2]
        assert kinds(telegrams(cut + NEWEST)) == ["discarded", "Test\\V5-Telegram"]


def test_a_telegram_without_crc_is_over_at_the_end_of_its_line() -> None:
    reader = P1Reader()
    reader.receive(OLDEST[:-1], 0.0)
    assert kinds(reader.events()) == [OLDEST[1:].partition(b"\r")[0].decode()]
    reader.receive(b"\n", 0.1)
    reader.tick(100.0)
    assert reader.events() == []
    assert reader.counters["octets_skipped"] == 0


def test_silence_ends_a_telegram() -> None:
    reader = P1Reader(settings=P1Settings(silence=2.0))
    assert reader.deadline() is None
    reader.receive(GOOD[:300], 10.0)
    assert reader.deadline() == 12.0
    reader.tick(11.9)
    assert reader.events() == []
    reader.tick(12.0)
    assert kinds(reader.events()) == ["discarded"]
    assert reader.deadline() is None
    reader.receive(GOOD.rstrip()[:-4], 13.0)  # a telegram that ends with "!" and nothing else
    reader.tick(15.0)
    (event,) = reader.events()
    assert isinstance(event, Telegram) and event.check is Check.ABSENT


def test_no_octet_of_it_may_change() -> None:
    octets = bytearray(NEWEST)
    octets[octets.index(b"123456.789")] ^= 1
    found = one(bytes(octets))
    assert found.check is Check.WRONG
    assert isinstance(found.error, DecodeError)


def test_crc_missing_where_the_version_has_one() -> None:
    found = one(NEWEST.rstrip()[:-4] + b"\r\n")
    assert found.check is Check.WRONG
    assert "version 50" in str(found.error)


def test_telegram_at_the_limit_and_one_octet_over() -> None:
    end = GOOD.index(b"!")  # the octets before the last line have to fit
    for limit, expected in ((end + 1, ["LGF5E360"]), (end, ["discarded"])):
        reader = P1Reader(settings=P1Settings(telegram_octets=limit))
        reader.receive(GOOD, 0.0)
        assert kinds(reader.events()) == expected
    with pytest.raises(ConfigurationError):
        P1Settings(telegram_octets=63)


def test_telegram_without_end_is_bounded() -> None:
    reader = P1Reader(settings=P1Settings(telegram_octets=1000))
    for _ in range(100):
        reader.receive(b"/ISK5abc\r\n\r\n" + b"1-0:1.8.1(1)\r\n" * 100, 0.0)
        assert all(len(event.octets) <= 1000 for event in reader.events())
    assert reader.counters["telegrams"] == 0


# --- making telegrams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["amshan-p1-d", "robthree-v5-ok", "ndokter-v5", "wassasin-mcs"])
def test_made_as_captured(name: str) -> None:
    octets = octets_of(name)
    found = one(octets)
    assert telegram(found.identification, found.sets) == octets.strip() + b"\r\n"


def test_made_as_before_version_4() -> None:
    octets = telegram(
        "KMP5 ZABF", [("1-0:1.8.1", "00185.000*kWh"), data_set("0-0:96.13.0", "")], crc=False, blank=False
    )
    assert octets == b"/KMP5 ZABF\r\n1-0:1.8.1(00185.000*kWh)\r\n0-0:96.13.0()\r\n!\r\n"
    assert one(octets).check is Check.ABSENT


def test_sealed_as_captured() -> None:
    case = SEALED["esphome-dsmr-encrypted-t210"]
    title = bytes.fromhex(case["system_title"])
    plain = case["expected"].encode()
    assert seal(plain, keys_of(case), title, 0x10000001).hex() == case["hex"]


def test_sealed_behind_an_identification_in_clear() -> None:
    keys = P1Keys(encryption_key=KEY)
    whole = telegram("KFM5KAIFA-METER", [("1-0:1.8.0", "000336.420*kWh")])
    head, body = whole[:20], whole[20:]
    for tag in (b"\xdb", b""):
        sealed = seal(body, keys, TITLE, 7)
        found = one(head + tag + sealed[1:], keys)
        assert found.octets == whole.rstrip()
        assert found.seal == Seal(TITLE, 7)
        assert found.check is Check.RIGHT
    # A meter that leaves out its title: it has to be given with the key.
    short = head + b"\x00" + sealed[10:]
    (event,) = telegrams(short, keys)
    assert isinstance(event, Discarded) and isinstance(event.error, ConfigurationError)
    found = one(short, P1Keys(encryption_key=KEY, system_title=TITLE))
    assert found.check is Check.RIGHT
    (event,) = telegrams(short, P1Keys(encryption_key=KEY, system_title=b"OTHER123"))
    assert isinstance(event, Discarded) and isinstance(event.error, SecurityError)


def test_crc_of_what_was_in_clear_is_not_held_against_what_was_sealed() -> None:
    keys = P1Keys(encryption_key=KEY)
    whole = telegram("KFM5KAIFA-METER", [("1-0:1.8.0", "000336.420*kWh")])
    sealed = seal(whole[20:], keys, TITLE, 7)
    found = one(b"/KFM5ANOTHER\r\n\r\n" + sealed[1:], keys)
    assert found.check is Check.SEALED
    assert found.error is None


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"", DecodeError),
        (b"\xdb", DecodeError),
        (b"\xdb\x07abc", DecodeError),
        (b"\xdb\x08" + TITLE + b"\x83\x00\x00\x20" + bytes(32), DecodeError),
        (b"\xdb\x08" + TITLE + b"\x10" + bytes(16), DecodeError),
        (b"\xdb\x08" + TITLE + b"\x11\x10" + bytes(16), SecurityError),
        (b"\xdb\x08" + TITLE + b"\x11\x30" + bytes(16), SecurityError),
        (b"not a telegram", DecodeError),
    ],
)
def test_what_is_no_sealed_telegram(octets: bytes, error: type[CosemError]) -> None:
    with pytest.raises(error):
        unsealed(octets, P1Keys(encryption_key=KEY))


def test_sealed_but_no_telegram() -> None:
    keys = P1Keys(encryption_key=KEY)
    with pytest.raises(DecodeError):
        unsealed(seal(b"/hello", keys, TITLE, 1), keys)


def test_sealed_telegram_over_the_limit() -> None:
    keys = P1Keys(encryption_key=KEY)
    sealed = seal(GOOD.strip(), keys, TITLE, 1)
    for limit, right in ((len(sealed), 1), (len(sealed) - 1, 0)):
        reader = P1Reader(keys, P1Settings(telegram_octets=limit))
        reader.receive(sealed, 0.0)
        assert reader.counters["telegrams"] == right


def test_keys_are_not_shown() -> None:
    assert KEY.reveal().hex() not in repr(P1Keys(encryption_key=KEY))
    with pytest.raises(ConfigurationError):
        P1Keys(encryption_key=KEY, system_title=b"short")


@pytest.mark.parametrize(
    ("second", "check"),
    [(8, Check.REPLAYED), (9, Check.REPLAYED), (10, Check.RIGHT), (0, Check.REPLAYED), (0xFFFFFFFF, Check.RIGHT)],
)
def test_the_counter_of_what_is_sealed_must_grow(second: int, check: Check) -> None:
    keys = P1Keys(encryption_key=KEY)
    reader = P1Reader(keys)
    for counter in (9, second):
        reader.receive(seal(GOOD.strip(), keys, TITLE, counter), 0.0)
    first, again = reader.events()
    assert isinstance(first, Telegram) and isinstance(again, Telegram)
    assert first.check is Check.RIGHT
    assert again.check is check
    assert reader.counters["telegrams_with_check_replayed"] == (check is Check.REPLAYED)
    assert (again.error is not None) is (check is Check.REPLAYED)
    if again.error is not None:
        assert isinstance(again.error, SecurityError)
        assert f"counter {second} was there before, or a higher one" in str(again.error)


def test_the_highest_counter_counts_and_each_meter_has_its_own() -> None:
    keys = P1Keys(encryption_key=KEY)
    reader = P1Reader(keys)
    for title, counter in ((TITLE, 9), (TITLE, 3), (TITLE, 8), (b"OTHER123", 9), (TITLE, 10)):
        reader.receive(seal(GOOD.strip(), keys, title, counter), 0.0)
    found = [each.check for each in reader.events() if isinstance(each, Telegram)]
    assert found == [Check.RIGHT, Check.REPLAYED, Check.REPLAYED, Check.RIGHT, Check.RIGHT]


def test_what_does_not_verify_moves_no_counter() -> None:
    keys, others = P1Keys(encryption_key=KEY), P1Keys(encryption_key=Key(bytes(16)))
    reader = P1Reader(keys)
    reader.receive(seal(GOOD.strip(), others, TITLE, 0xFFFFFFFF) + seal(GOOD.strip(), keys, TITLE, 1), 0.0)
    forged, found = reader.events()
    assert isinstance(forged, Discarded)
    assert isinstance(found, Telegram) and found.check is Check.RIGHT


def test_a_counter_that_does_not_grow_is_taken_where_that_is_permitted() -> None:
    keys = P1Keys(encryption_key=KEY)
    reader = P1Reader(keys, P1Settings(permitted=allow(Weakness.REPLAYED_TELEGRAM)))
    for counter in (9, 9, 8, 10):
        reader.receive(seal(GOOD.strip(), keys, TITLE, counter), 0.0)
    assert [each.check for each in reader.events() if isinstance(each, Telegram)] == [Check.RIGHT] * 4
    assert reader.counters["counters_that_did_not_grow"] == 2
