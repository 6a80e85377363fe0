"""Lines that one gateway has, another has not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.gateway.claim import Claim


def test_a_second_one_is_told_who_has_the_line_and_how_to_stop_it(tmp_path: Path) -> None:
    with Claim(["/dev/ttyS0", "192.0.2.7:4059"], tmp_path):
        with pytest.raises(
            ConfigurationError, match=rf"/dev/ttyS0: process {os.getpid()}\. Stop it first: kill {os.getpid()}"
        ):
            Claim(["192.0.2.8:4059", "/dev/ttyS0"], tmp_path).__enter__()
        with Claim(["192.0.2.8:4059"], tmp_path):
            pass
    with Claim(["/dev/ttyS0"], tmp_path):
        pass


def test_lines_are_taken_and_given_up_as_the_tables_change(tmp_path: Path) -> None:
    first, second = Claim(place=tmp_path), Claim(place=tmp_path)
    first.hold(["a", "b"])
    first.hold(["b", "c"])
    second.hold(["a"])
    with pytest.raises(ConfigurationError):
        second.hold(["a", "b"])
    first.close()
    second.hold(["a", "b"])
    second.close()
