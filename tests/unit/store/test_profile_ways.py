"""What is remembered of the profiles of a meter from one time to the next, and that it is never needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosem.client.profile import Way
from cosem.protocol.values.obis import Obis
from cosem.store.profile_ways import ProfileWays, default_profile_ways

LOAD = Obis("1.0.99.1.0.255")


def test_what_was_learnt_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "ways" / "meter.json"
    ways = ProfileWays(path)
    assert dict(ways) == {}
    ways[LOAD] = Way.ENTRIES
    assert dict(ProfileWays(path)) == {LOAD: Way.ENTRIES}
    ways[LOAD] = Way.WHOLE
    assert ProfileWays(path)[LOAD] == Way.WHOLE
    del ways[LOAD]
    assert len(ProfileWays(path)) == 0


def test_it_is_written_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "meter.json"
    ways = ProfileWays(path)
    ways[LOAD] = Way.RANGE
    path.unlink()
    ways[LOAD] = Way.RANGE
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"no code": 1}', b'{"1.0.99.1.0.255": "2"}', b" " * 70_000])
def test_a_file_that_is_none_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "meter.json"
    path.write_bytes(content)
    assert dict(ProfileWays(path)) == {}


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ways = ProfileWays(tmp_path / "file" / "meter.json")
    ways[LOAD] = Way.RANGE
    assert ways[LOAD] == Way.RANGE


def test_each_meter_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    default_profile_ways("tcp://a")[LOAD] = Way.WHOLE
    assert dict(default_profile_ways("tcp://b")) == {}
    assert dict(default_profile_ways("tcp://a")) == {LOAD: Way.WHOLE}
