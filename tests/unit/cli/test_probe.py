"""`cosem probe` prints a URL on stdout, with which `cosem read` works, and everything else on stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Cosem = Callable[..., Any]


def test_a_meter_is_found_and_read(cosem: Cosem, served: Any) -> None:
    ran = cosem("probe", served.wrapper.partition("://")[2])
    assert ran.code == 0
    url = ran.out.strip()
    assert url.startswith("tcp://127.0.0.1:")
    assert "TST0000000000001" in ran.err
    assert "objects" in ran.err
    assert cosem("read", url, "1.8.0").code == 0


def test_as_json(cosem: Cosem, served: Any) -> None:
    ran = cosem("probe", served.household, "--json")
    found = ran.json
    assert found["entered"] is True
    assert found["objects"] > 1
    assert found["readable_attributes"] > 1
    assert abs(found["clock_offset_seconds"]) < 3600
    assert found["command"] == "read"


def test_nobody_there(cosem: Cosem, nobody: str) -> None:
    ran = cosem("probe", nobody)
    assert (ran.code, ran.out) == (2, "")
    assert "layer:    transport (TCP)" in ran.err
    assert ran.err.count("\n  ") >= 4
    failed = cosem("probe", nobody, "--json")
    assert failed.json["layer"] == "transport (TCP)"
    assert len(failed.json["causes"]) == 3
