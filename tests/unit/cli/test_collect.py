"""`cosem collect`: its file, one store for many meters, and what happens to the others when one fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.plan import FORM, duration, load
from cosem.errors import ConfigurationError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore

Cosem = Callable[..., Any]
ROOT = Path(__file__).parents[3]
EK, AK, PASSWORD = "5A1B2C3D4E5F60718293A4B5C6D7E8F9", "C4B1E07A93D25F6884AA10F7362B9ED3", "s3cret-of-the-meter"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Call it with a plan to have it in a file, with the keys beside it that plans here name."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("STREET_AK", AK)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ek.hex").write_text(EK)
    (tmp_path / "password").write_text(PASSWORD)

    def write(text: str) -> Path:
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return path

    return write


def meters(served: Any, *others: tuple[str, str]) -> str:
    tables = [
        ("open", served.wrapper, ""),
        ("ciphered", f"{served.hdlc}?client=1", 'security = "keys"'),
        ("password", f"{served.wrapper}?client=32", 'security = "low"'),
        *((name, url, "") for name, url in others),
    ]
    return """
        store = "out.sqlite"
        [security.keys]
        encryption_key = "file:keys/ek.hex"
        authentication_key = "env:STREET_AK"
        [security.low]
        password = "file:password"
        [defaults]
        read = ["1.8.0", "2.8.0"]
        profiles = [{ obis = "1.0.99.1.0.255", last = "1 day" }]
        timeout = 5
    """ + "".join(f'[[meter]]\nname = "{name}"\nurl = "{url}"\n{more}\n' for name, url, more in tables)


def test_the_example_is_the_form_in_the_help_and_can_be_loaded(written: Any, cosem: Cosem) -> None:
    example = (ROOT / "examples" / "collect.toml").read_text(encoding="utf-8")
    assert example.replace("# A profile", "A profile").endswith(f"{cleandoc(FORM)}\n")
    plan = load(written(example))
    first, second = plan.targets
    assert (first.name, first.url.client, first.entry.mechanism.name) == ("Main Street 7", 1, "gmac")
    assert (first.entry.counter_object, str(first.references[0])) == (
        Obis("0.0.43.1.0.255"),
        "1.0.1.8.0.255",
    )
    assert (second.entry.secured, second.profiles, second.url.physical) == (False, (), 17)
    assert plan.store.name == "readings.sqlite"
    assert 'store = "readings.sqlite"' in cosem("collect", "--help").out


def test_everything_goes_into_one_file_once(written: Any, cosem: Cosem, served: Any, tmp_path: Path) -> None:
    path = written(meters(served, ("house", served.household)))
    ran = cosem("collect", path)
    assert ran.code == 0, ran.err
    with ReadingStore(tmp_path / "out.sqlite") as store:
        assert store.meters() == ["ciphered", "house", "open", "password"]
        (energy,) = store.rows("ciphered", obis=Obis("1.0.1.8.0.255"), latest=True)[:1]
        assert (energy.text, energy.unit.symbol) == ("1234567.8", "Wh")
        profile = len(store.rows(profile=Obis("1.0.99.1.0.255")))
        clocks = len(store.rows(obis=Obis("0.0.1.0.0.255")))
        assert (profile >= 5 * 96, clocks) == (True, 4)
    again = cosem("collect", path, "--json").json
    assert [meter["changed"] for meter in again["meters"]] == [0, 0, 0, 0]
    with ReadingStore(tmp_path / "out.sqlite") as store:
        # Each profile has at most a row more by now: five values of the house, two of each of the others.
        assert 0 <= len(store.rows(profile=Obis("1.0.99.1.0.255"))) - profile <= 11
        assert len(store.rows(obis=Obis("0.0.1.0.0.255"))) == 8


def test_one_that_fails_takes_nothing_with_it(
    written: Any, cosem: Cosem, served: Any, nobody: str, deserter: str, tmp_path: Path
) -> None:
    ran = cosem("collect", written(meters(served, ("nobody", nobody), ("deserter", deserter))), "--json")
    assert ran.code == 1
    told = {meter["meter"]: meter for meter in ran.json["meters"]}
    assert [told[name]["failures"] for name in ("open", "ciphered", "password")] == [[], [], []]
    assert (told["nobody"]["connected"], told["nobody"]["failures"][0]["error"]["kind"]) == (False, "ConnectionFailed")
    assert (told["deserter"]["connected"], len(told["deserter"]["failures"])) == (True, 1)
    assert "error: nobody: connection: " in ran.err
    assert "error: deserter: 3 attributes: " in ran.err
    assert "3 of 5 meters complete" in ran.err


def test_what_one_refuses_is_named_and_the_rest_is_kept(written: Any, cosem: Cosem, served: Any) -> None:
    plan = f'[[meter]]\nname = "a"\nurl = "{served.wrapper}"\nread = ["1.8.0", "0.0.99.99.9.255"]\n'
    ran = cosem("collect", written(plan), "--json")
    assert ran.code == 1
    (meter,) = ran.json["meters"]
    assert (meter["readings"], [failure["what"] for failure in meter["failures"]]) == (2, ["0.0.99.99.9.255"])


def test_exit_codes_when_all_fail_alike(written: Any, cosem: Cosem, nobody: str, deserter: str) -> None:
    for url, code in ((nobody, 2), (deserter, 3)):
        assert cosem("collect", written(f'[[meter]]\nname = "a"\nurl = "{url}"\n')).code == code


def test_a_collection_goes_on_where_the_last_one_ended(written: Any, cosem: Cosem, served: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with ReadingStore(tmp_path / "out.sqlite") as store:
        column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)
        profile = Obis("1.0.99.1.0.255")
        time = now - timedelta(hours=3)
        store.add([Reading(meter="house", column=column, time=time, raw=1, profile=profile)])
    plan = f"""
        store = "out.sqlite"
        [[meter]]
        name = "house"
        url = "{served.household}"
        profiles = [{{ obis = "1.0.99.1.0.255", last = "5 days" }}]
    """
    ran = cosem("collect", written(plan), "--json")
    assert ran.code == 0
    # Four hours of quarters with five columns, and the clock: not the five days of a first collection.
    assert 80 <= ran.json["meters"][0]["readings"] <= 90


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        ("", "there is no meter"),
        ("store = 5", "store: expected text"),
        ("[[meter]]\nname = 'a'", "[[meter]] 1 (a): url: this key is missing"),
        ("[[meter]]\nname = 'a'\nurl = 'foo'", "a right URL is for example"),
        ("[[meter]]\nname = 'a'\nurl = 'tls://a'", "is not available"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nread = ['1.8.x']", "is no OBIS code"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nread = '1.8.0'", "expected a list of references"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nraed = []", "raed: this key is not known here"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nsecurity = 'x'", "there is no [security.x]"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nzone = 'Mars'", "'Mars' is no zone"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\nprofiles = [{ obis = '1.0.99.1.0.255', last = 'long' }]", "36 h"),
        ("[[meter]]\nname = 'a'\nurl = 'tcp://a'\n[[meter]]\nname = 'a'\nurl = 'tcp://b'", "two meters named 'a'"),
        ("[security.s]\npassword = 'written out'\n", "secrets do not stand in this file"),
        (f"[security.s]\nencryption_key = '{EK}'\n", "secrets do not stand in this file"),
        ("[security.s]\nencryption_key = 'file:nowhere'\n", "cannot read the file"),
        ("[security.s]\nauth = 'gmac'\n", "ek"),
        ("[security.s]\ninvocation_counter = 'x'\n", 'expected a number, or "read"'),
        ("gap_milliseconds = -1\n[[meter]]\nname = 'a'\nurl = 'tcp://a'", "from 0 on"),
        ("at_once = 0\n[[meter]]\nname = 'a'\nurl = 'tcp://a'", "at least one"),
        ("[[meter]", "plan.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_refused_before_anything_is_sent(
    written: Any, cosem: Cosem, plan: str, complaint: str
) -> None:
    ran = cosem("collect", written(plan))
    assert (ran.code, ran.out) == (64, "")
    assert complaint in ran.err
    assert EK not in ran.err
    assert "written out" not in ran.err


def test_a_store_that_is_none_is_left_alone(written: Any, cosem: Cosem, served: Any, tmp_path: Path) -> None:
    (tmp_path / "out.sqlite").write_text("something of somebody else")
    ran = cosem("collect", written(meters(served)))
    assert ran.code == 64
    assert (tmp_path / "out.sqlite").read_text() == "something of somebody else"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1 day", timedelta(days=1)),
        ("36h", timedelta(hours=36)),
        ("90 min", timedelta(minutes=90)),
        ("2 Weeks", timedelta(weeks=2)),
    ],
)
def test_lengths_of_time(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "1", "day", "-1 day", "1 month", "1.5 h"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(ConfigurationError):
        duration(text)
