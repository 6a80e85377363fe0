"""The client's own system title, and the directory it is kept in."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.store import durable
from cosem.store.directory import default_state_directory
from cosem.store.durable import exclusive, replace
from cosem.store.identity import client_system_title


def test_a_title_is_made_once(tmp_path: Path) -> None:
    title = client_system_title(tmp_path)
    assert len(title) == 8
    assert title[:3] == b"COS"
    assert client_system_title(tmp_path) == title
    (tmp_path / "other").mkdir()
    assert client_system_title(tmp_path / "other") != title


def test_several_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: client_system_title(tmp_path), range(16)))) == 1


def test_a_title_put_there_by_hand_is_used(tmp_path: Path) -> None:
    (tmp_path / "system-title").write_text("4D 4D 4D 00 00 BC 61 4E\n")
    assert client_system_title(tmp_path).hex().upper() == "4D4D4D0000BC614E"


@pytest.mark.parametrize("content", [b"", b"4D4D4D", b"no hex at all", b"\xff" * 8, b"00" * 9])
def test_a_damaged_title_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "system-title").write_bytes(content)
    with pytest.raises(ConfigurationError, match="system title"):
        client_system_title(tmp_path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot open the lock"):
        client_system_title(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_STATE_HOME", "{tmp}/state", "state/cosem"),
        ("linux", "XDG_STATE_HOME", "relative", "home/.local/state/cosem"),
        ("linux", "XDG_STATE_HOME", "", "home/.local/state/cosem"),
        ("darwin", "XDG_STATE_HOME", "", "home/Library/Application Support/cosem"),
        ("win32", "LOCALAPPDATA", "{tmp}/local", "local/cosem"),
        ("win32", "LOCALAPPDATA", "", "home/AppData/Local/cosem"),
    ],
)
def test_the_directory_is_where_each_system_has_it(
    platform: str, variable: str, value: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv(variable, value.format(tmp=tmp_path))
    assert default_state_directory() == tmp_path / expected
    assert default_state_directory().is_dir()


def test_a_directory_others_may_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    default_state_directory().chmod(0o770)
    if os.name == "posix":
        with pytest.raises(ConfigurationError, match="chmod go-w"):
            default_state_directory()
    (tmp_path / "cosem").rmdir()
    (tmp_path / "cosem").write_text("a file in its place")
    with pytest.raises(ConfigurationError, match="cannot use the directory"):
        default_state_directory()


def test_a_lock_is_held_by_one_and_waited_for_in_vain(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(ConfigurationError, match="holds the lock"),
        exclusive(tmp_path / "lock", seconds=0),
    ):
        pass
    with exclusive(tmp_path / "lock", seconds=0):
        pass


def test_a_lock_that_is_taken_away_while_somebody_opens_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, opened, real = tmp_path / "lock", list[int](), durable._try_lock

    def taken_away_at_first(descriptor: int) -> bool:
        opened.append(descriptor)
        if len(opened) == 1:
            lock.unlink()
        return real(descriptor)

    monkeypatch.setattr(durable, "_try_lock", taken_away_at_first)
    with exclusive(lock):
        assert len(opened) == 2
        monkeypatch.undo()
        with pytest.raises(ConfigurationError, match="holds the lock"), exclusive(lock, seconds=0):
            pass


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace(tmp_path / "file", b"old")
    replace(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(ConfigurationError, match="cannot write"):
        replace(tmp_path / "nowhere" / "file", b"")
